"""`kittui push`: push from the local store, or a layout, to a registry."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.carrying import carry, referrers_option, show_moved
from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.oci.reference import Reference
from kittui.oci.traffic import metered
from kittui.usecases.browse.places import DEFAULT_TAG


@run.command("push", changes=True)
@click.argument("reference", metavar="REF")
@click.argument("destination", required=False)
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@referrers_option
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
async def command(
    call: Call,
    reference: str,
    destination: str | None,
    reason: str,
    confirm: tuple[str, ...],
    referrers: bool | None,
    override: str,
) -> None:
    """Push a ModelKit from the local store (or a layout) to the registry in its name, or to DESTINATION."""
    await push_to(call, reference, destination, reason, confirm, referrers, override)


async def push_to(
    call: Call,
    reference: str,
    destination: str | None,
    reason: str,
    confirm: tuple[str, ...],
    referrers: bool | None,
    override: str,
) -> None:
    """Push a ModelKit of the store or a layout; raises UsageError if there is no registry to push to."""
    origin = call.composition.places.parse(reference)
    if origin.kind == "remote":
        raise UsageError(
            f"{reference} is in a registry already",
            hint=f"Between registries, use: kittui copy {reference} TO.",
            reference=reference,
        )
    if origin.kind is None:
        origin = origin.in_kind("local")
    to = _destination(call, origin, destination)
    target = origin.target or DEFAULT_TAG
    places = call.composition.places
    with metered() as traffic:
        ends = (places.repository(origin), target), (places.repository(to), to.target or target)
        moved = await carry(call, "push", *ends, reason=reason, confirm=confirm, override=override, referrers=referrers)
    show_moved(call, moved, traffic)


def _destination(call: Call, origin: Reference, text: str | None) -> Reference:
    """The given registry or layout, or the registry in the ModelKit's own name."""
    if text is not None:
        reference = call.composition.places.parse(text)
        if reference.kind is None and reference.names_host:
            return reference.in_kind("remote")
        if reference.kind in ("remote", "oci"):
            return reference
    elif origin.kind == "local" and origin.in_kind("remote").registry != "localhost":
        return origin.in_kind("remote")
    raise UsageError(
        f"{text or origin} has no registry to push to",
        hint="Give a destination: kittui push REF HOST[:PORT]/REPOSITORY:TAG.",
        reference=text or str(origin),
    )

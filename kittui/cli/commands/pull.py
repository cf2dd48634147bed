"""`kittui pull`: into the local store."""

from __future__ import annotations

from typing import Any

import click

from kittui.cli import run
from kittui.cli.moving import carry, for_each, move_document, move_lines, one_or_many
from kittui.cli.run import Call
from kittui.errors import KittuiError, UsageError
from kittui.oci.protocols import Repository
from kittui.oci.reference import LOCAL, WHOLE_LAYOUT, Reference, store_display
from kittui.oci.traffic import metered
from kittui.terminal import size_text
from kittui.usecases.change.transfer import parent_missing, parents_of, plan_move


@run.command("pull", changes=True)
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@click.option("--confirm", multiple=True, metavar="TAG", help="The name of a protected tag that may be moved.")
@click.option(
    "--referrers/--no-referrers",
    default=None,
    help="Take along the signatures, statements and SBOMs that refer to it.",
)
async def command(call: Call, references: tuple[str, ...], confirm: tuple[str, ...], referrers: bool | None) -> int:
    """Pull ModelKits into the local store, with the ModelKits that their model.path refers to.

    An interrupted pull continues where it stopped when it is run again.
    """

    async def pull(text: str) -> dict[str, Any]:
        reference = _remote(call, text)
        repository = call.composition.places.repository(reference)
        with metered() as traffic:
            name = _store_name(reference)
            document = await _pull(call, repository, reference.target or "latest", name, confirm, referrers)
        document["traffic"] = {"requests": traffic.requests, "bytes": traffic.bytes}
        return document

    done, status = await for_each(call, references, pull)
    status = status or max((document.pop("failed", 0) for document in done), default=0)
    if done or not call.options.json:
        call.printer.result(one_or_many(done, len(references)), lambda: _print(call, done))
    return status


def _remote(call: Call, text: str) -> Reference:
    """A pull reads from a registry or a layout, never from the store."""
    reference = call.composition.places.parse(text)
    if reference.kind is None and reference.names_host:
        return reference.in_kind("remote")
    if reference.kind in ("remote", "oci"):
        return reference
    raise UsageError(
        f"{text} names no registry to pull from",
        hint="Write HOST[:PORT]/REPOSITORY:TAG or oci:DIR:TAG.",
        reference=text,
    )


def _store_name(reference: Reference) -> str:
    if reference.kind == "remote":
        return store_display(reference.store_name)
    if reference.repository == WHOLE_LAYOUT:
        raise UsageError(
            f"{reference} names no repository for the store",
            hint=f"Give it one: kittui copy {reference} local://NAME:TAG.",
            reference=str(reference),
        )
    return reference.repository


async def _pull(
    call: Call, origin: Repository, target: str, name: str, confirm: tuple[str, ...], referrers: bool | None
) -> dict[str, Any]:
    store = call.composition.places.source(LOCAL)
    if call.options.dry_run:
        await _preview(call, origin, target, store.repository(name))
    ends = (origin, target), (store.repository(name), target)
    moved = await carry(call, "pull", *ends, confirm=confirm, referrers=referrers)
    document = moved.to_json()
    parents = []
    try:
        async for parent, tag in parents_of(origin, moved.plan.manifest, call.composition.find_parent):
            if parent.source.traits.is_store:
                continue
            destination = store.repository(f"{parent.source.place.host}/{parent.name}")
            ends = (parent, tag), (destination, tag)
            parents.append((await carry(call, "pull", *ends, confirm=confirm, referrers=referrers)).to_json())
    except KittuiError as error:
        # As in kit the ModelKit itself stays, and the exit status tells that it is not all.
        failed = parent_missing(document["reference"], error)
        call.printer.error(failed)
        document["failed"] = failed.exit_status
    if parents:
        document["parents"] = parents
    return document


async def _preview(call: Call, origin: Repository, target: str, destination: Repository) -> None:
    """What a pull would bring, parents last: a dry run ends here."""
    store = destination.source
    plans = [await plan_move("pull", origin, target, destination, None if ":" in target else target)]
    lines = move_lines(plans[0])
    try:
        async for parent, tag in parents_of(origin, plans[0].manifest, call.composition.find_parent):
            if not parent.source.traits.is_store:
                into = store.repository(f"{parent.source.place.host}/{parent.name}")
                plans.append(await plan_move("pull", parent, tag, into, None if ":" in tag else tag))
                lines += move_lines(plans[-1])
    except KittuiError as error:
        lines.append(f"  {parent_missing(plans[0].place, error).message}")
    call.preview(lines, *map(move_document, plans))


def _print(call: Call, documents: list[dict[str, Any]]) -> None:
    for document in documents:
        for one in (*document.get("parents", ()), document):
            call.printer.line((one["reference"], "bold"), f"  {one['digest']}")
        traffic = document["traffic"]
        call.printer.line(f"  {traffic['requests']} requests, {size_text(traffic['bytes'])}")

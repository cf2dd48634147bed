"""`kittui pull`: pull ModelKits into the local store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import click

from kittui.cli import run
from kittui.cli.carrying import carry, plan_carry, planned_move, referrers_option
from kittui.cli.moving import for_each, one_or_many
from kittui.cli.run import Call, Planned
from kittui.cli.variants import labels_option
from kittui.errors import KittuiError, UsageError
from kittui.modelkit.variants import parse_labels
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.reference import LOCAL, WHOLE_LAYOUT, Reference, store_display
from kittui.oci.target import Target
from kittui.oci.traffic import metered
from kittui.terminal import counted, size_text
from kittui.usecases.browse.places import DEFAULT_TAG
from kittui.usecases.browse.variants import chosen_by_tag
from kittui.usecases.change.transfer import parent_missing, parents_of

Ends = tuple[tuple[Repository, Target], tuple[Repository, Target]]
"""One transfer: source repository and target, then destination repository and target."""


@run.command("pull", changes=True)
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@labels_option
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@referrers_option
async def command(
    call: Call,
    references: tuple[str, ...],
    labels: tuple[str, ...],
    confirm: tuple[str, ...],
    referrers: bool | None,
) -> int:
    """Pull ModelKits into the local store, with the ModelKits that their model.path refers to.

    Run it again to continue an interrupted pull. From an index, it pulls the variant with the given labels,
    under the tag that its entry names, if any.
    """

    async def pull(text: str) -> dict[str, Any]:
        reference = _remote(call, text)
        repository = call.composition.places.repository(reference)
        with metered() as traffic:
            name = _store_name(reference)
            target: Target = reference.target or DEFAULT_TAG
            wanted = parse_labels(labels)
            if wanted:
                target = await chosen_by_tag(call.composition.modelkits, repository, target, wanted)
            document = await _pull(call, repository, target, name, confirm, referrers)
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
        f"{text} has no registry to pull from",
        hint="Write HOST[:PORT]/REPOSITORY:TAG or oci:DIR:TAG.",
        reference=text,
    )


def _store_name(reference: Reference) -> str:
    if reference.kind == "remote":
        return store_display(reference.store_name)
    if reference.repository == WHOLE_LAYOUT:
        raise UsageError(
            f"{reference} has no repository name for the store",
            hint=f"Give it one: kittui copy {reference} local://NAME:TAG.",
            reference=str(reference),
        )
    return reference.repository


async def _pull(
    call: Call, origin: Repository, target: Target, name: str, confirm: tuple[str, ...], referrers: bool | None
) -> dict[str, Any]:
    ends = (origin, target), (call.composition.places.source(LOCAL).repository(name), target)
    if call.options.dry_run:
        raise await _preview(call, ends, referrers)
    moved = await carry(call, "pull", *ends, confirm=confirm, referrers=referrers)
    document = moved.to_json()
    parents = []
    try:
        async for parent in _parents(call, origin, moved.plan.manifest):
            pulled = await carry(call, "pull", *parent, confirm=confirm, referrers=referrers)
            parents.append(pulled.to_json())
    except KittuiError as error:
        # As in kit, the ModelKit itself stays, and the exit status shows that something is missing.
        failed = parent_missing(document["reference"], error)
        call.printer.error(failed)
        document["failed"] = failed.exit_status
    if parents:
        document["parents"] = parents
    return document


async def _parents(call: Call, origin: Repository, manifest: Manifest) -> AsyncIterator[Ends]:
    """Where to pull the ModelKits from that model.path refers to, and where to; without those that the store has."""
    store = call.composition.places.source(LOCAL)
    async for parent, tag in parents_of(origin, manifest, call.composition.find_parent):
        if not parent.source.traits.is_store:
            yield (parent, tag), (store.repository(f"{parent.source.place.host}/{parent.name}"), tag)


async def _preview(call: Call, ends: Ends, referrers: bool | None) -> Planned:
    """What a pull would transfer, parents last."""
    plan = await plan_carry(call, "pull", *ends, referrers)
    planned = [await planned_move(call, plan)]
    try:
        async for parent in _parents(call, plan.transfer.origin, plan.manifest):
            plan_of_parent = await plan_carry(call, "pull", *parent, referrers)
            planned.append(await planned_move(call, plan_of_parent))
    except KittuiError as error:
        planned.append(Planned([f"  {parent_missing(plan.place, error).message}"], []))
    return Planned.merged(planned)


def _print(call: Call, documents: list[dict[str, Any]]) -> None:
    for document in documents:
        for one in (*document.get("parents", ()), document):
            call.printer.line((one["reference"], "bold"), f"  {one['digest']}")
        traffic = document["traffic"]
        call.printer.line(f"  {counted(traffic['requests'], 'request')}, {size_text(traffic['bytes'])}")

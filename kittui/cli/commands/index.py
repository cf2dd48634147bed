"""`kittui index`: ModelKit indexes, which list a ModelKit's variants with labels to choose by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from kittui.cli import run
from kittui.cli.moving import agree, answers_of, plan_document, plan_lines, warn_unseen
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.cli.variants import print_variants, variant_document
from kittui.errors import KittuiError, UsageError
from kittui.modelkit.variants import Variant, matching, parse_labels, variants_of
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target, parse_target
from kittui.tasks import spread
from kittui.usecases.browse.modelkits import list_tags
from kittui.usecases.browse.places import DEFAULT_TAG, Located
from kittui.usecases.change.index import index_at, plan_adding, plan_new_index, plan_removing
from kittui.usecases.change.plan import ChangePlan
from kittui.usecases.change.tags import apply_changes

command = click.Group(
    "index",
    help="Work on ModelKit indexes: lists of a ModelKit's variants, each chosen by its labels.\n\n"
    "An index lists ModelKits of its own repository, in a registry or a layout; kit's store can't hold one.",
    subcommand_metavar="COMMAND ...",
)

_reason = click.option("--reason", default="", help="The reason, kept in the history.")
_confirm = click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
_override = click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
_annotate = click.option(
    "--annotate", "annotations", multiple=True, metavar="KEY=VALUE", help="An annotation; repeatable."
)


@run.command("create", changes=True)
@click.argument("reference", metavar="REF")
@_annotate
@_reason
@_confirm
@_override
async def create(
    call: Call, reference: str, annotations: tuple[str, ...], reason: str, confirm: tuple[str, ...], override: str
) -> None:
    """Create an empty index under an unused tag."""
    located = await _located(call, reference, changing=True)
    plan = await plan_new_index(located.repository, _own_tag(located), parse_labels(annotations))
    await _apply(call, plan, reason, confirm, override)


@run.command("add", changes=True)
@click.argument("reference", metavar="REF")
@click.argument("variants", metavar="TAG_OR_DIGEST...", nargs=-1, required=True)
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL=VALUE",
    help="A label; LABEL:=JSON for a value that is not text, LABEL- removes one.",
)
@_annotate
@_reason
@_confirm
@_override
async def add(
    call: Call,
    reference: str,
    variants: tuple[str, ...],
    labels: tuple[str, ...],
    annotations: tuple[str, ...],
    reason: str,
    confirm: tuple[str, ...],
    override: str,
) -> None:
    """Add ModelKits of the same repository to an index, or change the labels of those that it lists."""
    values, removed = _values(labels)
    located = await _located(call, reference, changing=True)
    targets = [await _target(call, located, text) for text in variants]
    plan = await plan_adding(located.repository, _own_tag(located), targets, values, parse_labels(annotations), removed)
    await _apply(call, plan, reason, confirm, override)


@run.command("remove", changes=True)
@click.argument("reference", metavar="REF")
@click.argument("variants", metavar="TAG_OR_DIGEST...", nargs=-1, required=True)
@_reason
@_confirm
@_override
async def remove(
    call: Call, reference: str, variants: tuple[str, ...], reason: str, confirm: tuple[str, ...], override: str
) -> None:
    """Remove ModelKits from an index; the ModelKits themselves stay."""
    located = await _located(call, reference, changing=True)
    targets = [await _target(call, located, text) for text in variants]
    plan = await plan_removing(located.repository, _own_tag(located), targets)
    await _apply(call, plan, reason, confirm, override)


@run.command("list")
@click.argument("reference", metavar="REF")
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL=VALUE", help="Only variants with this label.")
async def list_variants(call: Call, reference: str, labels: tuple[str, ...]) -> None:
    """List an index's variants with their sizes, or a repository's indexes."""
    located = await _located(call, reference)
    if located.target is None:
        await _list_indexes(call, located.repository)
        return
    repository = located.repository
    manifest = await index_at(repository, located.target)
    found = matching(variants_of(manifest), parse_labels(labels))
    sizes = await _sizes(call, repository, found)
    document = {
        "reference": repository.reference(located.target),
        "digest": manifest.digest,
        "variants": [variant_document(one, sizes[one.descriptor.digest]) for one in found],
    }
    call.printer.result(document, lambda: print_variants(call, found, sizes))


@run.command("push", changes=True)
@click.argument("reference", metavar="REF")
@click.argument("destination", required=False)
@_reason
@_confirm
@_override
async def push(
    call: Call, reference: str, destination: str | None, reason: str, confirm: tuple[str, ...], override: str
) -> None:
    """Push an index from a layout into a registry, with the ModelKits that it lists."""
    from kittui.cli.commands.push import push_to

    await index_at(*(await _source(call, reference)))
    await push_to(call, reference, destination, reason, confirm, None, override)


for _one in (create, add, remove, list_variants, push):
    command.add_command(_one)


async def _located(call: Call, reference: str, *, changing: bool = False) -> Located:
    return await call.composition.places.locate(reference, changing=changing, default=None)


async def _source(call: Call, reference: str) -> tuple[Repository, Target]:
    located = await call.composition.places.locate(reference)
    return located.repository, located.target or DEFAULT_TAG


def _own_tag(located: Located) -> Tag:
    """The tag of the index to change; raises UsageError for a digest, whose contents can't change."""
    if isinstance(located.target, Digest):
        raise UsageError(
            "an index can only be changed through a tag", hint="Write REPOSITORY:TAG.", reference=str(located)
        )
    return located.target or DEFAULT_TAG


async def _target(call: Call, located: Located, text: str) -> Target:
    """A tag or digest in the index's own repository, given alone or as a full reference."""
    if "/" not in text and not text.startswith("oci:"):
        return parse_target(text.removeprefix("@"))
    other = await call.composition.places.locate(text)
    if other.repository.reference() != located.repository.reference():
        raise UsageError(
            f"{text} is in another repository, and an index lists ModelKits of its own",
            hint=f"Copy it first: kittui copy {text} {located.repository.reference()}",
            reference=text,
        )
    return other.target or DEFAULT_TAG


def _values(texts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Labels as JSON, and the keys of those to remove."""
    found: dict[str, str] = {}
    removed: list[str] = []
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark and text.endswith("-") and len(text) > 1:
            removed.append(text[:-1])
        elif mark and key.endswith(":"):
            try:
                json.loads(value)
            except (ValueError, RecursionError):
                raise UsageError(
                    f"{value!r} is not JSON", hint="LABEL:=JSON takes any JSON, LABEL=VALUE takes text."
                ) from None
            found[key[:-1]] = value
        else:
            found |= {key: json.dumps(value, ensure_ascii=False) for key, value in parse_labels([text]).items()}
    return found, removed


async def _apply(call: Call, plan: ChangePlan, reason: str, confirm: Sequence[str], override: str) -> None:
    composition = call.composition
    if plan.overwritten or not plan.changes:
        await agree(call, plan, "Change the index in", "Move the tag?", override)
    else:
        call.check_write(plan.place)
        verdicts = await composition.policy.assess(plan)
        call.preview(plan_lines(plan, "Create the index in", verdicts), plan_document(plan, verdicts))
        composition.policy.stop(verdicts, override, plan.place)
    answers = answers_of(call, plan.overwritten, confirm, reason, override)
    done = await apply_changes(plan, composition.ledger, composition.policy, answers)

    def show() -> None:
        for change in done.changes:
            if change.after is not None:
                call.printer.line((done.repository.reference(change.tag), "bold"), f"  {change.after.digest}")
        if not done.changes:
            call.printer.line("Nothing to do: the index already has these entries.")

    call.printer.result(done.to_json(), show)
    warn_unseen(call, done.unseen)


async def _sizes(call: Call, repository: Repository, variants: Sequence[Variant]) -> dict[str, int | None]:
    """Bytes of each variant's layers, from its manifest; None if that can't be read."""

    async def size(variant: Variant) -> int | None:
        try:
            found = await call.composition.modelkits.manifest(repository, variant.descriptor.digest)
        except KittuiError:
            return None
        return found.content_size

    sizes = await spread(variants, size, at_once=repository.source.traits.at_once)
    return {one.descriptor.digest: found for one, found in zip(variants, sizes, strict=True)}


async def _list_indexes(call: Call, repository: Repository) -> None:
    listing = await list_tags(repository)
    rows = await call.composition.modelkits.rows(repository, listing)
    found: list[dict[str, Any]] = []
    for row in rows:
        if row.kind in ("modelkit-index", "index") and row.digest is not None:
            manifest = await call.composition.modelkits.manifest(repository, row.digest)
            found.append({"tag": row.tag, "digest": row.digest, "kind": row.kind, "variants": len(manifest.manifests)})

    def show() -> None:
        cells: list[Sequence[Styled]] = [
            (one["tag"] or "<none>", str(one["variants"]), (one["digest"].short, "dim")) for one in found
        ]
        if cells:
            call.printer.table(("TAG", "VARIANTS", "DIGEST"), cells, right=(1,))
        else:
            call.printer.note(f"{repository.reference()} has no indexes")

    document = {"repository": repository.reference(), "indexes": found, "complete": listing.incomplete is None}
    call.printer.result(document, show)
    if listing.incomplete is not None:
        raise listing.incomplete

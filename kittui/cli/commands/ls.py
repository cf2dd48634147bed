"""`kittui ls`: repositories of a source, or tags of a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.cli.signed import NOT_CHECKED, Signed, check_all
from kittui.cli.stages import staged
from kittui.errors import AuthError, KittuiError, NotFound, Unsupported, UsageError
from kittui.modelkit.kinds import MODELS
from kittui.modelkit.stages import ranks
from kittui.oci.digest import Digest
from kittui.oci.order import natural_key
from kittui.oci.protocols import Incomplete, Repository, RepositoryEntry
from kittui.oci.reference import LOCAL, WHOLE_LAYOUT, Place, Reference
from kittui.oci.tag import Tag
from kittui.tasks import spread
from kittui.terminal import age_text, counted, parse_time, size_text
from kittui.usecases.browse.modelkits import TagListing, TagRow, list_tags, repositories

_DATED = MODELS - {"modelkit"}
"""Kinds whose creation date may be in the config; a ModelKit has it in the manifest."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A source's repositories, and why the list is empty or incomplete."""

    place: Place
    entries: tuple[RepositoryEntry, ...] = ()
    problem: KittuiError | None = None

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "source": str(self.place),
            "repositories": [
                {"name": entry.name, "tags": entry.tag_count, "size": entry.size, "problem": entry.problem}
                for entry in self.entries
            ],
            "complete": self.problem is None,
        }
        if self.problem is not None:
            found["problem"] = self.problem.message
        return found


@run.command("ls")
@click.argument("source", required=False)
@click.option("--check", is_flag=True, help="Check the signatures of every listed ModelKit (reads attached manifests).")
@click.option("-l", "--long", is_flag=True, help="Read configs too, for ages that only they have.")
async def command(call: Call, source: str | None, check: bool, long: bool) -> None:
    """List the repositories of SOURCE (local://, HOST, oci:DIR), or the tags of SOURCE/REPO.

    Without an argument: the local store and the configured registries and layouts. STAGE is
    the first stage tag on the same ModelKit.
    """
    if source is None:
        await _all(call)
        return
    found = call.composition.places.parse_source(source)
    if isinstance(found, Place):
        listed = await _repositories(call, found)
        if listed.problem is None or listed.entries:
            call.printer.result(listed.document, lambda: _print_repositories(call, listed))
        if listed.problem is not None:
            raise listed.problem.at(source)
    else:
        await _tags(call, source, found, check=check, long=long)


async def _all(call: Call) -> None:
    """List every source; one that fails is marked, and the others are still listed."""
    listings = [await _repositories(call, place) for place in call.composition.configured()]
    document = {**listings[0].document, "sources": [listed.document for listed in listings]}

    def human() -> None:
        for number, listed in enumerate(listings):
            if len(listings) > 1:
                if number:
                    call.printer.line("")
                call.printer.line((str(listed.place), "bold"))
            if listed.problem is None or listed.entries:
                _print_repositories(call, listed)
            if listed.problem is not None:
                call.printer.line(("! " + listed.problem.message, "red"))
                if listed.problem.hint:
                    call.printer.line("  " + listed.problem.hint)

    call.printer.result(document, human)


async def _repositories(call: Call, place: Place) -> _Listed:
    """What a source lists; if it can't list, the repositories that the configuration names."""
    composition = call.composition
    named = composition.config.registry(place.host).repositories if place.kind == "remote" else ()
    entries: list[RepositoryEntry] = []
    problem: KittuiError | None = None
    try:
        async for page in repositories(composition.places.source(place)):
            entries += page
            call.printer.status(f"{place}: {counted(len(entries), 'repository')}")
    except (Unsupported, AuthError) as error:
        if not named:
            return _Listed(place, (), error)
        call.printer.note(f"{error.message}; showing the configured repositories")
    except Incomplete as error:
        problem = error
    except KittuiError as error:
        return _Listed(place, (), error)
    known = {entry.name for entry in entries}
    entries += [RepositoryEntry(name) for name in named if name not in known]
    if place != LOCAL:
        entries.sort(key=lambda entry: natural_key(entry.name))
    return _Listed(place, tuple(entries), problem)


def _print_repositories(call: Call, listed: _Listed) -> None:
    if not listed.entries:
        empty = "the local store is empty: kittui pull HOST/REPO:TAG" if listed.place == LOCAL else "no repositories"
        call.printer.note(empty)
        return
    sized = any(entry.tag_count is not None or entry.size is not None for entry in listed.entries)
    marked = any(entry.problem for entry in listed.entries)
    header = ["REPOSITORY", *(("TAGS", "SIZE") if sized else ()), *(("PROBLEM",) if marked else ())]
    rows: list[Sequence[Styled]] = []
    for entry in listed.entries:
        row: list[Styled] = [entry.name]
        if sized:
            row += ["" if entry.tag_count is None else str(entry.tag_count), size_text(entry.size)]
        if marked:
            row.append((entry.problem or "", "red"))
        rows.append(row)
    call.printer.table(header, rows, right=(1, 2) if sized else ())


async def _tags(call: Call, text: str, reference: Reference, *, check: bool, long: bool) -> None:
    if reference.target is not None:
        raise UsageError(
            "ls lists the tags of a repository, but this is a single ModelKit",
            hint=f"kittui show {text}",
            reference=text,
        )
    located = await call.composition.places.locate(text, default=None)
    repository = located.repository
    call.printer.status(f"{repository.reference()}: listing tags")
    listing = await list_tags(repository)
    if not listing.tags and not listing.attached and reference.repository != WHOLE_LAYOUT:
        place = repository.source.place
        if repository.source.traits.free:
            raise NotFound(
                f"there is no repository {repository.name} in {place}",
                hint=f"`kittui ls {place}` lists its repositories.",
                reference=text,
            )
    call.printer.status(f"{repository.reference()}: reading {counted(len(listing.tags), 'manifest')}")
    rows = await call.composition.modelkits.rows(repository, listing)
    if long or repository.source.traits.free:
        rows = await _with_ages(call, repository, rows)
    stages = _stages(call, rows)
    digests = list(dict.fromkeys(row.digest for row in rows if row.digest))
    signed = {row.digest: Signed("unsigned") for row in rows if row.digest and _unsigned(repository, row, listing)}
    if check:
        call.printer.status(f"{repository.reference()}: checking the signatures of {counted(len(digests), 'ModelKit')}")
        signed |= await check_all(call, repository, digests)
    document = {
        "source": str(repository.source.place),
        "repository": repository.name,
        "tags": [_document(row, signed, stages) for row in rows],
        "complete": listing.incomplete is None,
        "attached": [
            {"tag": one.tag, "kind": one.kind, "subject": digest}
            for digest, found in listing.attached.items()
            for one in found
        ],
    }
    call.printer.result(document, lambda: _print_tags(call, repository, rows, listing, signed, stages, long=long))
    if listing.incomplete is not None:
        raise listing.incomplete.at(text)


def _unsigned(repository: Repository, row: TagRow, listing: TagListing) -> bool:
    """Whether the tags alone show that nothing is attached; not if signatures can be referrers too."""
    return repository.source.capabilities.referrers.denied and listing.incomplete is None and not row.attached


async def _with_ages(call: Call, repository: Repository, rows: Sequence[TagRow]) -> list[TagRow]:
    """The rows with creation dates from configs; a row whose config can't be read stays as it was."""

    async def dated(row: TagRow) -> TagRow:
        if row.created is not None or row.digest is None or row.kind not in _DATED:
            return row
        try:
            return replace(row, created=(await call.composition.modelkits.open(repository, row.digest)).created)
        except KittuiError:
            return row

    return await spread(rows, dated, at_once=repository.source.traits.at_once)


def _stages(call: Call, rows: Sequence[TagRow]) -> dict[Digest, Tag]:
    """The stage of each ModelKit: the first of its stage tags in the configured order."""
    order = ranks(call.composition.config.stages)
    held = sorted((row for row in rows if row.tag in order), key=lambda row: -order[row.tag or ""])
    return {row.digest: row.tag for row in held if row.digest is not None and row.tag is not None}


def _document(row: TagRow, signed: Mapping[Digest, Signed], stages: Mapping[Digest, Tag]) -> dict[str, Any]:
    known = signed.get(row.digest, NOT_CHECKED) if row.digest else NOT_CHECKED
    return {
        "tag": row.tag,
        "digest": row.digest,
        "size": row.size,
        "kind": row.kind,
        "stage": stages.get(row.digest) if row.digest else None,
        "created": row.created if parse_time(row.created) else None,
        "signatures": [one.tag for one in row.attached] if row.attached or known.word == "unsigned" else None,
        **known.to_json(),
        "problem": row.problem,
    }


def _print_tags(
    call: Call,
    repository: Repository,
    rows: Sequence[TagRow],
    listing: TagListing,
    signed: Mapping[Digest, Signed],
    stages: Mapping[Digest, Tag],
    *,
    long: bool,
) -> None:
    if not rows:
        call.printer.note(f"{repository.reference()} has no tags")
        return
    config, now = call.composition.config, datetime.now(UTC)
    cells: list[Sequence[Styled]] = []
    for row in rows:
        mark, style = staged(row.tag, config)
        what = "" if row.kind in ("modelkit", None) else row.label or ""
        about = [what, *(one.kind for one in row.attached)]
        cells.append(
            (
                (mark, style),
                (row.tag or "<none>", style or ("" if row.tag else "dim")),
                (row.digest.short if row.digest else "", "dim"),
                size_text(row.size),
                age_text(row.created, now),
                (at := stages.get(row.digest, "") if row.digest else "", staged(at, config)[1]),
                signed.get(row.digest, NOT_CHECKED).styled if row.digest else "",
                (row.problem, "red") if row.problem else ", ".join(filter(None, about)),
            )
        )
    call.printer.table(("", "TAG", "DIGEST", "SIZE", "AGE", "STAGE", "SIGNED", ""), cells, right=(3, 4))
    undated = sum(row.created is None and row.kind in _DATED for row in rows)
    if undated and not (long or repository.source.traits.free):
        of = "1 age is only in its config" if undated == 1 else f"{undated:,} ages are only in their configs"
        call.printer.note(f"{of}: ls -l shows {'it' if undated == 1 else 'them'}")
    seen = {row.digest for row in rows}
    orphans = sum(len(found) for digest, found in listing.attached.items() if digest not in seen)
    if orphans:
        call.printer.note(f"{orphans} signature tags of manifests that have no tag are not shown")

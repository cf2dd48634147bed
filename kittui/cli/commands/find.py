"""`kittui find`: which ModelKits and tags hold a file, a layer or content."""

from __future__ import annotations

from typing import Any

import click

from kittui.cli import run
from kittui.cli.inspecting import inspector_of
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.oci.protocols import Incomplete
from kittui.oci.reference import Place as SourcePlace
from kittui.oci.traffic import Traffic, metered
from kittui.terminal import size_text
from kittui.usecases.find import Finder, Match, Place, Problem, Progress, Query


@run.command("find")
@click.argument("wanted", metavar="FILE|DIGEST|DIFFID")
@click.argument("sources", metavar="[SOURCE...]", nargs=-1)
async def command(call: Call, wanted: str, sources: tuple[str, ...]) -> int:
    """Find the ModelKits and tags that hold a file, a layer, a config or content with a diffId.

    Digests and diffIds are answered from manifests and configs alone. FILE is a name, the end of a path or a pattern
    like '*.pkl'; it needs the file lists of layers, which are read once and remembered. A SOURCE is local://, HOST,
    oci:DIR, a repository or one ModelKit; without any: the local store and all configured places. The exit status is
    1 where nothing was found, and 4 where a registry did not list all it has.
    """
    query = Query.parse(wanted)
    with metered() as traffic:
        places = await _places(call, sources)

        def progress(now: Progress) -> None:
            call.printer.status(f"{now.at}: {now.repositories} repositories, {now.modelkits} ModelKits looked through")

        finder = Finder(call.composition.modelkits, inspector_of(call), progress)
        matches: list[Match] = []
        problems: list[Problem] = []
        async for found in finder.search(query, places):
            if isinstance(found, Match):
                matches.append(found)
            else:
                problems.append(found)
    call.printer.result(
        _document(wanted, query, matches, problems, finder.progress, traffic), lambda: _print(call, query, matches)
    )
    for problem in problems:
        call.printer.warning(f"{problem.reference}: {problem.error.message}")
    if not matches:
        looked = f"{finder.progress.modelkits} ModelKits in {finder.progress.repositories} repositories"
        call.printer.note(f"nothing holds {wanted} among {looked}")
        return max([1, *(problem.error.exit_status for problem in problems)])
    return max((problem.error.exit_status for problem in problems if isinstance(problem.error, Incomplete)), default=0)


async def _places(call: Call, sources: tuple[str, ...]) -> list[Place]:
    composition = call.composition
    if not sources:
        return [_whole(call, place) for place in composition.configured()]
    found = []
    for text in sources:
        parsed = composition.places.parse_source(text)
        if isinstance(parsed, SourcePlace):
            found.append(_whole(call, parsed))
        else:
            located = await composition.places.locate(text, default=None)
            repository = located.repository
            found.append(Place(repository.source, repository.name, located.target))
    return found


def _whole(call: Call, place: SourcePlace) -> Place:
    composition = call.composition
    named = composition.config.registry(place.host).repositories if place.kind == "remote" else ()
    return Place(composition.places.source(place), repositories=tuple(named))


def _document(
    wanted: str, query: Query, matches: list[Match], problems: list[Problem], progress: Progress, traffic: Traffic
) -> dict[str, Any]:
    return {
        "query": wanted,
        "kind": "file" if query.digest is None else "digest",
        "matches": [_match(match) for match in matches],
        "searched": {
            "sources": progress.sources,
            "repositories": progress.repositories,
            "modelkits": progress.modelkits,
        },
        "complete": not any(isinstance(problem.error, Incomplete) for problem in problems),
        "problems": [
            {"reference": problem.reference, "code": problem.error.code, "message": problem.error.message}
            for problem in problems
        ],
        "traffic": {"requests": traffic.requests, "bytes": traffic.bytes},
    }


def _match(match: Match) -> dict[str, Any]:
    layer, entry = match.layer, match.entry
    return {
        "reference": match.reference,
        "source": str(match.repository.source.place),
        "repository": match.repository.name,
        "tag": match.tag,
        "digest": match.digest,
        "matched": match.what,
        "layer": None
        if layer is None
        else {
            "type": layer.type,
            "path": layer.path,
            "name": layer.name,
            "digest": layer.digest,
            "diff_id": layer.diff_id,
            "size": layer.size,
        },
        "file": None if entry is None else {"path": entry.path, "size": entry.size, "mode": entry.mode},
        "verified": match.verified,
    }


def _print(call: Call, query: Query, matches: list[Match]) -> None:
    if not matches:
        return
    rows: list[list[Styled]] = []
    for match in matches:
        layer, entry = match.layer, match.entry
        where = f"{layer.type} {layer.path or layer.digest.short}" if layer is not None else ""
        row: list[Styled] = [match.reference, match.digest.short, match.what.replace("_", ""), where]
        if query.digest is None:
            row += [entry.path if entry else "", size_text(entry.size) if entry else ""]
        rows.append(row)
    header = ["MODELKIT", "DIGEST", "AS", "LAYER", *(("FILE", "SIZE") if query.digest is None else ())]
    call.printer.table(header, rows, right=(5,) if query.digest is None else ())

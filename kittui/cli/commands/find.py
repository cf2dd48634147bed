"""`kittui find`: which ModelKits and tags hold a file, a layer or content."""

from __future__ import annotations

from typing import Any

import click

from kittui.cli import run
from kittui.cli.inspecting import inspector_of
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.cli.sources import places_to_search
from kittui.oci.protocols import Incomplete
from kittui.oci.traffic import Traffic, metered
from kittui.terminal import counted, size_text
from kittui.usecases.find import Finder, Match, Problem, Progress, Query


@run.command("find")
@click.argument("wanted", metavar="FILE|DIGEST|DIFFID|PATH=VALUE")
@click.argument("sources", metavar="[SOURCE...]", nargs=-1)
async def command(call: Call, wanted: str, sources: tuple[str, ...]) -> int:
    """Find the ModelKits and tags that hold a file, a layer, a config or content with a diffId.

    Digests and diffIds need only manifests and configs. FILE is a name, the end of a path or a pattern
    like '*.pkl'; it needs the file lists of layers, which are read once and cached. PATH=VALUE is a value of the
    Kitfile: the end of its path, then a text or pattern, or nothing for any value. If no Kitfile has it, it is read as
    a FILE. A SOURCE is local://, HOST,
    oci:DIR, a repository or one ModelKit; without any: the local store and all configured sources. The exit status is
    1 if nothing was found, and 4 if a registry's list was incomplete.
    """
    query = Query.parse(wanted)
    with metered() as traffic:
        places = await places_to_search(call.composition, sources)

        def progress(now: Progress) -> None:
            call.printer.status(f"{now.at}: {_looked(now)} searched")

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
        looked = _looked(finder.progress)
        call.printer.note(f"{wanted} was not found in {looked}")
        return max([1, *(problem.error.exit_status for problem in problems)])
    return max((problem.error.exit_status for problem in problems if isinstance(problem.error, Incomplete)), default=0)


def _looked(progress: Progress) -> str:
    return f"{counted(progress.modelkits, 'ModelKit')} in {counted(progress.repositories, 'repository')}"


def _document(
    wanted: str, query: Query, matches: list[Match], problems: list[Problem], progress: Progress, traffic: Traffic
) -> dict[str, Any]:
    return {
        "query": wanted,
        "kind": _kind(query),
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


def _kind(query: Query) -> str:
    return "digest" if query.digest is not None else "value" if query.value is not None else "file"


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
        "value": None if match.value is None else {"path": match.value[0], "value": match.value[1]},
        "verified": match.verified,
    }


def _print(call: Call, query: Query, matches: list[Match]) -> None:
    if not matches:
        return
    rows: list[list[Styled]] = []
    for match in matches:
        layer, entry = match.layer, match.entry
        where = f"{layer.type} {layer.path or layer.digest.short}" if layer is not None else ""
        row: list[Styled] = [match.reference, match.digest.short]
        if match.value is not None:
            row += match.value
        else:
            row += [match.what.replace("_", ""), where]
        if _kind(query) == "file":
            row += [entry.path if entry else "", size_text(entry.size) if entry else ""]
        rows.append(row)
    headers = {
        "file": ("MODELKIT", "DIGEST", "AS", "LAYER", "FILE", "SIZE"),
        "digest": ("MODELKIT", "DIGEST", "AS", "LAYER"),
        "value": ("MODELKIT", "DIGEST", "PATH", "VALUE"),
    }
    call.printer.table(headers[_kind(query)], rows, right=(5,) if _kind(query) == "file" else ())

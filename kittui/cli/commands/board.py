"""`kittui board`: which ModelKit is at which stage, in many repositories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.cli.sources import repositories_of
from kittui.oci.protocols import Incomplete
from kittui.usecases.trust.board import BoardRow, Cell
from kittui.usecases.trust.words import signed_text, status_text


@run.command("board")
@click.argument("sources", metavar="[SOURCE...]", nargs=-1)
@click.option("--stage", "stages", multiple=True, metavar="TAG", help="Show only these stages.")
async def command(call: Call, sources: tuple[str, ...], stages: tuple[str, ...]) -> int:
    """Show the stages of repositories: version, who moved it there and when, signatures, gates and differences.

    A SOURCE is HOST, HOST/TEAM/ for a namespace, a repository, or a set from `boards` in config.yaml; without
    any: the favourites, else all configured sources. The exit status is 4 if a registry's list was incomplete.
    """
    composition = call.composition
    found, problems = await repositories_of(call.composition, sources)
    board = composition.board(stages)
    rows: dict[str, BoardRow] = {}
    done = 0
    async for row in board.rows(found):
        rows[row.repository.reference()] = row
        done += row.complete
        call.printer.status(f"{done} of {len(found)} repositories")
    shown = [row for name, row in sorted(rows.items()) if row.cells or row.problem]
    document: dict[str, Any] = {
        "stages": list(board.stages),
        "rows": [row.to_json() for row in shown],
        "complete": not problems and not any(row.problem for row in shown),
    }
    call.printer.result(document, lambda: _print(call, shown))
    for problem in problems:
        call.printer.warning(f"{problem.reference}: {problem.message}")
    if any(not isinstance(problem, Incomplete) for problem in problems) and not shown:
        raise problems[0]
    unlisted = [Incomplete.exit_status] if any(not row.listed for row in shown) else []
    return max([*unlisted, *(problem.exit_status for problem in problems)], default=0)


def _print(call: Call, rows: Sequence[BoardRow]) -> None:
    if not rows:
        call.printer.note("no repository here has a stage")
        return
    table = [cells for row in rows for cells in _lines(row)]
    call.printer.table(("REPOSITORY", "STAGE", "VERSION", "DIGEST", "MOVED", "SIGNED", "DIFFERS", "WAITS FOR"), table)


def _lines(row: BoardRow) -> list[Sequence[Styled]]:
    name: Styled = (row.name, "bold")
    if row.unread:
        return [(name, ("cannot be read", "bold red"), "", "", "", "", "", row.problem)]
    lines: list[Sequence[Styled]] = [(name, *_cells(cell)) for cell in row.cells.values()]
    return [*lines, (name, ("not all listed", "yellow"), "", "", "", "", "", row.problem)] if row.problem else lines


def _cells(cell: Cell) -> Sequence[Styled]:
    if cell.digest is None:
        return ((cell.tag, "yellow"), "", "", "", "", "", cell.problem)
    moved = f"{cell.moved_at[:10]} {cell.moved_by}".strip()
    moved += f" ({status_text(cell.proof)})" if moved and cell.proof != "verified" else ""
    signed = signed_text(cell.word, cell.signers)
    return (cell.tag, cell.version, (cell.digest.short, "dim"), moved, signed, cell.differs, (cell.waits, "yellow"))

"""What is in view of the board, drawn: names and cards cut so that different ones never look alike. No widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from kittui.terminal import clean
from kittui.tui.board.cards import Heading, card
from kittui.tui.board.columns import GAP, Columns, Need
from kittui.tui.style.theme import Roles
from kittui.tui.widgets.cutting import Spans, apart, fit

if TYPE_CHECKING:
    from kittui.usecases.trust.board import BoardRow


Piece = tuple[Spans, str, int]
"""Spans, the ground they are on, and the cells that they fill."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows by number: the name with what is below it, the lines of the cards by stage, or why nothing could be read."""

    names: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    cards: Mapping[tuple[int, str], Sequence[Spans]] = field(default_factory=dict)
    problems: Mapping[int, str] = field(default_factory=dict)
    compact: bool = False

    def line(self, number: int, line: int, columns: Columns, at: str, ground: str, *, here: bool) -> list[Piece]:
        """A line of a row; the card `at` a stage is on the ground of the cursor, and the name `here` stands out."""
        roles = ("text+bold" if here else "text", "faint")
        problem = self.problems.get(number)
        named = line < (1 if problem is not None else len(roles))
        name: Spans = ((self.names[number][line], roles[line]),) if named else ()
        pieces: list[Piece] = [(name, "base", columns.names)]
        if problem is not None:
            said = ((f"✗ {problem}", "bad"),) if line == (0 if self.compact else 1) else ()
            return [*pieces, (said, "base", sum(width + GAP for _, width in columns.stages))]
        for stage, width in columns.stages:
            lines = self.cards.get((number, stage), ())
            pieces.append((lines[line] if line < len(lines) else (), ground if stage == at else "base", width))
        return pieces


def heading(row: Heading, width: int) -> list[Piece]:
    """The line of a namespace."""
    return [(((f"▾ {clean(row.name or 'here', limit=200)}  {row.count}", "accent"),), "base", width)]


def titles(columns: Columns, stages: Sequence[str], current: str) -> list[Piece]:
    """The stages in view, and how many there are beside them."""
    right = len(stages) - columns.first - len(columns.stages)
    more = [f"← {columns.first}" if columns.first else "", f"{right} more →" if right else ""]
    pieces: list[Piece] = [(((" ".join(filter(None, more)), "warn"),), "base", columns.names)]
    for stage, width in columns.stages:
        pieces.append((((clean(stage, limit=60), "accent+bold" if stage == current else "muted"),), "base", width))
    return pieces


def strip(pieces: Sequence[Piece], width: int, roles: Roles) -> Strip:
    """One line of the screen."""
    found: list[Segment] = [Segment(" ", roles.style("text"))]
    for spans, ground, room in pieces:
        found += (Segment(text, roles.style(role, ground)) for text, role in fit(spans, room, "left") if text)
        found.append(Segment(" " * GAP, roles.style("text")))
    return Strip(found).adjust_cell_length(width, roles.style("text"))


def label(row: BoardRow, *, host: bool) -> str:
    """A repository's name, with its host where that is not said elsewhere; what keeps an older state is marked."""
    mark = "✗ " if row.problem and row.cells else ""
    name = f"{host_of(row)}/{row.repository.name}" if host else row.repository.name
    return mark + clean(name, limit=300)


def host_of(row: BoardRow) -> str:
    """The host, or the source."""
    return clean(str(row.repository.source.place).removeprefix("remote://"), limit=80)


def needs_of(row: BoardRow, now: datetime, *, compact: bool) -> dict[str, Need]:
    """What each card of a row needs to be shown whole."""
    found: dict[str, Need] = {}
    for stage, cell in row.cells.items():
        first, *more = (line.width for line in card(cell, now))
        found[stage] = Need(first, first if compact else max(first, *more))
    return found


def draw(rows: Mapping[int, BoardRow], columns: Columns, now: datetime, *, compact: bool, hosts: bool) -> Drawn:
    """Draw rows by their numbers; `hosts` says that their names alone don't tell them apart."""
    texts = apart([(label(row, host=hosts), columns.names) for row in rows.values()])
    below = apart([(host_of(row), columns.names) for row in rows.values()])
    names = dict(zip(rows, zip(texts, below, strict=True), strict=True))
    widths = dict(columns.stages)
    found = [
        ((number, stage), card(cell, now)[: 1 if compact else None], widths[stage])
        for number, row in rows.items()
        for stage, cell in row.cells.items()
        if stage in widths
    ]
    cards: dict[tuple[int, str], list[Spans]] = {key: [] for key, _, _ in found}
    for place in range(1 if compact else 3):
        cut = apart([(lines[place].text[0], lines[place].room(width)) for _, lines, width in found])
        for (key, lines, width), text in zip(found, cut, strict=True):
            cards[key].append(lines[place].drawn(text, width))
    problems = {number: clean(row.problem, limit=300) for number, row in rows.items() if row.problem and not row.cells}
    return Drawn(names, cards, problems, compact)

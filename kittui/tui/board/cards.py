"""The board as values: rows in an order, grouped and filtered, and what a card says. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from rich.cells import cell_len

from kittui.terminal import age_text, clean
from kittui.tui.panes.queries import parse
from kittui.tui.widgets.bars import shorten
from kittui.tui.widgets.cutting import Span, Spans
from kittui.usecases.trust.words import signed_text, status_text

if TYPE_CHECKING:
    from kittui.usecases.change.policy import Verdict
    from kittui.usecases.trust.board import BoardRow, Cell

Order = Literal["waiting", "name", "moved"]
ORDERS: Final[tuple[Order, ...]] = ("name", "waiting", "moved")
SIGNED: Final = {
    "valid": ("✓", "good"),
    "INVALID": ("✗", "bad"),
    "unknown key": ("?", "warn"),
    "not verified": ("?", "warn"),
    "unsigned": ("∅", "muted"),
    "": ("·", "faint"),
}
"""The word for signatures as a mark and its role; the details say the word."""
STATES: Final = {"pass": ("✓", "good"), "fail": ("✗", "bad"), "unknown": ("?", "warn")}
MARKS: Final = (
    ("✓", "good", "signed by a key you trust; a gate that passes"),
    ("✗", "bad", "an invalid signature; a gate that does not pass; what could not be read"),
    ("?", "warn", "an unknown key, or not verified; a gate that can't tell; who moved it is not proven"),
    ("∅", "muted", "unsigned"),
    ("·", "faint", "signatures not checked"),
    ("▲", "warn", "the next move waits for this gate"),
)
"""What the marks of a card say: first its signatures, then one for each gate in the order of the details below."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The namespace above the rows that share it."""

    name: str
    count: int


def namespace(row: BoardRow) -> str:
    """HOST and the namespace, or the source."""
    return row.name.rpartition("/")[0]


def waits(row: BoardRow) -> bool:
    """Whether a move in it waits for a gate."""
    return any(cell.waits for cell in row.cells.values())


def arranged(rows: Iterable[BoardRow], order: Order, needle: str, *, grouped: bool) -> list[BoardRow | Heading]:
    """The rows that have a stage or a problem and hold the text, in an order; grouped by what they share."""
    query = parse(needle)
    found = [row for row in rows if (row.cells or row.problem) and query.matches(_text(row))]
    found.sort(key=lambda row: row.name)
    if order == "waiting":
        found.sort(key=lambda row: not waits(row))
    elif order == "moved":
        found.sort(key=lambda row: max((cell.moved_at for cell in row.cells.values()), default=""), reverse=True)
    if not grouped:
        return list(found)
    groups: dict[str, list[BoardRow]] = {}
    for row in found:
        groups.setdefault(namespace(row), []).append(row)
    result: list[BoardRow | Heading] = []
    for name, members in groups.items():
        result += [Heading(name, len(members)), *members]
    return result


def _text(row: BoardRow) -> str:
    """What a filter looks in: names, versions, stages, who moved, and what waits."""
    parts = [row.name, row.problem]
    for cell in row.cells.values():
        parts += [cell.tag, cell.name, cell.version, cell.moved_by, cell.waits, signed_text(cell.word, cell.signers)]
    return "\n".join(parts)


def stages_of(rows: Iterable[BoardRow], stages: Sequence[str]) -> list[str]:
    """The stages that any repository has, in their order: the columns."""
    present = {tag for row in rows for tag in row.cells}
    return [stage for stage in stages if stage in present]


def card(cell: Cell | None, now: datetime, width: int) -> list[Spans]:
    """A card's lines: version, marks and age; signed, moved by whom and when; what it waits for, or differs in."""
    if cell is None:
        return [(), (), ()]
    if cell.problem:
        return [(("✗ unreadable", "bad"),), ((clean(cell.problem, limit=200), "muted"),), ()]
    if cell.digest is None:
        return [((f"{clean(cell.tag, limit=40)} …", "faint"),), (), ()]
    age = age_text(cell.created, now)
    # What is cut is the name, then the marks, and never the age.
    room = width - (1 + len(age) if age else 0)
    marks = [(" ", "text"), SIGNED[cell.word or ""], *gate_marks(cell.gates)]
    if len(marks) >= room:
        marks = [*marks[: max(0, room - 2)], ("…", "muted")]
    name = shorten(clean(cell.version or cell.digest.short, limit=60), max(1, room - len(marks)))
    used = cell_len(name) + len(marks)
    first = [(name, "text+bold"), *marks, *([(f"{age:>{max(1, width - used)}}", "muted")] if age else [])]
    second: list[Span] = [(clean(signed_text(cell.word), limit=20), SIGNED[cell.word or ""][1])]
    moved = " ".join(filter(None, (clean(cell.moved_by, limit=60), age_text(cell.moved_at, now))))
    if moved:
        proven = cell.proof == "verified"
        second += [(" · ", "faint"), (moved, "key" if proven else "muted"), ("" if proven else " ?", "warn")]
    if cell.waits:
        third: Spans = (("▲ ", "warn"), (clean(cell.waits.removeprefix("gate "), limit=200), "warn"))
    else:
        # The version is on the card.
        more = cell.differs.partition(", ")[2] if cell.differs.startswith("version ") else cell.differs
        third = ((clean(more or cell.differs, limit=200), "muted"),)
    return [first, second, third]


def gate_marks(gates: Sequence[Verdict]) -> list[Span]:
    """One mark for each gate; nothing where none is asked."""
    return [(" ", "text"), *(STATES[one.state] for one in gates)] if gates else []


def about(row: BoardRow, cell: Cell | None, stage: str, now: datetime) -> list[Spans]:
    """Everything that is known of the card under the cursor, a fact a line."""
    reference = row.repository.reference(cell.tag if cell is not None else None)
    lines: list[Spans] = [((clean(reference), "text+bold"),)]
    if row.problem:
        lines.append(((f"✗ {clean(row.problem)}", "bad"),))
    if row.unread:
        return lines
    if cell is None:
        return [*lines, ((f"It has no {clean(stage)}." if stage else "It has no stage.", "muted"),)]
    if cell.problem:
        return [*lines, ((f"✗ {clean(cell.problem)}", "bad"),)]
    if cell.digest is None:
        return [*lines, (("Reading …", "faint"),)]
    name = " ".join(filter(None, (clean(cell.name), clean(cell.version))))
    age = age_text(cell.created, now)
    lines[0] = (*lines[0], (f"  {name}  {cell.digest.short}", "text"), (f"  {age} old" if age else "", "muted"))
    signed = clean(signed_text(cell.word, cell.signers))
    facts: list[Span] = [("signed  ", "muted"), (signed, SIGNED[cell.word or ""][1])]
    if cell.moved_at:
        said = "" if cell.proof == "verified" else f" ({clean(status_text(cell.proof))})"
        facts += [("   moved  ", "muted"), (f"{clean(cell.moved_at)} by {clean(cell.moved_by)}{said}", "text")]
    else:
        facts += [("   moved  ", "muted"), ("no record says by whom", "faint")]
    lines.append(facts)
    if cell.differs:
        lines.append((("differs from the champion  ", "muted"), (clean(cell.differs), "text")))
    # What stops the move comes first: a small terminal has room for few.
    for one in sorted(cell.gates, key=lambda gate: gate.state == "pass"):
        mark, role = STATES[one.state]
        remedy = f"; {one.remedy}" if one.remedy and one.state != "pass" else ""
        lines.append(
            (
                (f"{mark} ", role),
                (f"{clean(one.rule.removeprefix('gate '))}  ", "text"),
                (clean(one.reason + remedy), "muted"),
            )
        )
    return lines

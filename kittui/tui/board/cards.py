"""The board's data: sorted, grouped and filtered rows, and the text of cards. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from rich.cells import cell_len

from kittui.terminal import age_text, clean
from kittui.tui.panes.queries import parse
from kittui.tui.widgets.cutting import Span, Spans
from kittui.usecases.trust.words import signed_text, status_text

if TYPE_CHECKING:
    from kittui.tui.frame.keymap import KeyNames
    from kittui.usecases.change.policy import Verdict
    from kittui.usecases.change.unfinished import HalfDone
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
"""The mark and role for each verdict on signatures; the details show the word."""
STATES: Final = {"pass": ("✓", "good"), "fail": ("✗", "bad"), "unknown": ("?", "warn")}
FINISHING: Final = frozenset({"promote", "rollback", "undo", "redo"})
"""Changes that were cut short and that the key of the same name finishes."""
MARKS: Final = (
    ("✓", "good", "signed by a key you trust; a gate that passes"),
    ("✗", "bad", "an invalid signature; a gate that fails; something unreadable"),
    ("?", "warn", "an unknown key, or not verified; an undecided gate; an unproven move"),
    ("∅", "muted", "unsigned"),
    ("·", "faint", "signatures not checked"),
    ("▲", "warn", "the gate that the next move waits for; a change that is half done"),
)
"""The meaning of a card's marks: signatures first, then one per gate in the order of the details."""


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
    """The rows with a stage or a problem that contain the filter text, sorted and grouped."""
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
    """The text that a filter searches: names, versions, stages, people, and what is waited for."""
    parts = [row.name, row.problem]
    for cell in row.cells.values():
        parts += [cell.tag, cell.name, cell.version, cell.moved_by, cell.waits, signed_text(cell.word, cell.signers)]
    return "\n".join(parts)


def stages_of(rows: Iterable[BoardRow], stages: Sequence[str]) -> list[str]:
    """The stages that any repository has, in order: the columns."""
    present = {tag for row in rows for tag in row.cells}
    return [stage for stage in stages if stage in present]


@dataclass(frozen=True, slots=True)
class CardLine:
    """A line of a card: where room is short its text is cut, then what is `after` it; `end` stays at the right end."""

    text: Span = ("", "text")
    before: Spans = ()
    after: Spans = ()
    end: Span = ("", "muted")

    @property
    def width(self) -> int:
        """The cells in which it is whole."""
        return cell_len(self.text[0]) + _cells(self.before) + _cells(self.after) + self._end

    @property
    def _end(self) -> int:
        return cell_len(self.end[0]) + 1 if self.end[0] else 0

    def _fitted(self, width: int) -> tuple[int, Spans]:
        """The cells for the text, and what is shown after it."""
        room = width - _cells(self.before) - self._end
        after = self.after
        # Marks, of one cell each.
        if len(after) == _cells(after) >= room:
            after = (*after[: max(0, room - 2)], ("…", "muted"))
        return max(1, room - _cells(after)), after

    def room(self, width: int) -> int:
        """The cells for the text in a line of so many."""
        return self._fitted(width)[0]

    def drawn(self, text: str, width: int) -> Spans:
        """The line with its text as it was cut."""
        shown: list[Span] = [*self.before, (text, self.text[1]), *self._fitted(width)[1]]
        if self.end[0]:
            shown.append((f"{self.end[0]:>{max(1, width - _cells(shown))}}", self.end[1]))
        return shown


def _cells(spans: Spans) -> int:
    return sum(cell_len(text) for text, _ in spans)


def card(cell: Cell | None, now: datetime) -> tuple[CardLine, CardLine, CardLine]:
    """A card's lines: version, marks and age; signatures, last move; what it waits for, or how it differs."""
    if cell is None:
        return CardLine(), CardLine(), CardLine()
    if cell.problem:
        return CardLine(("✗ unreadable", "bad")), CardLine((clean(cell.problem, limit=200), "muted")), CardLine()
    if cell.digest is None:
        return CardLine((f"{clean(cell.tag, limit=40)} …", "faint")), CardLine(), CardLine()
    mark, role = SIGNED[cell.word or ""]
    marks = ((" ", "text"), (mark, role), *gate_marks(cell.gates))
    version = clean(cell.version or cell.digest.short, limit=60)
    first = CardLine((version, "text+bold"), after=marks, end=(age_text(cell.created, now), "muted"))
    signed = (clean(signed_text(cell.word), limit=20), role)
    if cell.moved_by or cell.moved_at:
        moved_role = "key" if cell.proof == "verified" else "muted"
        age = age_text(cell.moved_at, now)
        proof = (f" {age}" if age else "", moved_role), ("" if cell.proof == "verified" else " ?", "warn")
        who = (clean(cell.moved_by, limit=60), moved_role)
        second = CardLine(who, (signed, (" · ", "faint")), tuple(each for each in proof if each[0]))
    else:
        second = CardLine(signed)
    if cell.waits:
        return first, second, CardLine((clean(cell.waits.removeprefix("gate "), limit=200), "warn"), (("▲ ", "warn"),))
    # The version is on the card.
    more = cell.differs.partition(", ")[2] if cell.differs.startswith("version ") else cell.differs
    return first, second, CardLine((clean(more or cell.differs, limit=200), "muted"))


def gate_marks(gates: Sequence[Verdict]) -> list[Span]:
    """One mark per gate; empty without gates."""
    return [(" ", "text"), *(STATES[one.state] for one in gates)] if gates else []


def half_text(half: HalfDone, keys: KeyNames, now: datetime) -> str:
    """Which tags of a change moved and which did not, and the key that finishes it."""
    key = keys[f"board.{half.action}"] if half.action in FINISHING else "The same again"
    moved, left = (clean(", ".join(tags), limit=60) for tags in (half.moved, half.left))
    ago = age_text(half.time, now)
    return f"{clean(half.action)} half done{f' {ago} ago' if ago else ''}: {moved} moved, {left} not; {key} finishes it"


def about(row: BoardRow, cell: Cell | None, stage: str, now: datetime, half: str = "") -> list[Spans]:
    """Everything that is known of the card under the cursor, one fact per line; `half` says what was cut short."""
    reference = row.repository.reference(cell.tag if cell is not None else None)
    lines: list[Spans] = [((clean(reference), "text+bold"),)]
    if half:
        lines.append(((f"▲ {half}", "warn"),))
    if row.problem:
        lines.append(((f"✗ {clean(row.problem)}", "bad"),))
    if row.unread:
        return lines
    if cell is None and not row.complete:
        return [*lines, (("Reading …", "faint"),)]
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
        facts += [("   moved  ", "muted"), ("no record of who moved it", "faint")]
    lines.append(facts)
    if cell.differs:
        lines.append((("differs from the champion  ", "muted"), (clean(cell.differs), "text")))
    # What stops the move comes first, because a small terminal shows only a few.
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

"""The tree of changes as rows: built once for each state and filter; folding cuts rows out and puts them back."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kittui.compare.changes import MARKS, LayerChange, Status, ValueChange
from kittui.compare.comparison import Comparison
from kittui.compare.outline import Entry, outline
from kittui.compare.words import fraction_words, percent_words
from kittui.terminal import clean
from kittui.tui.style.sizes import bar_text
from kittui.tui.widgets.cutting import Spans

PROBLEM: Final = "!"
"""The mark of what could not be compared."""
BAR: Final = 8
"""Cells of a bar."""
_TEXT = 300


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are shown: those of some statuses, with what is above them. `mark` is also the key that chooses it."""

    name: str
    mark: str
    statuses: frozenset[Status] | None


FILTERS: Final = (
    Filter("changes", "", frozenset({"added", "removed", "changed", "moved", "repacked", "not_compared"})),
    Filter("changed", "~", frozenset({"changed"})),
    Filter("added", "+", frozenset({"added"})),
    Filter("removed", "-", frozenset({"removed"})),
    Filter("moved", ">", frozenset({"moved", "repacked"})),
    Filter("not read", "?", frozenset({"not_compared"})),
    Filter("everything", "", None),
)
ROLES: Final[Mapping[Status, str]] = {
    "same": "muted",
    "added": "good",
    "removed": "bad",
    "changed": "warn",
    "moved": "accent",
    "repacked": "accent",
    "not_compared": "special",
}


@dataclass(slots=True, eq=False)
class Row:
    """A row of the tree. `change` says that this row has something to see, `below` that rows further down do."""

    entry: Entry
    depth: int
    title: str
    change: bool = False
    below: bool = False
    folded: bool = False

    @property
    def is_change(self) -> bool:
        """Whether `n` stops here: a change without a more specific one in view below it."""
        return self.change and (self.folded or self.is_least)

    @property
    def is_least(self) -> bool:
        """Whether it is a change without a more specific one below it, in view or folded."""
        return self.change and (not self.below or self.entry.text is not None)


class ChangeTree:
    """The visible rows of a comparison, and where the changes among them are."""

    def __init__(self, comparison: Comparison | None = None) -> None:
        self._entries = outline(comparison) if comparison is not None else ()
        self._folded: dict[Row, list[Row]] = {}
        self._changes: list[int] | None = None
        self.rows: list[Row] = []
        self.counts: Counter[Filter] = Counter()
        """How many changes each filter would show."""
        counted: list[Row] = []
        _build(self._entries, 0, None, counted)
        for row in counted:
            if row.is_least:
                for each in FILTERS[:-1]:
                    self.counts[each] += row.entry.status in (each.statuses or ())
        self.problems = sum(row.entry.part == "problem" for row in counted)

    def load(self, shown: Filter, folded: Iterable[str] = ()) -> None:
        """Build the rows that a filter shows, those of the given keys folded."""
        self.rows, self._folded = [], {}
        _build(self._entries, 0, shown.statuses, self.rows)
        wanted = set(folded)
        if wanted:
            for number in range(len(self.rows) - 1, -1, -1):
                if self.rows[number].entry.key in wanted:
                    self._fold(number)
        self._changes = None

    @property
    def folded_keys(self) -> set[str]:
        """The keys of the rows that are folded now."""
        return {row.entry.key for row in self._folded}

    def fold(self, number: int) -> None:
        """Fold a row, or unfold it. No row is built for it."""
        row = self.rows[number]
        if row.folded:
            row.folded = False
            self.rows[number + 1 : number + 1] = self._folded.pop(row)
        else:
            self._fold(number)
        self._changes = None

    def end(self, number: int) -> int:
        """The number of the row after those in view below a row."""
        end = number + 1
        while end < len(self.rows) and self.rows[end].depth > self.rows[number].depth:
            end += 1
        return end

    def below(self, number: int) -> Iterator[Row]:
        """Every row below one that the filter lets through, folded ones too."""
        row = self.rows[number]
        return self._all(self._folded[row] if row.folded else self.rows[number + 1 : self.end(number)])

    def _all(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield row
            if row.folded:
                yield from self._all(self._folded[row])

    def whole(self, seen: Collection[str]) -> set[str]:
        """The keys of rows below which all changes were seen."""
        found: set[str] = set()
        above: list[tuple[Row, list[bool]]] = []
        for row in [*self._all(self.rows), None]:
            while above and (row is None or above[-1][0].depth >= row.depth):
                closed, unseen = above.pop()
                if unseen and above:
                    above[-1][1].append(True)
                if closed.below and not closed.is_least and not unseen:
                    found.add(closed.entry.key)
            if row is not None:
                above.append((row, [True] if row.is_least and row.entry.key not in seen else []))
        return found

    def _fold(self, number: int) -> None:
        row, end = self.rows[number], self.end(number)
        if end > number + 1:
            row.folded = True
            self._folded[row] = self.rows[number + 1 : end]
            del self.rows[number + 1 : end]

    @property
    def changes(self) -> Sequence[int]:
        """The numbers of the rows where `n` stops."""
        if self._changes is None:
            self._changes = [number for number, row in enumerate(self.rows) if row.is_change]
        return self._changes

    @property
    def folded_changes(self) -> Iterator[Row]:
        """The rows in view that hide changes, until there are none."""
        while (row := next((row for row in self.rows if row.folded and row.below), None)) is not None:
            yield row

    @property
    def entries(self) -> Iterator[Entry]:
        """Everything that was compared, whatever is folded or filtered, in row order."""
        waiting = list(reversed(self._entries))
        while waiting:
            entry = waiting.pop()
            yield entry
            waiting += reversed(entry.children)

    def place(self, number: int) -> int:
        """The number of the row's change, from 1; 0 if it is not a change."""
        at = bisect_left(self.changes, number)
        return at + 1 if at < len(self.changes) and self.changes[at] == number else 0


def neighbour(numbers: Sequence[int], number: int, step: int) -> int | None:
    """The next (`step` 1) or previous (-1) of some ordered numbers, around the ends; None where there are none."""
    if not numbers:
        return None
    at = bisect_right(numbers, number) if step > 0 else bisect_left(numbers, number) - 1
    return numbers[at % len(numbers)]


def _build(entries: Sequence[Entry], depth: int, only: frozenset[Status] | None, rows: list[Row]) -> bool:
    """Append the rows of some entries and of what is below them; whether there is a change among them."""
    found = False
    for entry in entries:
        place = len(rows)
        row = Row(entry, depth, _title(entry))
        rows.append(row)
        row.below = bool(entry.children) and _build(entry.children, depth + 1, only, rows)
        # Modules sum up tensors, which are the changes: n stops at these.
        row.change = entry.part == "problem" or (entry.part != "module" and entry.status not in (None, "same"))
        empty = len(rows) == place + 1
        if empty and entry.part != "problem" and (entry.part == "heading" or _hidden(entry, only)):
            del rows[place]
            continue
        found = found or row.change or row.below
    return found


def _hidden(entry: Entry, only: frozenset[Status] | None) -> bool:
    return only is not None and entry.status not in only


def _title(entry: Entry) -> str:
    """The row's name; a layer that is one file is named by its type alone, for the file's row names the path."""
    subject = entry.subject
    if isinstance(subject, LayerChange) and [child.title for child in entry.children] == [_plain(subject.path)]:
        return subject.type
    return entry.title.removeprefix("metadata ") if entry.part == "metadata" else entry.title


def _plain(path: str) -> str:
    return path.removeprefix("./").rstrip("/")


def cells(row: Row, noted: str = "") -> Sequence[Spans]:
    """A row's cells: mark and name, then details; `noted` is the mark of its note, if any."""
    entry = row.entry
    foldable = bool(entry.children) and entry.part in ("layer", "heading", "file")
    fold = ("▸ " if row.folded else "▾ ") if foldable else "" if not row.depth else "  "
    mark = f"{MARKS[entry.status]} " if entry.status else ""
    role = ROLES[entry.status] if entry.status else "key"
    if entry.part == "problem":
        mark, role = f"{PROBLEM} ", "bad"
    name_role = "text+bold" if not row.depth else role if entry.status == "same" else "text"
    title: Spans = (
        ("  " * row.depth, "text"),
        (fold, "muted"),
        (mark, f"{role}+bold"),
        (noted, "accent+bold"),
        (clean(row.title, limit=_TEXT), name_role),
    )
    detail = clean(_short(entry), limit=_TEXT)
    if not entry.bar:
        return (title, ((detail, "muted" if entry.status == "same" else role),))
    bar = bar_text(round(entry.bar * 1000), 1000, BAR)
    return (title, ((f"{bar:<{BAR}} ", "bar"), (detail, role)))


def title_width(row: Row) -> int:
    """The cells that a row's name would like to have."""
    return min(_TEXT, len(row.title)) + 2 * row.depth + 4


def detail_width(row: Row) -> int:
    """The cells that what is said beside the name would like to have."""
    return min(_TEXT, len(_short(row.entry))) + (BAR + 1 if row.entry.bar else 0)


def _short(entry: Entry) -> str:
    """What fits beside a name; the rest is in the detail pane."""
    subject = entry.subject
    if isinstance(subject, ValueChange) and entry.part in ("value", "annotation", "metadata"):
        return _value(subject) or entry.detail
    if entry.part in ("tensor", "module"):
        figures = getattr(subject, "figures", None)
        if figures is not None and figures.changed:
            return fraction_words(figures)
        if entry.status == "not_compared":
            return "not read"
        nature = getattr(subject, "nature", "")
        return entry.detail if entry.status in ("added", "removed", "moved") or nature in ("reshaped", "recast") else ""
    return entry.detail


def _value(change: ValueChange) -> str:
    """The percentage of a number first, for it must not be what is cut off; a map or list in words."""
    if change.status == "changed" and (percent := percent_words(change)):
        return f"{change.a} → {change.b}  {percent}"
    side = change.b if change.status == "added" else change.a if change.status == "removed" else None
    return _words(side) if isinstance(side, dict | list) else ""


def _words(value: Any) -> str:
    """A map or list without its brackets and quotes."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_words(inner)}" for name, inner in list(value.items())[:20])
    if isinstance(value, list):
        return ", ".join(_words(inner) for inner in value[:20])
    return str(value)

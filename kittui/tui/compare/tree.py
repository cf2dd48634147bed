"""The tree of changes as rows: what is folded, which are shown, how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kittui.compare.changes import MARKS, Status
from kittui.compare.comparison import Comparison
from kittui.compare.outline import Entry, outline
from kittui.terminal import clean
from kittui.tui.widgets.rows import Spans

Filter = tuple[str, frozenset[Status] | None]
FILTERS: tuple[Filter, ...] = (
    ("changes", frozenset({"added", "removed", "changed", "moved", "repacked", "not_compared"})),
    ("only changed", frozenset({"changed"})),
    ("only added", frozenset({"added"})),
    ("only removed", frozenset({"removed"})),
    ("only moved", frozenset({"moved", "repacked"})),
    ("only not compared", frozenset({"not_compared"})),
    ("everything", None),
)
ROLES: dict[Status, str] = {
    "same": "muted",
    "added": "good",
    "removed": "bad",
    "changed": "warn",
    "moved": "accent",
    "repacked": "accent",
    "not_compared": "special",
}
_TEXT = 300


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A visible row."""

    entry: Entry
    depth: int
    folded: bool

    @property
    def is_change(self) -> bool:
        """Whether `n` stops here: a change, and nothing below it that says it better."""
        entry = self.entry
        below = any(child.status not in (None, "same") for child in entry.children)
        return entry.status not in (None, "same") and (self.folded or not below or entry.text is not None)


def rows_of(comparison: Comparison, shown: Filter, folded: set[str]) -> list[Row]:
    """The visible rows of a comparison."""
    return list(_rows(outline(comparison, shown[1]), 0, folded))


def _rows(entries: Sequence[Entry], depth: int, folded: set[str]) -> Iterator[Row]:
    for entry in entries:
        closed = entry.key in folded and bool(entry.children)
        yield Row(entry, depth, closed)
        if not closed:
            yield from _rows(entry.children, depth + 1, folded)


def cells(row: Row) -> Sequence[Spans]:
    """A row's cells: mark and name, then what there is to say."""
    entry = row.entry
    fold = ("▸ " if row.folded else "▾ ") if entry.children and entry.part in ("layer", "heading") else ""
    mark = f"{MARKS[entry.status]} " if entry.status else ""
    role = ROLES[entry.status] if entry.status else "key"
    if entry.part == "problem":
        mark, role = "! ", "bad"
    name_role = "text+bold" if not row.depth else role if entry.status == "same" else "text"
    title: Spans = (
        ("  " * row.depth, "text"),
        (fold, "muted"),
        (mark, f"{role}+bold"),
        (clean(entry.title, limit=_TEXT), name_role),
    )
    detail = clean(_short(entry), limit=_TEXT)
    bar = "█" * max(1, round(entry.bar * 8)) if entry.bar else ""
    return (title, ((detail, "muted" if entry.status == "same" else role), (f" {bar:<8}" if bar else "", "bar")))


def _short(entry: Entry) -> str:
    """What fits beside a name; the rest is in the detail pane."""
    if entry.part in ("tensor", "module"):
        figures = getattr(entry.subject, "figures", None)
        if figures is not None and figures.changed:
            from kittui.compare.words import fraction_words

            return fraction_words(figures)
        if entry.status == "not_compared":
            return "not read"
        nature = getattr(entry.subject, "nature", "")
        return nature if nature and nature != "values" else ""
    return entry.detail

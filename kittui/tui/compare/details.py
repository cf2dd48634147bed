"""Shows the details of a row: hunks, table rows, tensor statistics. Lines are created as they come into view."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from rich.cells import cell_len, set_cell_size

from kittui.compare.changes import (
    MARKS,
    Figures,
    FileChange,
    LayerChange,
    Problem,
    Status,
    TensorChange,
    TextChange,
    ValueChange,
)
from kittui.compare.outline import Entry
from kittui.compare.text import LINE_LIMIT, compare_lines
from kittui.compare.words import change_words, figures_words, fraction_words, percent_words, shape_words, text_words
from kittui.formats.exact_json import indented_json
from kittui.terminal import clean, counted, size_text
from kittui.tui.compare.hunks import beside, unified
from kittui.tui.compare.table_lines import table_lines
from kittui.tui.compare.tree import ROLES as STATUS_ROLES
from kittui.tui.style.sizes import bar_text
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Lines, Page
from kittui.tui.widgets.text_lines import Hanging, Line

MOST: Final = 20_000
"""Maximum lines shown of one row."""
LISTED: Final = 500
"""Rows below a heading or a model file that its own page lists."""
_SHORT = 20
"""Values up to this many lines are shown in full on both sides."""
_COPIED = 160
"""Columns that tables have on the clipboard."""
_NAMES = 12
"""Cells of the names of facts, with the blanks after the longest."""
_BAR = 12
_AHEAD = 3
"""Screens of lines that are created before they are needed."""


class Detail(Lines):
    """A pane whose lines are created as they come into view, with a stop at each hunk."""

    def __init__(self) -> None:
        super().__init__()
        self._coming: Iterator[Line] = iter(())
        self._heads: list[int] = []
        self._head = -1

    def begin(self, lines: Iterable[Line], *, cut: bool = False, keep: bool = False) -> None:
        """Show other lines, from their top; `cut`: long ones are cut off at the edge.

        To `keep` the place, the same is shown in another way: what was at the top stays there, and the hunk.
        """
        top = bisect_right(self._starts, self.scroll_offset.y) - 1
        passed, head = bisect_right(self._heads, top), self._head
        below = top - (self._heads[passed - 1] if passed else 0)
        self._coming = islice(lines, MOST)
        self._heads, self._head = [], -1
        self.show(Page(self._taken(self._ahead, 0), cut=cut), keep=keep)
        if keep:
            self._return_to(passed, below, head)

    def _return_to(self, passed: int, below: int, head: int) -> None:
        """Put the line at the top that is so many `below` the last of the stops that were `passed`."""
        while len(self._heads) < max(passed, head + 1) and self._more(100):
            pass
        start = self._heads[min(passed, len(self._heads)) - 1] if passed and self._heads else 0
        while len(self.page.lines) <= start + below + self._ahead and self._more(100):
            pass
        end = next((each for each in self._heads if each > start), len(self.page.lines))
        line = self._starts[max(start, min(start + below, end - 1))]
        self.scroll_to(y=line, animate=False, force=True, immediate=True)
        if 0 <= head < len(self._heads):
            self._head = head
            self._point(self._heads[head])

    def _taken(self, count: int, first: int) -> list[Line]:
        lines = list(islice(self._coming, count))
        self._heads += [number for number, line in enumerate(lines, first) if isinstance(line, Hanging) and line.stop]
        return lines

    @property
    def _ahead(self) -> int:
        """Lines created below the top of the view: more than any terminal may grow to."""
        return max(100, self.size.height * _AHEAD)

    def find(self, text: str, wanted: int = 0) -> tuple[int, int]:
        """Mark all lines that contain the text."""
        while text and self._more(MOST):
            pass
        return super().find(text, wanted)

    def _more(self, count: int) -> bool:
        """Make more lines; false at the end."""
        before = len(self.page.lines)
        lines = self._taken(max(count, before), before)
        if lines:
            self.extend(lines)
        return bool(lines)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stay ahead of the view."""
        super().watch_scroll_y(old_value, new_value)
        if new_value + self._ahead > self.virtual_size.height:
            self._more(self._ahead)

    def action_edge(self, end: int) -> None:
        """The end is known once all lines are made."""
        while end and self._more(MOST):
            pass
        super().action_edge(end)

    def go_to_hunk(self, step: int) -> bool:
        """Go to the next (1) or previous (-1) hunk of this page; false where there is no more."""
        wanted = self._head + step
        while step > 0 and wanted >= len(self._heads) and self._more(100):
            pass
        if not 0 <= wanted < len(self._heads):
            return False
        self._mark(wanted)
        return True

    def go_to_last_hunk(self) -> None:
        """Go to the last hunk."""
        while self._more(MOST):
            pass
        if self._heads:
            self._mark(len(self._heads) - 1)

    @property
    def hunk(self) -> tuple[int, int]:
        """The current hunk, from 1 (0: none), and the number of known ones."""
        return self._head + 1, len(self._heads)

    def _mark(self, head: int) -> None:
        self._head = head
        self._point(self._heads[head])
        line, top = self._starts[self._heads[head]], self.scroll_offset.y
        if not top <= line <= top + self.size.height // 3:
            self.scroll_to(y=line, animate=False, force=True, immediate=True)


def copied(entry: Entry) -> str:
    """A row's lines as text for the clipboard: old above new, without line numbers."""
    lines = islice(lines_of(entry, _COPIED, side_by_side=False, numbers=False), MOST)
    return "\n".join(line if isinstance(line, str) else "".join(text for text, _ in line) for line in lines)


def lines_of(
    entry: Entry,
    width: int,
    side_by_side: bool,
    *,
    numbers: bool = True,
    outputs: bool = True,
    colours: bool = True,
) -> Iterator[Line]:
    """The lines of a row, for a pane `width` cells wide; `numbers` go before the lines of texts.

    Without `outputs` what the cells of a notebook printed is folded; without `colours` code is plain text.
    """
    subject = entry.subject
    if isinstance(subject, ValueChange):
        yield _title(entry, percent_words(subject))
        yield from _value(subject, numbers)
    elif isinstance(subject, LayerChange):
        yield _title(entry)
        yield from _layer(subject)
    elif isinstance(subject, FileChange):
        yield _title(entry, *_file_facts(subject, entry.text))
    elif isinstance(subject, TensorChange):
        yield _title(entry, subject.nature if subject.nature != "values" else "", clean(subject.file))
        yield from _tensor(subject)
    elif isinstance(subject, Problem):
        yield ((clean(entry.title), "text+bold"),)
        yield ((clean(subject.message), "bad"),)
        if subject.hint:
            yield ((clean(subject.hint), "muted"),)
    else:
        yield _title(entry, *([clean(entry.detail)] if entry.detail and entry.part != "heading" else []))
    if entry.text is not None:
        yield from text_lines(entry.text, width, side_by_side, numbers=numbers, outputs=outputs, colours=colours)
    elif entry.children:
        yield from _below(entry, width)


def _title(entry: Entry, *facts: str) -> Line:
    """The title: what it is, how it changed, and a few more words."""
    words: list[str] = [clean(entry.title)]
    status = (f"  {MARKS[entry.status]} ", f"{STATUS_ROLES[entry.status]}+bold") if entry.status else ("", "text")
    said = " · ".join(part for part in (entry.status.replace("_", " ") if entry.status else "", *facts) if part)
    if isinstance(entry.subject, ValueChange) and entry.status == "moved":
        said = said.replace("moved", "reordered", 1)
    return ((words[0], "text+bold"), status, (said, "muted"))


def _fact(name: str, value: str, role: str = "text") -> Line:
    """A named value, what is wrapped of it below its beginning."""
    return Hanging.after(((f"{name:<{_NAMES}}", "muted"),), ((value, role),))


def _pair(name: str, a: str, b: str) -> Iterator[Line]:
    if a == b:
        yield _fact(name, a)
    else:
        yield Hanging.after(((f"{name:<{_NAMES}}", "muted"), ("- ", "bad+bold")), ((a, "text"),))
        yield Hanging.after(((" " * _NAMES, "muted"), ("+ ", "good+bold")), ((b, "text"),))


def _value(change: ValueChange, numbers: bool) -> Iterator[Line]:
    yield ()
    old, new = (_lines(value) if there else [] for value, there in (
        (change.a, change.status != "added"), (change.b, change.status != "removed")
    ))  # fmt: skip
    if max(len(old), len(new)) > _SHORT or max(map(len, [*old, *new]), default=0) > LINE_LIMIT:
        for hunk in compare_lines(old, new):
            yield from unified(hunk, "", numbers=numbers)
        return
    for hunk in compare_lines(old, new, _SHORT):
        yield from unified(hunk, "", numbers=False, head=False)


def _lines(value: object) -> list[str]:
    """A value as lines, each with its end."""
    text = value if isinstance(value, str) else indented_json(value)
    return [line + "\n" for line in (text or '""').split("\n")]


def _layer(change: LayerChange) -> Iterator[Line]:
    yield ()
    a, b = change.a, change.b
    for name in ("path", "digest", "diff_id", "media_type"):
        yield from _pair(
            name.replace("_", " "),
            clean(str(getattr(a, name) or "–")) if a else "–",
            clean(str(getattr(b, name) or "–")) if b else "–",
        )
    yield from _pair("size", size_text(a.size) if a else "–", size_text(b.size) if b else "–")


def _file_facts(change: FileChange, text: TextChange | None) -> Iterator[str]:
    """Sizes, modes, where it was, in the words of one line."""
    a, b = change.size_a, change.size_b
    if a is not None and b is not None and a != b:
        yield f"{a:,} → {b:,} bytes"
    elif (size := b if b is not None else a) is not None:
        yield f"{size:,} bytes"
    if change.mode_a != change.mode_b and change.mode_a is not None and change.mode_b is not None:
        yield f"mode {change.mode_a:o} → {change.mode_b:o}"
    if change.path_a:
        yield f"from {clean(change.path_a)}"
    if change.note:
        yield clean(change.note)
    if text is not None and text.table is None and (words := text_words(text)):
        yield clean(words)


def _tensor(change: TensorChange) -> Iterator[Line]:
    yield ()
    a, b = change.a, change.b
    yield from _pair("type", clean(a.dtype) if a else "–", clean(b.dtype) if b else "–")
    yield from _pair("shape", shape_words(a.shape) if a else "–", shape_words(b.shape) if b else "–")
    if change.note:
        yield ()
        yield ((clean(change.note), "text"),)
    if change.figures is not None:
        yield from _figures(change.figures)
    elif change.status == "not_compared":
        yield ()
        yield (("The values were not read: comparing values reads them.", "muted"),)


def _figures(figures: Figures) -> Iterator[Line]:
    full = round(figures.fraction * 40)
    words = f" {fraction_words(figures) if figures.changed else '0 %'} of {figures.unit} changed"
    yield (("█" * full, "bar"), ("·" * (40 - full), "faint"), (words, "text"))
    for name, value in (
        ("changed", f"{figures.changed:,} of {figures.count:,} {figures.unit}"),
        ("max |Δ|", _number(figures.max_abs)),
        ("mean |Δ|", _number(figures.mean_abs)),
        ("‖Δ‖/‖a‖", _number(figures.relative_norm)),
    ):
        yield _fact(name, value, "number")
    if figures.nonfinite_a or figures.nonfinite_b:
        yield _fact("NaN or ∞", f"{figures.nonfinite_a:,} → {figures.nonfinite_b:,}", "number")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def text_lines(
    text: TextChange,
    width: int,
    side_by_side: bool,
    *,
    numbers: bool = True,
    outputs: bool = True,
    colours: bool = True,
) -> Iterator[Line]:
    """The hunks of a text; between them, the number of folded lines."""
    for note in text.notes:
        yield ((clean(note), "muted"),)
    for value in text.values:
        words = clean(change_words(value, 400))
        mark = ((f"{MARKS[value.status]} ", "warn+bold"),)
        yield Hanging.after(mark, ((clean(value.path), "text"), (f"  {words}", "muted")), stop=True)
    if text.table is not None:
        yield from table_lines(text.table, width)
        return
    path = ("cell.py" if text.kind == "notebook" else text.path) if colours else ""
    seen = 0
    for hunk in text.hunks:
        if hunk.output and not outputs:
            changed = sum(line.op != " " for line in hunk.lines)
            words = f"  {counted(changed, 'line')}, folded"
            yield Hanging.after((), (("▸ ", "muted"), (clean(hunk.section), "accent"), (words, "muted")), stop=True)
            continue
        one_sided = not hunk.a_count or not hunk.b_count
        folded = hunk.a_start - seen - 1 if hunk.a_count and not hunk.section else 0
        if folded > 0 and numbers:
            yield ((f"┄ {counted(folded, 'unchanged line')}", "faint"),)
        seen = max(seen, hunk.a_start + hunk.a_count - 1)
        if side_by_side and not one_sided:
            yield from beside(hunk, path)
        else:
            yield from unified(hunk, path, numbers=numbers)
    if text.cut:
        yield ((f"and {counted(text.cut, 'more hunk')}", "muted"),)


def _below(entry: Entry, width: int) -> Iterator[Line]:
    """What is below a heading, a layer or a model file: how many of each, then a list; tensors with their bars."""
    counts: Counter[Status] = Counter(child.status for child in entry.children if child.status)
    yield ()
    if len(counts) > 1 or len(entry.children) > 1:
        pieces: list[tuple[str, str]] = []
        for status, count in counts.items():
            words = f" {count:,} {status.replace('_', ' ')}   "
            pieces += [(MARKS[status].strip() or "·", f"{STATUS_ROLES[status]}+bold"), (words, "muted")]
        yield pieces
    listed = _listed(entry.children)
    names = min(
        max((cell_len(clean(child.title, limit=200)) for child in listed[:100]), default=0), max(20, width - 44)
    )
    for child in listed[:LISTED]:
        yield _row(child, names)
    if len(listed) > LISTED:
        yield ((f"and {len(listed) - LISTED:,} more", "muted"),)


def _listed(children: Sequence[Entry]) -> Sequence[Entry]:
    """Model files list their tensors' modules in place of the heading above these."""
    first = children[0]
    return (*first.children, *children[1:]) if first.part == "heading" and first.children else children


def _row(child: Entry, names: int) -> Spans:
    mark = MARKS[child.status] if child.status else " "
    role = STATUS_ROLES[child.status] if child.status else "text"
    title = clean(child.title, limit=200)
    name = (
        title + " " * (names - cell_len(title)) if cell_len(title) <= names else set_cell_size(title, names - 1) + "…"
    )
    figures = getattr(child.subject, "figures", None)
    if isinstance(figures, Figures) and child.part in ("tensor", "module"):
        share = fraction_words(figures) if figures.changed else "0 %"
        bar = bar_text(round((child.bar or 0) * 1000), 1000, _BAR)
        norm = f"  ‖Δ‖/‖a‖ {figures.relative_norm:.3g}" if figures.relative_norm is not None else ""
        return (
            (f"{mark} ", f"{role}+bold"),
            (name, "text"),
            (f"  {bar:<{_BAR}}", "bar"),
            (f" {share:>8}", "number"),
            (norm if figures.changed else "", "muted"),
        )
    detail = clean(figures_words(figures) if isinstance(figures, Figures) else child.detail)
    return ((f"{mark} ", f"{role}+bold"), (name, "text"), (f"  {detail}", "muted"))

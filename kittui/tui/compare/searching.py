"""Searches a whole comparison for a text: names, values, lines and cells, including the Kitfile's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile

from kittui.compare.changes import FileChange, LayerChange, Problem, TensorChange, TextChange, ValueChange
from kittui.compare.outline import Entry
from kittui.compare.words import change_words, tensor_words, value_words
from kittui.terminal import clean
from kittui.tui.compare.details import MOST
from kittui.tui.widgets.text_lines import Line, holds

_MOST = 1_000_000
"""Maximum characters searched of one value."""


@dataclass(slots=True)
class Search:
    """What is looked for, casefolded, and all rows that hold it, in their order: their keys, and the places in each."""

    needle: str = ""
    found: Mapping[str, int] = field(default_factory=dict)

    def next(self, order: Sequence[str], key: str | None, step: int) -> tuple[str | None, bool]:
        """The row that holds it after (`step` 1) or before (-1) a row; and whether that is around the end."""
        place = {each: number for number, each in enumerate(order)}
        at, found = place.get(key or "", -1), [each for each in self.found if each in place]
        if not found:
            return None, False
        if step > 0:
            after = next((each for each in found if place[each] > at), None)
            return (after, False) if after is not None else (found[0], True)
        before = next((each for each in reversed(found) if place[each] < at), None)
        return (before, False) if before is not None else (found[-1], True)

    def words(self, key: str | None, line: int) -> str:
        """Which of the places it is, by its row and by which of the lines found there it is, from 1 (0: none)."""
        total = sum(self.found.values())
        if key is None or key not in self.found:
            return f"{total:,} match{'' if total == 1 else 'es'}" if total else "not found"
        keys = list(self.found)
        place = sum(self.found[each] for each in keys[: keys.index(key)]) + max(1, line)
        return f"match {place:,} of {total:,}"


def holding(
    entries: Iterable[Entry], needle: str, lines_of: Callable[[Entry], Iterable[Line]], stopped: Callable[[], bool]
) -> dict[str, int]:
    """The keys of the rows that hold a casefolded text, and in how many places: lines that hold it, at least one.

    It ends early once it is `stopped`: every letter of a search begins another one.
    """
    found: dict[str, int] = {}
    for entry in entries:
        if stopped():
            break
        if any(needle in clean(text, limit=None).casefold() for text in _words(entry)):
            lines = takewhile(lambda _: not stopped(), islice(lines_of(entry), MOST))
            found[entry.key] = sum(holds(line, needle) for line in lines) or 1
    return found


def _words(entry: Entry) -> Iterator[str]:
    yield entry.title
    yield entry.detail
    subject = entry.subject
    if isinstance(subject, ValueChange):
        yield from (value_words(side, _MOST) for side in (subject.a, subject.b) if side is not None)
    elif isinstance(subject, LayerChange):
        yield from (
            f"{side.path} {side.digest} {side.diff_id} {side.media_type}" for side in (subject.a, subject.b) if side
        )
    elif isinstance(subject, FileChange):
        yield f"{subject.path} {subject.path_a or ''} {subject.note}"
    elif isinstance(subject, TensorChange):
        yield tensor_words(subject)
    elif isinstance(subject, Problem):
        yield f"{subject.message} {subject.hint or ''}"
    if entry.text is not None:
        yield from _text(entry.text)


def _text(text: TextChange) -> Iterator[str]:
    yield from text.notes
    yield from (f"{value.path} {change_words(value, _MOST)}" for value in text.values)
    if text.table is not None:
        yield from (cell or "" for row in text.table.rows for side in (row.a, row.b) if side for cell in side)
    else:
        for hunk in text.hunks:
            yield hunk.section
            yield from (line.text for line in hunk.lines)

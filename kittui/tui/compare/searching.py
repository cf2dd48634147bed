"""A text that is looked for in a whole comparison: names, values, lines and cells, the Kitfile's among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kittui.compare.changes import FileChange, LayerChange, Problem, TensorChange, TextChange, ValueChange
from kittui.compare.outline import Entry
from kittui.compare.words import change_words, tensor_words, value_words
from kittui.terminal import clean

_MOST = 1_000_000
"""Characters of one value that are searched."""


@dataclass(slots=True)
class Search:
    """What is looked for, casefolded, and the keys of all rows that hold it, in their order."""

    needle: str = ""
    found: Sequence[str] = ()

    def next(self, order: Sequence[str], key: str | None, step: int) -> tuple[str | None, bool]:
        """The row that holds it after (`step` 1) or before (-1) a row; and whether that is around the end."""
        if not self.found:
            return None, False
        place = {each: number for number, each in enumerate(order)}
        at = place.get(key or "", -1)
        if step > 0:
            after = next((each for each in self.found if place[each] > at), None)
            return (after, False) if after is not None else (self.found[0], True)
        before = next((each for each in reversed(self.found) if place[each] < at), None)
        return (before, False) if before is not None else (self.found[-1], True)


def holding(entries: Iterable[Entry], needle: str) -> list[str]:
    """The keys of the rows that hold a casefolded text."""
    return [
        entry.key for entry in entries if any(needle in clean(text, limit=None).casefold() for text in _words(entry))
    ]


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

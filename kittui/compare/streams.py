"""Compares texts and tables of any size in one pass over both sides, with bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import thread_time

from kittui.compare.changes import Hunk, Row, TextChange
from kittui.compare.excerpts import between
from kittui.compare.notebooks import compare_notebooks
from kittui.compare.records import RECORDS, Read, Record, RecordReader
from kittui.compare.tables import (
    CELLS,
    SAME_ROWS,
    UNCLOSED,
    Records,
    Shape,
    as_table,
    compare_columns,
    evident_key,
    read_rows,
)
from kittui.compare.text import HUNKS_LIMIT, compare_lines, encoding_notes, ends_words
from kittui.compare.walking import walk
from kittui.errors import TooLarge
from kittui.formats.notebook import NOTEBOOK_LIMIT
from kittui.formats.records import RECORD_LIMIT, Splitter
from kittui.formats.tables import SAMPLE, Cells, Form, read_form, table_suffix
from kittui.formats.text import SNIFFED, Encoding, sniff

KEPT = 200_000
"""Maximum lines of hunks that are kept; further ones are only counted."""
SECONDS = 60
"""Seconds of processor time for one file's hunks; later differences are only counted."""
_KEYED = 256 * 1024
"""Characters at a table's start that decide its key."""


class _NoTable(Exception):
    """This is not a table after all, or no rows differ."""


@dataclass(frozen=True, slots=True)
class Side:
    """A file: its size in bytes, and its reader."""

    size: int
    read: Read


def side_of(content: bytes) -> Side:
    """Wrap a file in memory."""
    return Side(len(content), lambda offset, length: content[offset : offset + length])


def compare_streams(path: str, a: Side, b: Side) -> TextChange:
    """Compare large texts or tables that differ. Blocks; raises what reading raises."""
    kind = table_suffix(path)
    encodings = _encoding(kind, a), _encoding(kind, b)
    if encodings[0] is None or encodings[1] is None:
        return TextChange(path, "binary", notes=("binary",))
    if path.lower().endswith(".ipynb") and max(a.size, b.size) <= NOTEBOOK_LIMIT:
        notebook = compare_notebooks(path, a.read(0, a.size), b.read(0, b.size))
        if notebook is not None and (notebook.hunks or notebook.values or notebook.notes):
            return notebook
    if kind is not None:
        try:
            return _compare_tables(path, kind, (a, b), (encodings[0], encodings[1]))
        except _NoTable as reason:
            text = _compare_texts(path, (a, b), (encodings[0], encodings[1]))
            return replace(text, notes=(*map(str, reason.args), *text.notes))
    return _compare_texts(path, (a, b), (encodings[0], encodings[1]))


def _encoding(kind: str | None, side: Side) -> Encoding | None:
    return sniff(side.read(0, min(SNIFFED, side.size)), zeros=kind is not None)


def schema(path: str, a: Side, b: Side, lines: tuple[int, int] | None) -> TextChange:
    """Describe the table before its rows are compared: the columns, and the number of lines if known."""
    note = f"{lines[0]:,} → {lines[1]:,} lines; " if lines else ""
    note += "what changed is being looked for"
    kind = table_suffix(path)
    encodings = _encoding(kind, a), _encoding(kind, b)
    if kind is None or encodings[0] is None or encodings[1] is None:
        return TextChange(path, "text", notes=(note,))
    try:
        heads = _open(kind, a, encodings[0]).head, _open(kind, b, encodings[1]).head
    except _NoTable:
        return TextChange(path, "text", notes=(note,))
    shape = Shape(heads[0].names, heads[1].names)
    counts = [total - head.has_header for total, head in zip(lines or (1, 1), heads, strict=True)]
    table = as_table(shape, None, (counts[0], counts[1]), compare_columns(*heads), Counter(), ())
    return TextChange(path, "table", table=table, notes=(note,))


def _is_late(started: float) -> bool:
    return thread_time() - started > SECONDS


def _text(record: Record) -> str:
    return record if isinstance(record, str) else record.text


def _compare_texts(path: str, sides: tuple[Side, Side], encodings: tuple[Encoding, Encoding]) -> TextChange:
    a, b = (RecordReader(side.read, side.size, encoding) for side, encoding in zip(sides, encodings, strict=True))
    added = removed = cut = kept = 0
    started = thread_time()
    hunks: list[Hunk] = []
    for stretch in walk(a, b):
        gaps = between(stretch.blocks, len(stretch.a), len(stretch.b))
        removed += sum(high - low for low, high, _, _ in gaps)
        added += sum(high - low for _, _, low, high in gaps)
        if len(hunks) >= HUNKS_LIMIT or kept > KEPT or _is_late(started):
            cut += len(gaps)
            continue
        kept += len(stretch.a) + len(stretch.b)
        before = _common_end(stretch.before_a, stretch.before_b)
        same = len(before)
        blocks = [(0, 0, same), *((at_a + same, at_b + same, size) for at_a, at_b, size in stretch.blocks)]
        found = compare_lines([*before, *map(_text, stretch.a)], [*before, *map(_text, stretch.b)], blocks=blocks)
        for hunk in found:
            if len(hunks) >= HUNKS_LIMIT:
                cut += 1
                continue
            start_a = hunk.a_start + stretch.number_a - len(before)
            _append(hunks, replace(hunk, a_start=start_a, b_start=hunk.b_start + stretch.number_b - len(before)))
    notes = (*_notes((a, b), encodings), f"{a.number:,} → {b.number:,} lines")
    return TextChange(path, "text", tuple(hunks), notes=notes, cut=cut, added=added, removed=removed)


def _notes(readers: tuple[RecordReader, RecordReader], encodings: tuple[Encoding, Encoding]) -> list[str]:
    """Remarks on encodings and line ends, after both were read to their ends."""
    notes = encoding_notes(*encodings)
    ends = [
        (decoder.windows, decoder.lone, reader.number - decoder.windows - decoder.lone)
        for reader in readers
        for decoder in [reader.decoder]
    ]
    kinds = [ends_words(windows, lone, max(0, plain)) for windows, lone, plain in ends]
    if kinds[0] != kinds[1]:
        notes.append(f"line ends: {kinds[0]} → {kinds[1]}")
    elif ends[0][:2] != ends[1][:2]:
        notes.append(f"line ends with carriage returns: {sum(ends[0][:2]):,} → {sum(ends[1][:2]):,}")
    return notes


def _common_end(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """The lines at the end that both sides share."""
    same = 0
    while same < min(len(a), len(b)) and a[-1 - same] == b[-1 - same]:
        same += 1
    return [*a[len(a) - same :]]


def _append(hunks: list[Hunk], hunk: Hunk) -> None:
    """Add a hunk; it is joined with the last one if their contexts overlap or touch."""
    last = hunks[-1] if hunks else None
    start = hunk.a_start - bool(hunk.a_count)
    end = last.a_start - bool(last.a_count) + last.a_count if last is not None else -1
    if last is None or start > end:
        hunks.append(hunk)
        return
    shared = end - start
    hunks[-1] = Hunk(
        last.a_start if last.a_count else hunk.a_start + shared,
        last.a_count + hunk.a_count - shared,
        last.b_start if last.b_count else hunk.b_start + shared,
        last.b_count + hunk.b_count - shared,
        (*last.lines, *hunk.lines[shared:]),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """An opened table: its format, its first rows, and the reader of all rows."""

    form: Form
    head: Records
    reader: RecordReader


def _open(kind: str, side: Side, encoding: Encoding) -> _Opened:
    """Open a table; raises _NoTable if it is not one."""
    reader = RecordReader(side.read, side.size, encoding, Splitter("", quoted=False))
    wanted = SAMPLE
    while True:
        reader.fill(wanted)
        try:
            form = read_form(kind, reader.buffer, ended=reader.ended)
        except TooLarge as error:
            raise _NoTable(error.message) from None
        if form is not None:
            break
        if wanted > RECORD_LIMIT:
            raise _NoTable
        wanted *= 4
    reader.splitter = Splitter(form.delimiter, quoted=form.quoted)
    reader.most = max(1, min(RECORDS, CELLS // (len(form.titles) + 1)))
    try:
        head = read_rows(form, reader.peek(_KEYED) or [])
    except TooLarge as error:
        raise _NoTable(error.message) from None
    if head is None:
        raise _NoTable
    left = form.leading
    while left and (records := reader.peek(SAMPLE)):
        reader.skip_records(records[:1])
        left -= records[0] != "\n"
    reader.number = 0
    return _Opened(form, head, reader)


def _compare_tables(path: str, kind: str, sides: tuple[Side, Side], encodings: tuple[Encoding, Encoding]) -> TextChange:
    a, b = (_open(kind, side, encoding) for side, encoding in zip(sides, encodings, strict=True))
    shape = Shape(a.form.names, b.form.names, json=a.form.json)
    if not shape.shared or a.head.has_header != b.head.has_header:
        raise _NoTable
    key = evident_key(a.head, b.head, shape.shared)

    def alike(record: Record, side: int) -> object:
        return (shape.compared_a, shape.compared_b)[side](_cells((a, b)[side].form, record))

    counts: Counter[str] = Counter()
    rows: list[Row] = []
    for stretch in walk(a.reader, b.reader, None if a.form == b.form else alike):
        passed_a = passed_b = at_a = at_b = 0
        for a_from, a_to, b_from, b_to in between(stretch.blocks, len(stretch.a), len(stretch.b)):
            passed_a, passed_b = passed_a + _rows(stretch.a[at_a:a_from]), passed_b + _rows(stretch.b[at_b:b_from])
            old = [_cells(a.form, record) for record in stretch.a[a_from:a_to] if record != "\n"]
            new = [_cells(b.form, record) for record in stretch.b[b_from:b_to] if record != "\n"]
            usable = key if key is not None and _unique(old, new, shape, key) else None
            counts += shape.compare(old, new, usable, rows, (stretch.number_a + passed_a, stretch.number_b + passed_b))
            passed_a, passed_b, at_a, at_b = passed_a + len(old), passed_b + len(new), a_to, b_to
    if not rows and a.form.names == b.form.names:
        raise _NoTable(SAME_ROWS)
    notes = _notes((a.reader, b.reader), encodings)
    if a.reader.splitter.unclosed or b.reader.splitter.unclosed:
        notes.append(UNCLOSED)
    if counts["removed"] and counts["added"]:
        notes.append("a row that moved far is told as removed and added")
    table = as_table(shape, key, (a.reader.number, b.reader.number), compare_columns(a.head, b.head), counts, rows)
    return TextChange(path, "table", table=table, notes=tuple(notes))


def _cells(form: Form, record: Record) -> Cells:
    """The cells of a record; one too long for memory is a text after the columns."""
    return form.row(record) if isinstance(record, str) else (*[None] * len(form.titles), record.text)


def _rows(records: Sequence[Record]) -> int:
    return sum(record != "\n" for record in records)


def _unique(a: Sequence[Cells], b: Sequence[Cells], shape: Shape, key: str) -> bool:
    """Whether the key found at the tables' start is unique in these rows too."""
    for rows, at in ((a, shape.place_a[key]), (b, shape.place_b[key])):
        keys = {row[at] for row in rows}
        if len(keys) != len(rows) or keys & {None, "", '""'}:
            return False
    return True

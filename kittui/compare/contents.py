"""Compares files in the way that fits them: a notebook's cells, a table's rows, a text's lines, or bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from kittui.compare.changes import FileSide, TensorChange, TensorSide, TextChange
from kittui.compare.documents import compare_documents
from kittui.compare.figures import Meter, decodes, per_width, width
from kittui.compare.files import assess
from kittui.compare.text import AS_EVER, TEXT_LIMIT, LineRules, compare_texts
from kittui.errors import Malformed, TooLarge
from kittui.formats.exact_json import parse_json
from kittui.formats.lfs import Pointer, read_pointer
from kittui.formats.tables import table_suffix
from kittui.formats.text import decode, sniff

WIDE = 300
"""In changed JSON lines of this many characters or more, values are compared too."""
JSON_VALUES = 500_000
"""Maximum values of a document that are compared."""
LINES = 200_000
"""Maximum lines of a text that are aligned as a whole."""
VALUES_LIMIT = 5_000
"""Maximum differing values kept of one document."""
BINARY_SUFFIXES = frozenset(
    {
        *("bin", "safetensors", "gguf", "ggml", "onnx", "pt", "pth", "ckpt", "h5", "pb", "tflite", "npy", "npz"),
        *("parquet", "arrow", "feather", "pkl", "pickle", "joblib", "zip", "gz", "zst", "tar", "png", "jpg", "jpeg"),
        *("gif", "webp", "bmp", "ico", "pdf", "mp3", "wav", "flac", "mp4", "so", "dll", "exe", "whl", "jar", "model"),
        *("mcpb", "db", "sqlite"),
    }
)
"""Files with these suffixes do not count as text until their bytes are read."""


def may_be_text(path: str) -> bool:
    """Whether a file may be text, by its name."""
    name = path.rpartition("/")[2]
    return "." not in name or name.rpartition(".")[2].lower() not in BINARY_SUFFIXES


def compare_contents(path: str, a: bytes | None, b: bytes | None, rules: LineRules = AS_EVER) -> TextChange | None:
    """Compare two versions of a file; None if there is nothing to report. A side without the file is None."""
    old, new = a or b"", b or b""
    if old == new:
        return None
    if a is None or b is None:
        if sniff(old or new) is None:
            return None
        return _notebooks(path, a, b, rules) or compare_texts(path, old, new, rules)
    pointers = read_pointer(old), read_pointer(new)
    if pointers[0] is not None or pointers[1] is not None:
        text = compare_texts(path, old, new, rules)
        words = assess(_side(old, pointers[0]), _side(new, pointers[1]))[1]
        return replace(text, notes=(words, *text.notes))
    if max(content.count(b"\n") for content in (old, new)) > LINES:
        from kittui.compare.streams import compare_streams, side_of

        return compare_streams(path, side_of(old), side_of(new))
    if max(len(old), len(new)) <= TEXT_LIMIT:
        name = path.lower()
        if (kind := table_suffix(name)) is not None:
            return _compare_tables(path, kind, old, new, rules)
        if (notebook := _notebooks(path, old, new, rules)) is not None:
            return notebook
        if name.endswith((".json", ".webmanifest", ".geojson")):
            return _compare_json(path, old, new, rules)
    return compare_texts(path, old, new, rules)


def _notebooks(path: str, a: bytes | None, b: bytes | None, rules: LineRules) -> TextChange | None:
    """Compare notebooks by cell, if they differ."""
    if not path.lower().endswith(".ipynb"):
        return None
    from kittui.compare.notebooks import compare_notebooks

    notebook = compare_notebooks(path, a, b, rules)
    return notebook if notebook is not None and (notebook.hunks or notebook.values or notebook.notes) else None


def _side(content: bytes, pointer: Pointer | None) -> FileSide:
    digest = sha256(content).hexdigest()
    return FileSide(
        "", size=len(content), digest=digest, oid=pointer.oid if pointer else "", note=pointer.words if pointer else ""
    )  # fmt: skip


def _compare_tables(path: str, kind: str, a: bytes, b: bytes, rules: LineRules) -> TextChange:
    """Compare rows if both are tables, with remarks about their texts; lines if no row differs."""
    from kittui.compare.tables import SAME_ROWS, UNCLOSED, compare_tables, read_table

    encodings = sniff(a, zeros=True), sniff(b, zeros=True)
    if encodings[0] is None or encodings[1] is None:
        return compare_texts(path, a, b, rules)
    text = compare_texts(path, a, b, rules, zeros=True)
    try:
        records_a, records_b = (
            read_table(kind, decode(content, encoding)) for content, encoding in ((a, encodings[0]), (b, encodings[1]))
        )
    except TooLarge:
        from kittui.compare.streams import compare_streams, side_of

        return compare_streams(path, side_of(a), side_of(b))
    table = compare_tables(records_a, records_b) if records_a is not None and records_b is not None else None
    if records_a is None or records_b is None or table is None:
        return text
    notes = [*text.notes, *([UNCLOSED] if records_a.unclosed or records_b.unclosed else [])]
    if not table.rows and not table.columns:
        return replace(text, notes=(SAME_ROWS, *notes))
    return replace(text, kind="table", table=table, notes=tuple(notes))


def _compare_json(path: str, a: bytes, b: bytes, rules: LineRules) -> TextChange:
    """Compare lines, and values if lines are too long to be read: JSON on one line is compared by value."""
    text = compare_texts(path, a, b, rules)
    changed = (line for hunk in text.hunks for line in hunk.lines if line.op != " ")
    if text.kind != "text" or not any(line.cut or len(line.text) > WIDE for line in changed):
        return text
    encodings = sniff(a), sniff(b)
    if encodings[0] is None or encodings[1] is None:
        return text
    if max(content.count(b",") for content in (a, b)) > JSON_VALUES:
        return replace(text, notes=(f"more than {JSON_VALUES:,} values: compared as text", *text.notes))
    try:
        values = compare_documents(parse_json(decode(a, encodings[0])), parse_json(decode(b, encodings[1])))
    except Malformed:
        return text
    if not values:
        return replace(text, notes=("the same values, written otherwise", *text.notes))
    return replace(text, values=values[:VALUES_LIMIT])


def comparable(a: TensorSide, b: TensorSide) -> bool:
    """Whether two tensors' values can be compared: equal shapes, and equal or two numeric types."""
    if a.shape != b.shape or not a.size or not b.size:
        return False
    if a.dtype == b.dtype:
        return a.size == b.size and a.size % width(a.dtype) == 0
    return (
        decodes(a.dtype)
        and decodes(b.dtype)
        and a.size % width(a.dtype) == b.size % width(b.dtype) == 0
        and a.size // width(a.dtype) * per_width(a.dtype) == b.size // width(b.dtype) * per_width(b.dtype)
    )


def judge_values(change: TensorChange, meter: Meter) -> TensorChange:
    """The change of a tensor whose values were all metered."""
    figures = meter.figures()
    if change.nature in ("reshaped", "recast"):
        return replace(change, figures=figures)
    if figures.changed:
        return replace(change, status="changed", nature="values", figures=figures, note="")
    return replace(change, status="moved" if change.file_a else "same", figures=figures, note="")


def compare_values(changes: Sequence[TensorChange], a: bytes, b: bytes) -> tuple[TensorChange, ...]:
    """Compare the tensors of two small model files in memory."""
    return tuple(_values(change, a, b) for change in changes)


def _values(change: TensorChange, a: bytes, b: bytes) -> TensorChange:
    if change.a is None or change.b is None or not comparable(change.a, change.b):
        return change
    old = memoryview(a)[change.a.offset : change.a.offset + change.a.size]
    new = memoryview(b)[change.b.offset : change.b.offset + change.b.size]
    if len(old) != change.a.size or len(new) != change.b.size:
        return change
    meter = Meter(change.a.dtype, change.b.dtype)
    if change.a.dtype == change.b.dtype and bytes(old) == bytes(new):
        meter.feed_equal(old)
    else:
        meter.feed(old, new)
    return judge_values(change, meter)

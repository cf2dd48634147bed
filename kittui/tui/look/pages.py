"""A file as lines: text with highlighting, notebooks, tables, tensors, or hexadecimal; only what is shown is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kittui.errors import Malformed, Unsupported
from kittui.formats.model_file import is_model_file
from kittui.formats.notebook import read_notebook
from kittui.formats.tables import is_table, json_records, read_start, split_records
from kittui.formats.text import decode, hex_lines, sniff
from kittui.formats.weights import Weights
from kittui.terminal import size_text
from kittui.tui.lines import clean_line, heading, highlight_json, highlight_yaml, pairs
from kittui.tui.look import pictures
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Span, Spans

if TYPE_CHECKING:
    from kittui.tui.look.nodes import FileHere
    from kittui.usecases.look import Inspector
    from kittui.usecases.views import View

TEXT_LIMIT = 256 * 1024
"""Bytes of a text that are read at first, and more each time the viewer pages on."""
HEX_PAGE = 4096
"""Bytes shown in hexadecimal at first."""
NOTEBOOK_LIMIT = 8 * 1024 * 1024
"""Bytes of a notebook that are read."""
HIGHLIGHT_LIMIT = 512 * 1024
"""Characters that are highlighted; longer texts are shown plain."""
CELL = 28
"""Characters of a table's cell that are shown."""


async def file_page(inspector: Inspector, here: FileHere, limit: int = TEXT_LIMIT) -> tuple[Page, int]:
    """The file's page, and how many of its bytes it shows. Raises what reading it raises."""
    entry = here.entry
    if is_model_file(entry.path):
        try:
            return weights_page(await inspector.weights(here.repository, here.layer, entry)), entry.size
        except Malformed as error:
            view = await inspector.open(here.repository, here.layer, entry)
            content = await view.read(0, min(limit, HEX_PAGE))
            lines: list[Line] = [((f"! {error.message}", "bad"),), "", *map(_hex, hex_lines(content))]
            return Page(lines), len(content)
    view = await inspector.open(here.repository, here.layer, entry)
    special = await _special_page(view, entry.path, entry.size)
    if special is not None:
        return special, entry.size
    return await _page_of(view, entry.path, entry.size, limit)


async def _special_page(view: View, path: str, size: int) -> Page | None:
    """Images and Parquet; None for anything else, and without the libraries they need."""
    name = path.lower()
    try:
        if name.endswith(".parquet"):
            from kittui.tui.look.parquet import parquet_page

            return await parquet_page(view)
        if name.endswith(pictures.SUFFIXES) and size <= pictures.BYTES_LIMIT:
            return await asyncio.to_thread(pictures.picture_page, await view.read(0, size))
    except (Malformed, Unsupported):
        return None
    return None


async def _page_of(view: View, path: str, size: int, limit: int) -> tuple[Page, int]:
    name = path.lower()
    start = await view.read(0, min(size, 8192))
    kind = sniff(start)
    if kind.encoding is None:
        content = await view.read(0, min(size, max(HEX_PAGE, limit // 64)))
        return Page([_hex(line) for line in hex_lines(content)]), len(content)
    if name.endswith(".ipynb") and size <= NOTEBOOK_LIMIT:
        limit = size
    content = await view.read(0, min(size, limit))
    text = decode(content, kind.encoding)
    page = await asyncio.to_thread(text_page, path, text, len(content) == size)
    return page, len(content)


def text_page(path: str, text: str, whole: bool) -> Page:
    """A text by what its name says it is."""
    name = path.lower()
    if name.endswith(".ipynb") and whole:
        try:
            return _notebook_page(text)
        except Malformed:
            return Page([clean_line(line) for line in text.split("\n")], highlight_json, text)
    if is_table(name):
        return _table_page(path, text, whole)
    if name.endswith(".json"):
        return Page([clean_line(line) for line in text.split("\n")], highlight_json, text)
    if name.endswith((".yaml", ".yml")) or name.rpartition("/")[2] == "kitfile":
        return Page([clean_line(line) for line in text.split("\n")], highlight_yaml, text)
    return Page(highlighted(path, text), raw=text)


def highlighted(path: str, text: str) -> list[Line]:
    """Lines in the roles of what they are, by pygments; plain where it knows no lexer or the text is long."""
    from pygments.lexers import get_lexer_for_filename
    from pygments.util import ClassNotFound

    if len(text) > HIGHLIGHT_LIMIT:
        return [((clean_line(line), "text"),) for line in text.split("\n")]
    try:
        lexer = get_lexer_for_filename(path.rpartition("/")[2], stripnl=False, ensurenl=False)
    except ClassNotFound:
        return [((clean_line(line), "text"),) for line in text.split("\n")]
    return _by_lexer(lexer.get_tokens(text))


def _by_lexer(tokens: Iterable[tuple[object, str]]) -> list[Line]:
    lines: list[Line] = []
    current: list[Span] = []
    for kind, value in tokens:
        role = _role(str(kind))
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append(tuple(current))
                current = []
            if part:
                current.append((clean_line(part), role))
    lines.append(tuple(current))
    return lines


def _role(kind: str) -> str:
    for prefix, role in (
        ("Token.Comment", "faint"),
        ("Token.Keyword", "special"),
        ("Token.Literal.String", "string"),
        ("Token.Literal.Number", "number"),
        ("Token.Name.Function", "accent"),
        ("Token.Name.Class", "accent"),
        ("Token.Name.Decorator", "accent"),
        ("Token.Generic.Heading", "accent"),
        ("Token.Generic.Subheading", "accent"),
        ("Token.Name.Tag", "key"),
    ):
        if kind.startswith(prefix):
            return role
    return "text"


def _notebook_page(text: str) -> Page:
    language, cells = read_notebook(text)
    lines: list[Line] = []
    for cell in cells:
        number = "" if cell.number is None else f" [{cell.number}]"
        lines += ["", heading(f"{cell.kind}{number}")]
        if cell.kind == "code":
            lines += highlighted("x.py" if language == "python" else f"x.{language}", cell.text)
        elif cell.kind == "markdown":
            lines += highlighted("x.md", cell.text)
        else:
            lines += [((clean_line(line), "muted"),) for line in cell.text.split("\n")]
    return Page(lines, raw=text)


def _table_page(path: str, text: str, whole: bool) -> Page:
    start = read_start(path, text)
    if start.delimiter:
        records, _ = split_records(text, start.delimiter, ended=whole)
        records = records[1:]
    else:
        records, _ = json_records(text, start.columns, ended=whole)
    shown = [[_cell(cell) for cell in row] for row in [list(start.columns), *records]]
    count = len(start.columns)
    widths = [max((len(row[n]) for row in shown[:300] if n < len(row)), default=0) for n in range(count)]
    lines: list[Line] = []
    for number, row in enumerate(shown):
        cells: list[Span] = [(f"{number or '':>7}  ", "faint")]
        for column, cell in enumerate(row):
            width = widths[column] if column < count else len(cell)
            numeric = number and cell.replace(".", "", 1).replace("-", "", 1).isdigit()
            cells.append(
                ((f"{cell:>{width}}" if numeric else f"{cell:<{width}}") + "  ", _cell_role(number, bool(numeric)))
            )
        lines.append(tuple(cells))
    return Page(lines, raw=text)


def _cell_role(number: int, numeric: bool) -> str:
    return "key" if not number else "number" if numeric else "text"


def _cell(text: str) -> str:
    cleaned = clean_line(text.replace("\n", " "))
    return cleaned if len(cleaned) <= CELL else cleaned[: CELL - 1] + "…"


def weights_page(weights: Weights) -> Page:
    """A model file: totals, metadata, tensors."""
    kinds = ", ".join(f"{name} {count:,}" for name, count in weights.dtypes.items())
    facts = {
        "format": weights.format,
        "tensors": f"{len(weights.tensors):,}",
        "parameters": f"{weights.parameters:,}",
        "bytes": f"{weights.nbytes:,} ({size_text(weights.nbytes)})",
        "types": kinds,
    }
    lines: list[Line] = [heading("Model"), *pairs(facts)]
    lines += [((clean_line(note), "muted"),) for note in weights.notes]
    if weights.problem:
        lines.append(((f"! {clean_line(weights.problem)}", "bad"),))
    if weights.metadata:
        described = {str(key): _metadata(value) for key, value in weights.metadata.items()}
        lines += ["", heading("Metadata"), *pairs(described)]
    lines += ["", heading("Tensors")]
    width = min(60, max((len(tensor.name) for tensor in weights.tensors), default=0))
    for tensor in weights.tensors:
        shape = ",".join(str(size) for size in tensor.shape)
        spans: list[Span] = [
            (f"{clean_line(tensor.name):<{width}}  ", "text"),
            (f"{clean_line(tensor.dtype):<8} ", "special"),
            (f"[{shape}]", "number"),
            (f"  {size_text(tensor.nbytes)}", "muted"),
        ]
        if tensor.problem:
            spans.append((f"  ! {tensor.problem}", "bad"))
        lines.append(tuple(spans))
    return Page(lines)


def _metadata(value: object) -> str:
    if isinstance(value, dict) and set(value) == {"type", "count", "first"}:
        first = ", ".join(str(one) for one in value["first"][:6])
        return f"{value['count']:,} × {value['type']}: {first} …"
    return str(value)[:2000]


def _hex(line: str) -> Spans:
    return ((line[:12], "faint"), (line[12:62], "number"), (line[62:], "text"))

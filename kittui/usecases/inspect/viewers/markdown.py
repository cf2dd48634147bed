"""Prepares Markdown for layout, and its source.

Layout costs time for each block and each table cell, so their numbers are limited. Large tables become aligned text; of
a document with too many blocks, only the source is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import east_asian_width

from kittui.tasks import aside
from kittui.usecases.inspect.viewers.shown import Document, Markup, OpenFile, Shown, Viewer, Way, clean_line
from kittui.usecases.inspect.viewers.whole import code, read_text

WHOLE_LIMIT = 512 * 1024
"""Maximum bytes of Markdown."""
LAID_OUT = 150_000
"""Maximum characters that are laid out."""
BLOCKS = 500
"""Maximum blocks, and cells of small tables, that are laid out."""
CODE = 40_000
"""Maximum characters of code, which is coloured on each layout."""
CELLS = 60
"""In tables up to this many cells, each cell is laid out."""
MARKS = 10_000
"""Characters that may begin or end inline markup."""
CELL = 60
"""Maximum characters kept of a cell in a large table."""
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_RULE = re.compile(r"[ >]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_PIPE = re.compile(r"(?<!\\)\|")
_INSIDE = re.compile(r"(?:\s*(?:>|(?:[-*+]|\d{1,9}[.)])(?=\s|\Z)))+")
_LINE = re.compile(r"\s*(?:#|([-*_])[ \t]*(?:\1[ \t]*){2,}\Z)")
_QUOTE = re.compile(r"[ >]*")


def laid_out(text: str) -> str | None:
    """The Markdown with large tables as text; None if it is too long to lay out."""
    if len(text) > LAID_OUT:
        return None
    lines = text.split("\n")
    found: list[str] = []
    blocks, marks, code, at, fence = 0, 0, 0, 0, ""
    while at < len(lines):
        line = lines[at]
        mark = _FENCE.match(line)
        if fence:
            code += len(line)
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence, blocks = mark[1], blocks + 2
        elif "|" in line and at + 1 < len(lines) and "-" in lines[at + 1] and _RULE.match(lines[at + 1]):
            end = at + 2
            while end < len(lines) and lines[end].strip() and not _FENCE.match(lines[end]):
                end += 1
            rows = [_row(row) for row in (line, *lines[at + 2 : end])]
            cells = len(rows) * len(rows[0])
            if cells > CELLS:
                found += _aligned(_QUOTE.match(line)[0] if ">" in line.partition("|")[0] else "", rows)  # type: ignore[index]
                blocks += 2
                at = end
                continue
            blocks += cells
        elif (inside := _INSIDE.match(line)) is not None:
            quotes = inside[0].count(">")
            before = lines[at - 1] if at else ""
            blocks += 4 * min(20, len(inside[0].replace(">", " ").split()))
            if quotes and line.strip(" >") and not (before.strip(" >") and before.count(">") == quotes):
                # Nested quotes are nested boxes, and all of them are laid out again for their content.
                blocks += min(30, quotes) ** 2 + 1
        elif line.strip() and (not at or not lines[at - 1].strip() or _LINE.match(line)):
            blocks += 1
        marks += sum(map(line.count, "*_~`[]<|"))
        found.append(line)
        at += 1
    return "\n".join(found) if blocks <= BLOCKS and marks <= MARKS and code <= CODE else None


def _row(line: str) -> list[str]:
    cells = _PIPE.split(line.strip(" \t>").removeprefix("|"))
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip().replace("\\|", "|")[:CELL] for cell in cells]


def _aligned(prefix: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in a code block, with aligned columns."""
    columns = range(max(map(len, rows)))
    widths = [max((_width(row[at]) for row in rows if at < len(row)), default=0) for at in columns]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)) for row in rows
    ]
    lines.insert(1, "  ".join("─" * width for width in widths))
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{prefix}{line.rstrip()}" for line in ("", fence, *lines, fence, "")]


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(1 + (east_asian_width(character) in "WF") for character in text)


async def _open(file: OpenFile) -> Shown:
    text, digest = await read_text(file)
    source = Way("Source", Document([await aside(code, text, "text.md")]))
    clean = await aside(lambda: "\n".join(clean_line(line) for line in text.split("\n")))
    markup = await aside(laid_out, clean)
    ways = (source,) if markup is None else (Way("Rendered", Markup(markup)), source)
    problem = "too large to be laid out: this is its source" if markup is None else ""
    return Shown(
        "markdown", file.size, ways, text=text, verified=file.view.verified, problem=problem, digest=digest,
        read=file.size,
    )  # fmt: skip


def _takes(path: str, size: int, head: bytes) -> bool:
    return path.endswith((".md", ".markdown")) and size <= WHOLE_LIMIT


VIEWER = Viewer("markdown", _takes, _open)

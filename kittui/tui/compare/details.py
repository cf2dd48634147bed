"""The detail pane's page for a row: hunks side by side or unified, rows of tables, figures of tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from kittui.compare.changes import (
    MARKS,
    Figures,
    FileChange,
    Hunk,
    LayerChange,
    Problem,
    Table,
    TensorChange,
    TextChange,
    ValueChange,
)
from kittui.compare.changes import Line as TextLine
from kittui.compare.outline import Entry
from kittui.compare.words import (
    figures_words,
    percent_words,
    shape_words,
    size_words,
    table_words,
    text_words,
)
from kittui.terminal import clean
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Span, Spans
from kittui.usecases.timeline import Moment

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_ROLES = {"-": "bad", "+": "good", " ": "text"}
_HIGHLIGHTED = 2_000
"""Lines that are coloured by syntax at most."""
_LINES = 20_000
_CELL = 24


def page_of(entry: Entry, width: int, beside: bool) -> Page:
    """The page of a row, for a pane `width` cells wide; `beside` puts old and new side by side."""
    lines = list(_lines(entry, width, beside))
    return Page(lines[:_LINES], raw="\n".join(_plain(line) for line in lines))


def _plain(line: Line) -> str:
    return line if isinstance(line, str) else "".join(text for text, _ in line)


def _lines(entry: Entry, width: int, beside: bool) -> Iterator[Line]:
    subject = entry.subject
    yield ((clean(entry.title), "text+bold"),)
    if isinstance(subject, ValueChange):
        yield from _value(subject)
    elif isinstance(subject, LayerChange):
        yield from _layer(subject)
    elif isinstance(subject, FileChange):
        yield from _file(subject)
    elif isinstance(subject, TensorChange):
        yield from _tensor(subject)
    elif isinstance(subject, Problem):
        yield ((clean(subject.message), "bad"),)
        if subject.hint:
            yield ((clean(subject.hint), "muted"),)
    elif entry.detail:
        yield ((clean(entry.detail), "muted"),)
    if entry.text is not None:
        yield ()
        yield from text_lines(entry.text, width, beside)
    elif entry.children:
        yield ()
        for child in entry.children[:2000]:
            mark = MARKS[child.status] if child.status else " "
            bar = "█" * max(1, round(child.bar * 16)) if child.bar else ""
            yield ((f"{mark} ", "text+bold"), (clean(child.title) + "  ", "text"), (clean(child.detail), "muted"))
            if bar:
                yield ((f"    {bar}", "bar"),)


def _pair(name: str, a: str, b: str) -> Iterator[Line]:
    if a == b:
        yield ((f"{name:<10}", "muted"), (a, "text"))
    else:
        yield ((f"{name:<10}", "muted"), ("- ", "bad+bold"), (a, "text"))
        yield ((" " * 10, "muted"), ("+ ", "good+bold"), (b, "text"))


def _value(change: ValueChange) -> Iterator[Line]:
    yield ((change.status, "muted"), (f"  {percent_words(change)}", "number"))
    yield ()
    for op, value, there in (("-", change.a, change.status != "added"), ("+", change.b, change.status != "removed")):
        if there:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
            for line in (text or '""').split("\n"):
                yield ((f"{op} ", f"{_ROLES[op]}+bold"), (clean(line), "text"))


def _layer(change: LayerChange) -> Iterator[Line]:
    yield ((change.status.replace("_", " "), "muted"),)
    yield ()
    a, b = change.a, change.b
    for name in ("path", "digest", "diff_id", "media_type"):
        yield from _pair(
            name.replace("_", " "),
            clean(str(getattr(a, name) or "–")) if a else "–",
            clean(str(getattr(b, name) or "–")) if b else "–",
        )
    yield from _pair("size", size_words(a.size) if a else "–", size_words(b.size) if b else "–")


def _file(change: FileChange) -> Iterator[Line]:
    yield ((change.status.replace("_", " "), "muted"), (f"  {clean(change.note)}" if change.note else "", "muted"))
    if change.path_a:
        yield (("from      ", "muted"), (clean(change.path_a), "text"))
    yield from _pair(
        "size",
        f"{change.size_a:,} bytes" if change.size_a is not None else "–",
        f"{change.size_b:,} bytes" if change.size_b is not None else "–",
    )
    if change.mode_a != change.mode_b and change.mode_a is not None and change.mode_b is not None:
        yield from _pair("mode", f"{change.mode_a:o}", f"{change.mode_b:o}")


def _tensor(change: TensorChange) -> Iterator[Line]:
    yield ((change.status.replace("_", " "), "muted"), (f"  {change.nature}", "warn"))
    yield ((clean(change.file), "muted"),)
    yield ()
    a, b = change.a, change.b
    yield from _pair("type", a.dtype if a else "–", b.dtype if b else "–")
    yield from _pair("shape", shape_words(a.shape) if a else "–", shape_words(b.shape) if b else "–")
    if change.note:
        yield ()
        yield ((clean(change.note), "text"),)
    if change.figures is not None:
        yield ()
        yield from _figures(change.figures)
    elif change.status == "not_compared":
        yield ()
        yield (("Values were not read: C compares them.", "muted"),)


def _figures(figures: Figures) -> Iterator[Line]:
    yield ((figures_words(figures), "text"),)
    yield (("█" * round(figures.fraction * 40), "bar"), ("·" * (40 - round(figures.fraction * 40)), "faint"))
    for name, value in (
        (figures.unit, f"{figures.count:,}"),
        ("changed", f"{figures.changed:,}"),
        ("max |Δ|", _number(figures.max_abs)),
        ("mean |Δ|", _number(figures.mean_abs)),
        ("‖Δ‖/‖a‖", _number(figures.relative_norm)),
    ):
        yield ((f"{name:<10}", "muted"), (value, "number"))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def text_lines(text: TextChange, width: int, beside: bool) -> Iterator[Line]:
    """What differs in a text."""
    yield ((clean(text_words(text)), "muted"),)
    for note in text.notes:
        yield ((clean(note), "muted"),)
    for value in text.values:
        yield ((f"{MARKS[value.status]} ", "warn+bold"), (clean(value.path), "text"))
    if text.table is not None:
        yield from _table(text.table)
        return
    lexer = _lexer(text.path)
    coloured = 0
    for hunk in text.hunks:
        yield ()
        where = f"@@ -{hunk.a_start},{hunk.a_count} +{hunk.b_start},{hunk.b_count} @@ {clean(hunk.section)}"
        yield ((where.rstrip(), "accent"),)
        coloured += len(hunk.lines)
        used = lexer if coloured <= _HIGHLIGHTED else None
        yield from _beside(hunk, width, used) if beside else _unified(hunk, used)
    if text.cut:
        yield ((f"and {text.cut} more hunks", "muted"),)


def _unified(hunk: Hunk, lexer: Lexer | None) -> Iterator[Line]:
    for line in hunk.lines:
        yield ((f"{line.op} ", f"{_ROLES[line.op]}+bold"), *_spans(line, lexer))


def _beside(hunk: Hunk, width: int, lexer: Lexer | None) -> Iterator[Line]:
    half = max(10, (width - 5) // 2)
    olds: list[TextLine] = []
    news: list[TextLine] = []

    def flush() -> Iterator[Line]:
        for at in range(max(len(olds), len(news))):
            left = _half(olds[at] if at < len(olds) else None, half, lexer)
            right = _half(news[at] if at < len(news) else None, half, lexer)
            yield (*left, (" │ ", "faint"), *right)
        olds.clear()
        news.clear()

    for line in hunk.lines:
        if line.op == "-":
            olds.append(line)
        elif line.op == "+":
            news.append(line)
        else:
            yield from flush()
            yield (*_half(line, half, lexer), (" │ ", "faint"), *_half(line, half, lexer))
    yield from flush()


def _half(line: TextLine | None, half: int, lexer: Lexer | None) -> Spans:
    """One side's line, cut or filled to its column."""
    if line is None:
        return ((" " * half, "text"),)
    spans: list[Span] = [(f"{line.op} ", f"{_ROLES[line.op]}+bold")]
    room = half - 2
    for text, role in _spans(line, lexer):
        if cell_len(text) > room:
            text = set_cell_size(text, max(0, room - 1)) + "…" if room else ""
        room -= cell_len(text)
        spans.append((text, role))
        if room <= 0:
            break
    spans.append((" " * max(0, room), "text"))
    return spans


def _spans(line: TextLine, lexer: Lexer | None) -> list[Span]:
    """A line in its syntax's colours; words that differ are bold and underlined, so that it needs no hue."""
    spans: list[Span] = []
    marked = f"{_ROLES[line.op]}+bold+underline"
    at = 0
    for text, role in _tokens(line.text, lexer):
        start = 0
        while start < len(text):
            place = at + start
            word = next((word for word in line.words if word[0] <= place < word[1]), None)
            following = min((word[0] for word in line.words if word[0] > place), default=at + len(text))
            end = min(len(text), (word[1] if word else following) - at)
            spans.append((clean(text[start:end], limit=None), marked if word else role))
            start = end
        at += len(text)
    if line.note:
        spans.append((f"  ({clean(line.note)})", "muted"))
    return spans


def _tokens(text: str, lexer: Lexer | None) -> Sequence[Span]:
    if lexer is None or not text:
        return ((text, "text"),)
    from pygments.token import Comment, Keyword, Name, Number, String

    kinds: tuple[tuple[Any, str], ...] = (
        (Comment, "muted"),
        (String, "string"),
        (Number, "number"),
        (Keyword, "accent"),
        (Name.Function, "key"),
        (Name.Class, "key"),
        (Name.Tag, "key"),
    )
    spans = []
    for token, piece in lexer.get_tokens(text):
        role = next((role for kind, role in kinds if token in kind), "text")
        spans.append((piece, role))
    if "".join(piece for piece, _ in spans).rstrip("\n") != text:
        return ((text, "text"),)
    last, role = spans[-1]
    spans[-1] = (last.rstrip("\n"), role) if not text.endswith("\n") else spans[-1]
    return [span for span in spans if span[0] and span[0] != "\n"]


@lru_cache(maxsize=32)
def _lexer_of(suffix: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    names = {"py": "python", "ipynb": "python", "yml": "yaml", "md": "markdown", "sh": "bash", "js": "javascript"}
    known = {"json", "yaml", "toml", "sql", "html", "css", "xml", "ini", "rust", "go", "java", "c", "cpp", "ts", "r"}
    name = names.get(suffix, suffix if suffix in known else "")
    if not name:
        return None
    try:
        found: Lexer = get_lexer_by_name(name, stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None
    return found


def _lexer(path: str) -> Lexer | None:
    return _lexer_of(path.rpartition(".")[2].lower() if "." in path else "")


def _table(table: Table) -> Iterator[Line]:
    key = f", by {clean(table.key, limit=40)}" if table.key else ", by their order"
    yield ((f"{table.count_a:,} → {table.count_b:,} rows{key}; {table_words(table)}", "muted"),)
    for column in table.columns:
        kinds = f"  {column.kind_a} → {column.kind_b}" if column.status == "changed" else ""
        yield ((f"{MARKS[column.status]} ", "warn+bold"), (f"column {clean(column.name)}{kinds}", "text"))
    shown = table.rows[:5000]
    widths = [
        min(_CELL, max([cell_len(clean(name)) + 1, *(_width(row.a, row.b, at) for row in shown[:500])]))
        for at, name in enumerate(table.names)
    ]
    yield ()
    yield (
        ("  ", "text"),
        *((_fit(clean(name), width), "key") for name, width in zip(table.names, widths, strict=True)),
    )
    for row in shown:
        for op, values in (("-", row.a), ("+", row.b)):
            if values is None:
                continue
            spans: list[Span] = [(f"{op} ", f"{_ROLES[op]}+bold")]
            for at, (value, width) in enumerate(zip(values, widths, strict=True)):
                differs = at in row.changed
                role = f"{_ROLES[op]}+bold+underline" if differs else "text"
                text = clean(value or "", limit=_CELL * 2)
                spans += [(text if cell_len(text) < width else set_cell_size(text, width - 2) + "…", role)]
                spans.append((" " * max(1, width - cell_len(spans[-1][0]) + 1), "text"))
            yield spans


def _width(a: Sequence[str | None] | None, b: Sequence[str | None] | None, at: int) -> int:
    return max(cell_len(clean(cells[at] or "", limit=_CELL)) if cells else 0 for cells in (a, b)) + 1


def _fit(text: str, width: int) -> str:
    return (set_cell_size(text, width) if cell_len(text) < width else set_cell_size(text, width - 1) + "…") + " "


def timeline_page(title: str, moments: Sequence[Moment]) -> Page:
    """One thing over all versions, the oldest first."""
    from kittui.compare.words import value_words

    lines: list[Line] = [((clean(title), "text+bold"),), (("over all versions, the oldest first", "muted"),), ()]
    for moment in moments:
        value = moment.problem or (value_words(moment.value) if moment.found else "not there")
        role = "bad" if moment.problem else "warn" if moment.changed else "text"
        lines.append(
            (
                ("~ " if moment.changed else "  ", "warn+bold"),
                (f"{clean(', '.join(moment.tags), limit=40):<28} ", "key"),
                (f"{moment.digest.partition(':')[2][:12]}  ", "muted"),
                (clean(value), role),
            )
        )
        if moment.created:
            lines.append(((" " * 31 + clean(moment.created), "faint"),))
    return Page(lines)

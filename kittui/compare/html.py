"""Writes a comparison as one self-contained HTML page: no scripts, no fetched styles, all text escaped."""

from __future__ import annotations

from html import escape as escape_html

from kittui.compare.changes import MARKS, Line, TextChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.outline import Entry, outline
from kittui.compare.review import Review, review_words
from kittui.compare.words import cells_of, change_words, counted, size_words, summary_words
from kittui.terminal import clean

_ENTRIES = 20_000
"""Rows at most."""
_LINES = 2_000
"""Lines of one file at most."""
_CELL = 200
"""Approximate maximum characters of a table's cell."""

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1f24;--paper:#fff;--faint:#667080;--rule:#d9dee6;--add:#e6f4ea;--cut:#fdecea;
--addw:#a8dab5;--cutw:#f6b5ae;--bar:#c9731a;--good:#16703a;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#dfe3ea;--paper:#14171c;--faint:#8a94a4;--rule:#2b313b;--add:#12301c;
--cut:#3a1714;--addw:#24663a;--cutw:#7a2a24;--bar:#e09a4a;--good:#8fd694;--bad:#f2828d}}
body{font:14px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:75rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.4rem}code,pre,.m{font-family:ui-monospace,monospace;font-size:.92em}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;padding:.15rem .6rem .15rem 0;
vertical-align:top;overflow-wrap:anywhere}tr+tr td{border-top:1px solid var(--rule)}
details{margin:.15rem 0 .15rem 1.1rem}summary{cursor:pointer}.leaf{margin:.15rem 0 .15rem 2rem}
.d{color:var(--faint)}pre{overflow-x:auto;margin:.4rem 0;border:1px solid var(--rule);padding:.4rem}
.add{background:var(--add)}.cut{background:var(--cut)}.add b{background:var(--addw);font-weight:inherit}
.cut b{background:var(--cutw);font-weight:inherit}.h{color:var(--faint)}
.n{white-space:nowrap}.k-added{color:var(--good)}.k-removed{color:var(--bad)}.k-changed{color:var(--bar)}
body>details>summary>.m{font-weight:600}.bar{display:inline-block;height:.6em;background:var(--bar);margin-left:.5em}
"""


def to_html(comparison: Comparison, review: Review | None = None) -> str:
    """Write the report as one page."""
    a, b = comparison.a, comparison.b
    left = [_ENTRIES]
    body = "".join(_entry(entry, left) for entry in outline(comparison))
    if left[0] <= 0:
        body += f"<p class=d>Only the first {_ENTRIES} rows are shown.</p>"
    title = f"{_text(_name(a))} → {_text(_name(b))}"
    return (
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{title}</h1><table><tr><th></th><th>reference</th><th>digest</th><th>size</th><th>created</th></tr>"
        f"{_version('a', a)}{_version('b', b)}</table>"
        f"<p><strong>{_text('; '.join(summary_words(comparison)))}.</strong> Changes: {_text(counted(comparison))}.</p>"
        f"{_review(comparison, review)}{body}"
        f"<p class=d>Compare again: <code>kittui diff {_text(a.pinned)} {_text(b.pinned)}</code></p>"
        "</body></html>\n"
    )


def _review(comparison: Comparison, review: Review | None) -> str:
    if review is None or review.empty:
        return ""
    said, notes = review_words(comparison, review)
    items = "".join(f"<li><code>{_text(title)}</code>: {_text(note)}</li>" for title, note in notes)
    return f"<h2>Review</h2><p><strong>{_text(said)}</strong></p>" + (f"<ul>{items}</ul>" if items else "")


def _text(text: str) -> str:
    return escape_html(clean(text), quote=True)


def _name(version: Version) -> str:
    return version.tags[0] if version.tags else version.short


def _version(side: str, version: Version) -> str:
    return (
        f"<tr><td>{side}</td><td><code>{_text(version.reference)}</code></td>"
        f"<td><code>{_text(version.digest)}</code></td><td class=n>{size_words(version.size)}</td>"
        f"<td class=n>{_text(version.created or 'not known')}</td></tr>"
    )


def _entry(entry: Entry, left: list[int]) -> str:
    left[0] -= 1
    if left[0] < 0:
        return ""
    mark = MARKS[entry.status] if entry.status else ""
    bar = f'<span class=bar style="width:{entry.bar * 6:.2f}em"></span>' if entry.bar else ""
    title = f"<span class=m>{_text(entry.title)}</span> <span class=d>{_text(entry.detail)}</span>"
    kind = f" class=k-{entry.status}" if entry.status in ("added", "removed", "changed") else ""
    head = f"<code{kind}>{mark or ' '}</code> {title}{bar}"
    inside = "".join(_entry(child, left) for child in entry.children)
    if entry.text is not None:
        inside += _change(entry.text)
    if not inside:
        return f"<div class=leaf>{head}</div>"
    opened = " open" if entry.status not in ("same", "added", "removed") else ""
    return f"<details{opened}><summary>{head}</summary>{inside}</details>"


def _change(text: TextChange) -> str:
    parts = [f"<p class=d>{_text(note)}</p>" for note in text.notes]
    parts += [
        f"<div class=leaf><code class=k-{value.status}>{MARKS[value.status]}</code> "
        f"<span class=m>{_text(value.path)}</span> {_text(change_words(value))}</div>"
        for value in text.values[:_LINES]
    ]
    if text.table is not None:
        table = text.table
        head = "".join(f"<th>{_text(name)}</th>" for name in table.names)
        rows = []
        for row in table.rows[:_LINES]:
            for op, style, cells in zip("-+", ("cut", "add"), cells_of(row, _CELL), strict=True):
                if not cells:
                    continue
                marked = "".join(
                    f"<td>{'<b>' if at in row.changed else ''}{'' if cell is None else _text(cell)}"
                    f"{'</b>' if at in row.changed else ''}</td>"
                    for at, cell in enumerate(cells)
                )
                rows.append(f"<tr class={style}><td>{op}</td>{marked}</tr>")
        parts.append(f"<table class=m><tr><th></th>{head}</tr>{''.join(rows)}</table>")
    elif text.hunks:
        lines: list[str] = []
        for hunk in text.hunks:
            section = f" {_text(hunk.section)}" if hunk.section else ""
            lines.append(
                f"<span class=h>@@ -{hunk.a_start},{hunk.a_count} +{hunk.b_start},{hunk.b_count} @@{section}</span>"
            )
            lines += [_line(line) for line in hunk.lines]
            if len(lines) > _LINES:
                lines = [*lines[:_LINES], "…"]
                break
        parts.append("<pre>" + "\n".join(lines) + "</pre>")
    return "".join(parts)


def _line(line: Line) -> str:
    style = {"+": "add", "-": "cut"}.get(line.op)
    text, at = "", 0
    for start, end in line.words:
        text += f"{_text(line.text[at:start])}<b>{_text(line.text[start:end])}</b>"
        at = end
    text += _text(line.text[at:])
    note = f" <span class=h>{_text(line.note)}</span>" if line.note else ""
    return f"<span class={style}>{line.op}{text}</span>{note}" if style else f" {text}{note}"

"""Writes a comparison as Markdown for a merge request: pinned to digests, with all content escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kittui.compare.changes import MARKS, TextChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.outline import tensor_entries
from kittui.compare.review import Review, review_words
from kittui.compare.words import (
    change_words,
    counted,
    file_words,
    row_words,
    size_words,
    summary_words,
    tensor_words,
    text_words,
)
from kittui.terminal import clean

_ROWS = 200
"""Maximum rows of a table; the rest is counted."""
_LINES = 400
"""Maximum lines of one file's hunks."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~&@$])")


def escape(text: str) -> str:
    """Escape text so that no Markdown renderer reads it as markup, link, mention or HTML."""
    return _SPECIAL.sub(r"\\\1", clean(text)).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def code(text: str) -> str:
    """Write text as inline code in a table cell, even if it contains backticks."""
    text = clean(text).replace("|", "¦") if "|" in text else clean(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{space}{text}{space}{fence}"


def to_markdown(comparison: Comparison, review: Review | None = None) -> str:
    """Write the report. Equal parts are counted, not listed."""
    a, b = comparison.a, comparison.b
    lines = [
        f"# {escape(_name(a))} → {escape(_name(b))}",
        "",
        "| | reference | digest | size | created |",
        "| --- | --- | --- | ---: | --- |",
        *(
            f"| {name} | {code(side.reference)} | {code(side.digest)} | {size_words(side.size)} | "
            f"{code(side.created) if side.created else 'not known'} |"
            for name, side in (("a", a), ("b", b))
        ),
        "",
        f"**{escape('; '.join(summary_words(comparison)))}.** Changes: {escape(counted(comparison))}.",
        "",
    ]
    if review is not None and not review.empty:
        said, notes = review_words(comparison, review)
        lines += ["## Review", "", f"**{escape(said)}**", ""]
        lines += [f"- {code(title)}: {escape(' '.join(note.split()))}" for title, note in notes]
        lines += [""] if notes else []
    lines += _table(
        "Kitfile",
        ("", "path", "change"),
        [(MARKS[v.status], code(v.path), code(change_words(v))) for v in comparison.kitfile],
    )
    lines += _table(
        "Annotations",
        ("", "key", "change"),
        [(MARKS[v.status], code(v.path), code(change_words(v))) for v in comparison.annotations],
    )
    layers = [layer for layer in comparison.layers if layer.status != "same"]
    lines += _table(
        "Layers",
        ("", "type", "path", "status", "a", "b"),
        [
            (
                MARKS[layer.status],
                escape(layer.type),
                code(layer.path),
                layer.status.replace("_", " "),
                *(f"{code(side.digest[:19])} {size_words(side.size)}" if side else "" for side in (layer.a, layer.b)),
            )
            for layer in layers
        ],
    )
    texts = {text.path: text for text in comparison.texts}
    files = [file for file in comparison.files if file.status != "same"]
    lines += _table(
        "Files",
        ("", "path", "status", "what"),
        [
            (
                MARKS[file.status],
                code(file.path),
                file.status.replace("_", " "),
                escape(file_words(file, texts.get(file.path))),
            )
            for file in files
        ],
    )
    lines += _table(
        "Model metadata",
        ("", "file", "key", "change"),
        [(MARKS[v.status], code(file), code(v.path), code(change_words(v))) for file, v in comparison.metadata],
    )
    lines += _tensors(comparison)
    for text in comparison.texts:
        lines += _text(text)
    if comparison.problems:
        lines += ["## Could not be compared", ""]
        lines += [f"- {escape(problem.where)}: {escape(problem.message)}" for problem in comparison.problems]
        lines.append("")
    lines += [
        f"Compare again: {code(f'kittui diff {a.pinned} {b.pinned}')}",
        "",
    ]
    return "\n".join(lines)


def _name(version: Version) -> str:
    return version.tags[0] if version.tags else version.short


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    listed = list(rows)
    if not listed:
        return []
    lines = [f"## {title} ({len(listed)})", "", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(code(row[0]) if not at and row[0].strip() else row[at] for at in range(len(row))) + " |"
              for row in listed[:_ROWS]]  # fmt: skip
    if len(listed) > _ROWS:
        lines += ["", f"and {len(listed) - _ROWS} more."]
    return [*lines, ""]


def _tensors(comparison: Comparison) -> list[str]:
    if not comparison.tensors:
        return []
    lines: list[str] = []
    for file in dict.fromkeys(tensor.file for tensor in comparison.tensors):
        tensors = [tensor for tensor in comparison.tensors if tensor.file == file]
        shown = [entry for entry in tensor_entries(tensors, "") if entry.part == "tensor" and entry.status != "same"]
        same = sum(1 for tensor in tensors if tensor.status == "same")
        rows = [
            (MARKS[entry.status or "same"], code(entry.title), escape(tensor_words(entry.subject))) for entry in shown
        ]
        if rows:
            lines += _table(f"Tensors of {escape(file)}", ("", "tensor", "what"), rows)
        if same:
            lines += [f"{same} tensors of {code(file)} are the same.", ""]
    return lines


def _text(text: TextChange) -> list[str]:
    lines = ["<details>", f"<summary>{_html(text.path)}: {_html(text_words(text) or text.kind)}</summary>", ""]
    lines += [f"- {escape(note)}" for note in text.notes]
    body = [f"{MARKS[value.status]} {clean(value.path)}  {clean(change_words(value))}" for value in text.values[:_ROWS]]
    body += [f"  {len(text.values) - _ROWS} more values"] if len(text.values) > _ROWS else []
    if text.table is not None:
        body += [f"{MARKS[row.status]} {clean(row_words(text.table, row))}" for row in text.table.rows[:_LINES]]
        for column in text.table.columns:
            kinds = f" ({column.kind_a or '–'} → {column.kind_b or '–'})" if column.status == "changed" else ""
            lines.append(f"- column {code(column.name)} {column.status}{kinds}")
    else:
        for hunk in text.hunks:
            section = f" {clean(hunk.section)}" if hunk.section else ""
            body.append(f"@@ -{hunk.a_start},{hunk.a_count} +{hunk.b_start},{hunk.b_count} @@{section}")
            body += [f"{line.op}{clean(line.text)}" for line in hunk.lines]
            if len(body) > _LINES:
                body = [*body[:_LINES], "…"]
                break
    if body:
        longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        lines += ["", f"{fence}diff", *body, fence]
    return [*lines, "", "</details>", ""]


def _html(text: str) -> str:
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

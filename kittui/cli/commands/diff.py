"""`kittui diff`: what changed between two versions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence

import click

from kittui.cli import run
from kittui.cli.inspecting import agreed
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.cli.variants import labels_option, target_of
from kittui.compare.as_json import to_json
from kittui.compare.changes import MARKS, Status, TextChange
from kittui.compare.comparison import Comparison
from kittui.compare.outline import Entry, outline
from kittui.compare.review import Review
from kittui.compare.words import change_words, counted, progress_words, row_words, size_words, summary_words
from kittui.errors import KittuiError, UsageError
from kittui.state.reviews import Reviews
from kittui.usecases.diff.compare import Depth, Side

_STYLES: dict[Status, str] = {
    "added": "green",
    "removed": "red",
    "changed": "yellow",
    "moved": "cyan",
    "repacked": "cyan",
    "not_compared": "magenta",
}
_COLUMNS = 80
_VALUES = 100
_UNREAD = 100
"""Tensors with unread values listed per file; JSON lists all."""
_DIFFERENT = 1
_FAILED = 2


@run.command("diff")
@click.argument("a")
@click.argument("b")
@labels_option
@click.option("--a-label", "a_labels", multiple=True, metavar="LABEL=VALUE", help="The same, for A only.")
@click.option("--b-label", "b_labels", multiple=True, metavar="LABEL=VALUE", help="The same, for B only.")
@click.option("--content", is_flag=True, help="Read every differing layer whole, verify it and compare every value.")
@click.option("--sample", type=click.IntRange(1, 10_000), help="Read N random windows of each large file instead.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the manifests differ, and never with 1 for an error.")
@click.option("--tool", metavar="PATH", help="Open both sides of the file PATH (or Kitfile) in the difftool instead.")
@click.option("--markdown", is_flag=True, help="Print a report for a merge request, pinned to digests.")
@click.option("--html", is_flag=True, help="Print a report as one HTML page.")
async def command(
    call: Call,
    a: str,
    b: str,
    labels: tuple[str, ...],
    a_labels: tuple[str, ...],
    b_labels: tuple[str, ...],
    content: bool,
    sample: int | None,
    exit_code: bool,
    tool: str | None,
    markdown: bool,
    html: bool,
) -> int:
    """Compare two ModelKits: Kitfile, layers, files, lines, rows and tensors.

    Neither is pulled: only what may differ is read, and layers in the local store are read from there.
    Tensor values are compared with --content. --tool PATH opens verified copies of one file in the configured
    `difftool`, else in $VISUAL or $EDITOR if it can compare; edits to the copies are discarded.
    To compare two variants of one index, name it twice:
    diff REF REF --a-label quantization=q4_0 --b-label quantization=q8_0.
    """
    if markdown + html + call.options.json > 1:
        raise UsageError("only one of --json, --markdown and --html can be printed")
    if tool is not None:
        if markdown or html or call.options.json or content or sample or exit_code:
            raise UsageError("--tool prints no comparison", hint="Leave out the other options.")
        from kittui.cli.difftool import open_difftool

        return await open_difftool(call, (a, (*labels, *a_labels)), (b, (*labels, *b_labels)), tool)
    try:
        comparison = await _compare(
            call, ((a, (*labels, *a_labels)), (b, (*labels, *b_labels))), Depth(content=content, sample=sample or 0)
        )
    except KittuiError as error:
        if not exit_code or error.exit_status != _DIFFERENT:
            raise
        call.printer.error(error)
        return _FAILED
    review = await _review(call, comparison)
    if markdown:
        from kittui.compare.markdown import to_markdown

        sys.stdout.write(to_markdown(comparison, review))
    elif html:
        from kittui.compare.html import to_html

        sys.stdout.write(to_html(comparison, review))
    else:
        call.printer.result(to_json(comparison, review), lambda: _print(call, comparison))
    call.printer.clear()
    return _DIFFERENT if exit_code and not comparison.identical else 0


async def _compare(call: Call, versions: Sequence[tuple[str, Sequence[str]]], depth: Depth) -> Comparison:
    composition = call.composition
    sides = []
    for text, labels in versions:
        located = await composition.places.locate(text)
        sides.append(Side(located.repository, await target_of(call, located, labels)))
    case = await composition.differ(sides, composition.inspector(agreed(call)))

    def told(state: Comparison) -> None:
        call.printer.status(progress_words(state) or f"{counted(state)} changed so far, {size_words(state.bytes)} read")

    return await case.compare(sides[0], sides[1], depth, told)


async def _review(call: Call, comparison: Comparison) -> Review | None:
    """The saved review of these two digests, if any."""
    reviews = Reviews(call.composition.state_dir)
    found = Review.from_json(await asyncio.to_thread(reviews.read, comparison.a.digest, comparison.b.digest))
    return None if found.empty else found


def _print(call: Call, comparison: Comparison) -> None:
    printer = call.printer
    a, b = comparison.a, comparison.b
    printer.line(("a  ", "dim"), (a.reference, "bold"), (f"  {a.short}  {size_words(a.size)}", "dim"))
    printer.line(("b  ", "dim"), (b.reference, "bold"), (f"  {b.short}  {size_words(b.size)}", "dim"))
    for facts in _packed(summary_words(comparison)):
        printer.line(facts)
    for entry in outline(comparison):
        for line in _lines(entry, 0):
            printer.line(*line)
    if not comparison.identical:
        printer.line("")
        printer.line(f"changes: {counted(comparison)}")
    if comparison.unread and any(tensor.status == "not_compared" for tensor in comparison.tensors):
        printer.line(f"--content compares the values too: {size_words(comparison.unread)} to read")


def _packed(facts: list[str]) -> Iterator[str]:
    """Pack facts into lines of 80 columns without breaking a fact."""
    line = ""
    for fact in facts:
        if line and len(line) + len(fact) + 3 > _COLUMNS:
            yield line
            line = ""
        line += f" · {fact}" if line else fact
    yield line


def _lines(entry: Entry, depth: int) -> Iterator[list[Styled]]:
    if entry.status == "same" and entry.part != "layer":
        return
    if not depth and (entry.children or entry.status != "same"):
        yield [""]
    mark = f"{MARKS[entry.status]} " if entry.status else ""
    style = _STYLES.get(entry.status, "") if entry.status else ""
    bar = f"  {'█' * max(1, round(entry.bar * 8))}" if entry.bar else ""
    yield [
        "  " * depth,
        (mark + entry.title, style or ("bold" if not depth else "")),
        f"  {entry.detail}".rstrip(),
        bar,
    ]
    unread = 0
    for child in entry.children:
        if child.part == "tensor" and child.status == "not_compared":
            unread += 1
            if unread > _UNREAD:
                continue
        yield from _lines(child, depth + 1)
    if unread > _UNREAD:
        yield ["  " * (depth + 1), (f"and {unread - _UNREAD:,} more tensors not compared", "magenta")]
    same = sum(1 for child in entry.children if child.status == "same")
    if same:
        what = "tensor" if any(child.part == "tensor" for child in entry.children) else "file"
        yield ["  " * (depth + 1), (f"{same} {what}{'s' if same > 1 else ''} the same", "dim")]
    if entry.text is not None and entry.status == "changed":
        yield from _text(entry.text, "  " * (depth + 2))


def _text(text: TextChange, indent: str) -> Iterator[list[Styled]]:
    for note in text.notes:
        yield [indent, (note, "dim")]
    for value in text.values[:_VALUES]:
        yield [indent, (f"{MARKS[value.status]} {value.path}  {change_words(value)}", _STYLES.get(value.status, ""))]
    if len(text.values) > _VALUES:
        yield [indent, (f"and {len(text.values) - _VALUES} more values", "dim")]
    if text.table is not None:
        for column in text.table.columns:
            yield [indent, f"column {column.name} {column.status}"]
        for row in text.table.rows[:100]:
            yield [indent, (f"{MARKS[row.status]} {row_words(text.table, row)}", _STYLES.get(row.status, ""))]
        if (total := text.table.added + text.table.removed + text.table.changed) > 100:
            yield [indent, (f"and {total - 100} more rows", "dim")]
        return
    for hunk in text.hunks:
        where = f"@@ -{hunk.a_start},{hunk.a_count} +{hunk.b_start},{hunk.b_count} @@ {hunk.section}".rstrip()
        yield [indent, (where, "cyan")]
        for line in hunk.lines:
            style = {"+": "green", "-": "red"}.get(line.op, "")
            yield [indent, (line.op + line.text, style), (f"  ({line.note})" if line.note else "", "dim")]
    if text.cut:
        yield [indent, (f"and {text.cut} more hunks", "dim")]

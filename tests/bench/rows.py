"""What a bench answers with, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["", "ok", "MISSED", "not run"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, what came out, what it is held against."""

    what: str
    measured: str
    target: str = ""
    verdict: Verdict = ""
    note: str = ""


def judged(what: str, measured: str, target: str, reached: bool, note: str = "") -> Row:
    """A row with a target that was reached or missed."""
    return Row(what, measured, target, "ok" if reached else "MISSED", note)


def render(rows: Iterable[Row]) -> str:
    """A Markdown table, aligned so that it reads well in a terminal too."""
    head = ("what", "measured", "target", "", "note")
    lines = [head, *((row.what, row.measured, row.target, row.verdict, row.note) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    made = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    made.insert(1, "| " + " | ".join("-" * max(width, 1) for width in widths) + " |")
    return "\n".join(made)

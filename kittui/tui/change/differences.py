"""Summarises the changes between two versions in a few lines: sizes, then the most telling Kitfile values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from textual.content import Content

from kittui.compare.words import change_words
from kittui.terminal import clean, counted, size_text

if TYPE_CHECKING:
    from kittui.compare.changes import ValueChange
    from kittui.compare.comparison import Comparison

_MARKS = {"added": "+", "removed": "−"}
_VALUE = 24
"""The most characters of a value."""


def difference_lines(comparison: Comparison, limit: int) -> list[Content]:
    """At most `limit` lines: changes of layers and size, then Kitfile values, parameters first."""
    if comparison.identity == "repacked":
        return [Content.assemble(("The same content, packed differently", "$kit-text"))]
    lines = []
    if facts := " · ".join(part for part in (_layers(comparison), _sizes(comparison)) if part):
        lines.append(_line("layers", facts))
    values = sorted(comparison.kitfile, key=_weight)
    if not values:
        lines.append(_line("Kitfile", "the same values"))
        return lines
    lines.append(_line("Kitfile", counted(len(values), "value")))
    room = limit - len(lines)
    shown = values if len(values) <= room else values[: max(0, room - 1)]
    width = min(40, max((len(clean(value.path)) for value in shown), default=0))
    lines += [
        Content.assemble(
            (f"{_MARKS.get(value.status, '~')} ", "$kit-accent"),
            (f"{clean(value.path, limit=40):<{width}}  ", "$kit-muted"),
            (clean(change_words(value, _VALUE)), "$kit-text"),
        )
        for value in shown
    ]
    if 0 < len(shown) < len(values):
        lines.append(Content.assemble((f"  and {len(values) - len(shown)} more", "$kit-muted")))
    return lines


def _line(what: str, words: str) -> Content:
    return Content.assemble((f"{what:<7}  ", "$kit-muted"), (words, "$kit-text"))


def _weight(value: ValueChange) -> tuple[int, str]:
    """Sort key: a model's parameters are the most telling, the package's own version the least."""
    order = 0 if "parameters" in value.path.split(".") else 2 if value.path.startswith("package.") else 1
    return order, value.path


def _layers(comparison: Comparison) -> str:
    counts = Counter(layer.status for layer in comparison.layers)
    words = [f"{counts[status]} {status}" for status in ("changed", "added", "removed") if counts[status]]
    if comparison.shared_layers:
        words.append(f"{comparison.shared_layers} shared")
    return ", ".join(words)


def _sizes(comparison: Comparison) -> str:
    a, b = comparison.a.size, comparison.b.size
    return size_text(b) if a == b else f"{size_text(a)} → {size_text(b)}"

"""Turns documents into lines: JSON exactly as received, tables of names and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kittui.terminal import clean
from kittui.tui.widgets.highlight import JSON_TOKEN, highlight_json
from kittui.tui.widgets.lines import Line, Page


def json_page(raw: bytes) -> Page:
    """Show JSON exactly as received, only broken into indented lines if it came as one.

    Duplicate keys, number forms, escapes and the order stay; text that can't be tokenised is shown as it is.
    """
    text = raw.decode("utf-8", "backslashreplace")
    lines = text.splitlines() if text.count("\n") > 2 else _broken(text)
    return Page([clean_line(line) for line in lines], highlight_json, text)


def _broken(text: str) -> list[str]:
    lines: list[str] = []
    current: list[str] = []
    depth = 0
    pieces = [match[0] for match in JSON_TOKEN.finditer(text) if not match[0].isspace()]

    def flush() -> None:
        if current:
            lines.append("  " * min(depth, 40) + "".join(current))
            current.clear()

    for number, piece in enumerate(pieces):
        if piece in "}]" and pieces[number - 1] not in "{[":
            flush()
            depth -= 1
            current.append(piece)
        elif piece in "}]":
            current.append(piece)
            depth -= 1
        elif piece in "{[":
            current.append(piece)
            if not (number + 1 < len(pieces) and pieces[number + 1] in "}]"):
                flush()
            depth += 1
        elif piece == ",":
            current.append(piece)
            flush()
        elif piece == ":":
            current.append(": ")
        else:
            current.append(piece)
    flush()
    return lines


def clean_line(line: str) -> str:
    """One line of a document, tabs as blanks, safe for the terminal and never cut short."""
    return clean(line.expandtabs(4), limit=None)


def heading(text: str) -> Line:
    """A section's title."""
    return ((text, "muted+bold"),)


def pairs(values: Mapping[str, str] | Iterable[tuple[str, str]], role: str = "text") -> list[Line]:
    """Names and values in two aligned columns; both are cleaned."""
    items = [(clean(name), clean(value)) for name, value in (values.items() if isinstance(values, Mapping) else values)]
    width = min(28, max((len(name) for name, _ in items), default=0))
    return [((f"{name:<{width}}  ", "muted"), (value, role)) for name, value in items]


def stacked(values: Mapping[str, str]) -> list[Line]:
    """Long names, each with its value indented below; both are cleaned."""
    lines: list[Line] = []
    for name, value in values.items():
        lines += [((clean(name), "key"),), ((f"  {clean(value)}", "text"),)]
    return lines

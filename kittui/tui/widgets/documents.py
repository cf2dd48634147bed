"""Turning documents into highlighted lines: YAML, JSON exactly as received, tables of names and values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kittui.terminal import clean
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Span, Spans

_YAML = re.compile(r"^(\s*(?:- )*)([^\s:#'\"\[{][^:]*?|\"[^\"]*\"|'[^']*')(:)(?=\s|$)(.*)$")
_ITEM = re.compile(r"^(\s*(?:- )+)(.*)$")
_SCALAR = re.compile(r"^\s*(?:[-+]?[0-9][0-9_.eE+-]*|true|false|null|~)\s*$")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[{}\[\],:]|\s+|.', re.DOTALL)
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*:)')


def highlight_yaml(line: str) -> Spans:
    """The spans of one line of YAML: keys in the accent, numbers and strings in their roles."""
    match = _YAML.match(line)
    if match:
        indent, key, colon, value = match.groups()
        return [(indent, "muted"), (key, "key"), (colon, "muted"), *_value(value)]
    match = _ITEM.match(line)
    if match:
        return [(match[1], "muted"), *_value(match[2])]
    return ((line, "muted" if line.lstrip().startswith("#") else "string"),)


def _value(text: str) -> list[Span]:
    return [(text, "number" if _SCALAR.match(text) else "text")] if text else []


def highlight_json(line: str) -> Spans:
    """The spans of one line of JSON."""
    spans: list[Span] = []
    keys = {match.start() for match in _KEY.finditer(line)}
    for match in _TOKEN.finditer(line):
        piece = match[0]
        if piece[0] == '"':
            role = "key" if match.start() in keys else "string"
        elif piece[0] in "{}[],: \t":
            role = "muted"
        else:
            role = "number"
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + piece, role)
        else:
            spans.append((piece, role))
    return spans


def yaml_page(text: str) -> Page:
    """A Kitfile, highlighted."""
    return Page([clean_line(line) for line in text.splitlines()], highlight_yaml, text)


def json_page(raw: bytes) -> Page:
    """JSON with every piece exactly as received, only broken into indented lines where it came as one.

    Duplicate keys, number forms, escapes and the order stay; what can't be tokenised is shown as it is.
    """
    text = raw.decode("utf-8", "backslashreplace")
    lines = text.splitlines() if text.count("\n") > 2 else _broken(text)
    return Page([clean_line(line) for line in lines], highlight_json, text)


def _broken(text: str) -> list[str]:
    lines: list[str] = []
    current: list[str] = []
    depth = 0
    pieces = [match[0] for match in _TOKEN.finditer(text) if not match[0].isspace()]

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

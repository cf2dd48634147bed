"""Highlights syntax: returns the roles of a line's pieces, the same wherever a text is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from kittui.tui.widgets.cutting import Span, Spans

if TYPE_CHECKING:
    from pygments.lexer import Lexer

LIMIT: Final = 200_000
"""Maximum characters coloured in one go; longer texts stay plain, so that no file keeps the processor busy."""
LINE_LIMIT: Final = 20_000
"""Maximum characters of a coloured line: JSON often comes on one line."""
_LEXERS: Final = {
    "bash": "bash sh zsh",
    "c": "c h",
    "cmake": "cmake",
    "cpp": "cc cpp cxx hpp",
    "css": "css",
    "diff": "diff patch",
    "docker": "dockerfile",
    "go": "go",
    "html": "htm html",
    "ini": "cfg ini",
    "java": "java",
    "javascript": "javascript js",
    "jinja": "j2 jinja jinja2",
    "julia": "jl julia",
    "lua": "lua",
    "make": "makefile",
    "markdown": "markdown md",
    "protobuf": "proto",
    "python": "py python",
    "r": "r",
    "rust": "rs rust",
    "sql": "sql",
    "toml": "toml",
    "typescript": "ts typescript",
    "xml": "xml",
}
"""Pygments' name of each coloured language, with the endings or names of its files."""
_ROLES: Final = (
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
)
_YAML = re.compile(r"^(\s*(?:- )*)([^\s:#'\"\[{][^:]*?|\"[^\"]*\"|'[^']*')(:)(?=\s|$)(.*)$")
_ITEM = re.compile(r"^(\s*(?:- )+)(.*)$")
_SCALAR = re.compile(r"^\s*(?:[-+]?[0-9][0-9_.eE+-]*|true|false|null|~)\s*$")
JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[{}\[\],:]|\s+|.', re.DOTALL)
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*:)')


def line_highlighter(path: str) -> Callable[[str], Spans] | None:
    """The highlighter of single lines for a text of this name; None if it needs the lines around."""
    name = path.lower()
    if name.endswith((".json", ".jsonl", ".ipynb")):
        return _unless_long(highlight_json)
    if name.endswith((".yaml", ".yml")) or name.rpartition("/")[2] == "kitfile":
        return _unless_long(highlight_yaml)
    return None


def _unless_long(by_line: Callable[[str], Spans]) -> Callable[[str], Spans]:
    return lambda line: by_line(line) if len(line) <= LINE_LIMIT else ((line, "text"),)


def highlight(path: str, lines: Sequence[str]) -> list[Spans]:
    """The spans of consecutive lines in a text of this name; their characters do not change."""
    by_line = line_highlighter(path)
    if by_line is not None:
        return [by_line(line) for line in lines]
    plain: list[Spans] = [((line, "text"),) for line in lines]
    lexer = _lexer(path.rpartition("/")[2].rpartition(".")[2].lower())
    if lexer is None or not any(lines) or sum(map(len, lines)) > LIMIT:
        return plain
    found: list[list[Span]] = [[]]
    for token, piece in lexer.get_tokens("\n".join(lines)):
        role = _role(str(token))
        for number, part in enumerate(piece.split("\n")):
            if number:
                found.append([])
            if part:
                found[-1].append((part, role))
    # A lexer may change its input (line ends, a missing last one): then show the text without colours.
    return [
        spans if "".join(text for text, _ in spans) == line else bare
        for line, spans, bare in zip(lines, [*found, *([[]] * len(lines))], plain, strict=False)
    ]


@cache
def _lexer(ending: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name  # slow to import, and most sessions show no program

    for name, endings in _LEXERS.items():
        if ending in endings.split():
            lexer: Lexer = get_lexer_by_name(name, stripnl=False, ensurenl=False)
            return lexer
    return None


@cache
def _role(token: str) -> str:
    return next((role for prefix, role in _ROLES if token.startswith(prefix)), "text")


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
    for match in JSON_TOKEN.finditer(line):
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

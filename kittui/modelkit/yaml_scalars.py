"""Writes single YAML values as kit does: Go's yaml.v3 quoting rules (its encode.go, resolve.go, emitterc.go)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

_RESERVED: Final = frozenset(
    (
        *("", "~", "true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL"),
        *(".nan", ".NaN", ".NAN", *(sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF"))),
        *("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"),
    )
)
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_POINT_FLOAT = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?\Z")
_INTEGER = re.compile(
    r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>[1-9][0-9]*|0))\Z"
)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(?:Z|[-+]\d\d:\d\d)"
    r"| (\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?)?\Z"
)
_ESCAPES: Final = {
    0x00: "0", 0x07: "a", 0x08: "b", 0x09: "t", 0x0A: "n", 0x0B: "v", 0x0C: "f", 0x0D: "r", 0x1B: "e", 0x22: '"',
    0x5C: "\\", 0x85: "N", 0xA0: "_", 0x2028: "L", 0x2029: "P",
}  # fmt: skip
_BREAKS: Final = "\r\n\x85\u2028\u2029"
_FLOAT_DIGITS: Final = 6
"""From this power of ten, Go writes floats with an exponent."""


def number_text(value: int | float) -> str:
    """Write a number as Go writes a float64: kit reads all numbers in parameters as floats."""
    try:
        value = float(value)
    except OverflowError:
        return str(value)
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        return {"inf": ".inf", "-inf": "-.inf"}.get(repr(value), ".nan")
    text = "".join(map(str, digits))
    power = len(text) + exponent - 1
    if power < -4 or power >= _FLOAT_DIGITS:
        rest = f".{text[1:]}" if len(text) > 1 else ""
        shown = f"{text[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02d}"
    elif exponent >= 0:
        shown = text + "0" * exponent
    elif power >= 0:
        shown = f"{text[: power + 1]}.{text[power + 1 :]}"
    else:
        shown = f"0.{'0' * (-power - 1)}{text}"
    return ("-" if sign else "") + shown


def plain_is_text(text: str) -> bool:
    """Whether an unquoted scalar would be read as this very text, by YAML 1.2 and by the old policy."""
    if text in _RESERVED:
        return False
    first = text[0]
    if first == ".":
        return not _POINT_FLOAT.match(text)
    if first not in "+-0123456789":
        return True
    if _BASE60.match(text) or _is_timestamp(text):
        return False
    joined = text.replace("_", "")
    return not _is_integer(joined) and not (_FLOAT.match(joined) and abs(float(joined)) != float("inf"))


def _is_integer(text: str) -> bool:
    match = _INTEGER.match(text)
    if match is None:
        return False
    for name, base in (("hex", 16), ("bin", 2), ("oct", 8), ("dec", 10)):
        digits = match[name]
        if digits is not None:
            if len(digits) > 64:
                return False
            number = int(digits, base)
            return number <= 1 << 63 if text.startswith("-") else number < (1 << 63 if text[0] == "+" else 1 << 64)
    return False


def _is_timestamp(text: str) -> bool:
    match = _TIMESTAMP.match(text)
    if match is None:
        return False
    numbers = [int(group) for group in match.groups() if group is not None]
    try:
        datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001 - only a check of the ranges
    except ValueError:
        return int(numbers[0]) == 0
    return True


@dataclass(frozen=True, slots=True)
class Analysis:
    """The styles in which a text may be written."""

    multiline: bool
    flow_plain: bool
    block_plain: bool
    single: bool
    block: bool


def analyse(text: str) -> Analysis:
    """Port of yaml_emitter_analyze_scalar."""
    if not text:
        return Analysis(False, False, True, True, False)
    block_indicator = flow_indicator = text.startswith(("---", "..."))
    line_breaks = special = tabs = break_space = space_break = False
    previous_space = previous_break = False
    after_blank = True
    last = len(text) - 1
    for at, character in enumerate(text):
        before_blank = at == last or text[at + 1] in " \t"
        if at == 0:
            if character in "#,[]{}&*!|>'\"%@`":
                flow_indicator = block_indicator = True
            elif character in "?:":
                flow_indicator = True
                block_indicator = block_indicator or before_blank
            elif character == "-" and before_blank:
                flow_indicator = block_indicator = True
        elif character in ",?[]{}":
            flow_indicator = True
        elif character == ":":
            flow_indicator = True
            block_indicator = block_indicator or before_blank
        elif character == "#" and after_blank:
            flow_indicator = block_indicator = True
        if character == "\t":
            tabs = True
        elif not _printable(character):
            special = True
        if character == " ":
            break_space = break_space or previous_break
            previous_space, previous_break = True, False
        elif character in _BREAKS:
            line_breaks = True
            space_break = space_break or previous_space
            previous_space, previous_break = False, True
        else:
            previous_space = previous_break = False
        after_blank = character in " \t\0" or character in _BREAKS
    edges = text[0] in " " + _BREAKS or text[-1] in " " + _BREAKS
    unusual = break_space or space_break or tabs or special
    plain = not (edges or unusual or line_breaks)
    return Analysis(
        multiline=line_breaks,
        flow_plain=plain and not flow_indicator,
        block_plain=plain and not block_indicator,
        single=not unusual,
        block=not (text[-1] == " " or space_break or special),
    )


def _printable(character: str) -> bool:
    """Whether yaml.v3 treats a character as printable: nothing beyond the basic plane, so emoji are escaped."""
    number = ord(character)
    return (
        number == 0x0A
        or 0x20 <= number <= 0x7E
        or 0xA0 <= number <= 0xD7FF
        or (0xE000 <= number <= 0xFFFD and number != 0xFEFF)
    )


def scalar(text: str, indent: int, *, flow: bool = False, key: bool = False) -> str:
    """Write a text as kit does; further lines of a block are indented by `indent` spaces.

    Surrogates, which Go lacks, are replaced; texts with Unicode's own line separators are double-quoted.
    """
    text = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    found = analyse(text)
    if "\n" in text and not (flow or key) and found.block and not {"\u2028", "\u2029"} & set(text):
        return _literal(text, indent)
    if "\n" in text or not plain_is_text(text) or (found.multiline):
        return _double(text)
    if (found.flow_plain if flow else found.block_plain) and (text or not (flow or key)):
        return text
    return "'" + text.replace("'", "''") + "'" if found.single else _double(text)


def _literal(text: str, indent: int) -> str:
    hint = "2" if text[0] in " \n" else ""
    if not text.endswith("\n"):
        hint += "-"
    elif text == "\n" or text.endswith("\n\n"):
        hint += "+"
    lines = "\n".join(" " * indent + line if line else "" for line in text.split("\n"))
    # yaml.v3 treats a leading line break of the text as the end of the header line.
    return f"|{hint}{lines}" if text[0] == "\n" else f"|{hint}\n{lines}"


def _double(text: str) -> str:
    escape_all = text.startswith("\ufeff")
    written = []
    for character in text:
        number = ord(character)
        if not escape_all and _printable(character) and character not in '"\\\n\u2028\u2029':
            written.append(character)
        elif number in _ESCAPES:
            written.append("\\" + _ESCAPES[number])
        elif number <= 0xFF:
            written.append(f"\\x{number:02X}")
        elif number <= 0xFFFF:
            written.append(f"\\u{number:04X}")
        else:
            written.append(f"\\U{number:08X}")
    return '"' + "".join(written) + '"'


def key_order(left: str, right: str) -> int:
    """Compare two keys as yaml.v3 sorts them: numbers in names by their value (its sorter.go)."""
    digits = False
    for at in range(min(len(left), len(right))):
        a, b = left[at], right[at]
        if a == b:
            digits = a.isdigit()
            continue
        letter_a, letter_b = a.isalpha(), b.isalpha()
        if letter_a and letter_b:
            return -1 if a < b else 1
        if letter_a or letter_b:
            return (-1 if letter_a else 1) if digits else (-1 if letter_b else 1)
        number_a, end_a = _number(left, at, right)
        number_b, end_b = _number(right, at, left)
        if number_a != number_b:
            return -1 if number_a < number_b else 1
        if end_a != end_b:
            return -1 if end_a < end_b else 1
        return -1 if a < b else 1
    return (len(left) > len(right)) - (len(left) < len(right))


def _number(text: str, at: int, other: str) -> tuple[int, int]:
    number = 0
    if "0" in (text[at], other[at]):
        for before in reversed(text[:at]):
            if not before.isdigit():
                break
            if before != "0":
                number = 1
                break
    end = at
    while end < len(text) and text[end].isdigit():
        number = number * 10 + ord(text[end]) - ord("0")
        end += 1
    return number, end

"""Texts line by line: hunks with their context, the words that differ, line ends, encodings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kittui.compare.changes import Hunk, Line, TextChange
from kittui.compare.lines import Block, matching_blocks

TEXT_LIMIT = 8 * 1024 * 1024
"""Bytes of a text that are aligned line by line; larger ones are told by their first difference."""
CONTEXT = 3
HUNKS_LIMIT = 2_000
LINE_LIMIT = 2_000
"""Characters of a line that are kept in a hunk."""

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_TOKENS_LIMIT = 400
_ALIKE = 0.3
"""Lines less alike than this differ as a whole: marking words would only be noise."""


def is_binary(content: bytes) -> bool:
    """Whether the bytes are no text: a NUL, or many control characters or wrong UTF-8, in the first 8 KiB."""
    head = content[:8192]
    if b"\0" in head:
        return True
    odd = sum(1 for byte in head if byte < 32 and byte not in (8, 9, 10, 12, 13, 27))
    wrong = sum(1 for character in head.decode("utf-8", "surrogateescape") if "\udc80" <= character <= "\udcff")
    return (odd + max(0, wrong - 3)) * 10 > len(head)


def decode(content: bytes) -> str:
    """UTF-8 without its byte order mark; other bytes become surrogates, so that nothing is lost."""
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def compare_texts(path: str, a: bytes, b: bytes) -> TextChange:
    """The hunks between two versions of a text file; equal texts have none.

    Binaries and texts over TEXT_LIMIT have a note with the first differing byte instead. Line ends are part of a line:
    where only they differ, the notes say which became which.
    """
    if is_binary(a) or is_binary(b):
        return TextChange(path, "binary", notes=(binary_note(a, b),) if a != b else ())
    if max(len(a), len(b)) > TEXT_LIMIT:
        return TextChange(path, "text", notes=(_large_note(a, b),) if a != b else ())
    notes = []
    if a.startswith(b"\xef\xbb\xbf") != b.startswith(b"\xef\xbb\xbf"):
        notes.append("the byte order mark was " + ("removed" if a.startswith(b"\xef\xbb\xbf") else "added"))
    text_a, text_b = decode(a), decode(b)
    lines_a, lines_b = split(text_a), split(text_b)
    ends = _ends_note(lines_a, lines_b)
    hunks: Sequence[Hunk]
    if ends and [line.rstrip("\r\n") for line in lines_a] == [line.rstrip("\r\n") for line in lines_b]:
        hunks = ()
        notes.append(f"only line ends differ: {ends}")
    else:
        hunks = compare_lines(lines_a, lines_b)
        if ends:
            notes.append(f"line ends: {ends}")
    if any("\ud800" <= character <= "\udfff" for character in text_a + text_b):
        notes.append("not all of it is UTF-8")
    cut = max(0, len(hunks) - HUNKS_LIMIT)
    return TextChange(path, "text", tuple(hunks[:HUNKS_LIMIT]), notes=tuple(notes), cut=cut)


def split(text: str) -> list[str]:
    """Lines with their ends; only line feeds end a line."""
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])


def compare_lines(a: Sequence[str], b: Sequence[str], context: int = CONTEXT, section: str = "") -> list[Hunk]:
    """Hunks between lists of lines that carry their ends."""
    gaps = list(between(matching_blocks(a, b), len(a), len(b)))
    hunks: list[Hunk] = []
    group: list[tuple[int, int, int, int]] = []
    for gap in gaps:
        if group and gap[0] - group[-1][1] > 2 * context:
            hunks.append(_hunk(a, b, group, context, section))
            group = []
        group.append(gap)
    if group:
        hunks.append(_hunk(a, b, group, context, section))
    return hunks


def between(blocks: Sequence[Block], length_a: int, length_b: int) -> list[tuple[int, int, int, int]]:
    """What matching blocks leave: stretches (a from, a to, b from, b to) that were replaced."""
    gaps = []
    at_a = at_b = 0
    for start_a, start_b, size in [*blocks, (length_a, length_b, 0)]:
        if start_a > at_a or start_b > at_b:
            gaps.append((at_a, start_a, at_b, start_b))
        at_a, at_b = start_a + size, start_b + size
    return gaps


def _hunk(
    a: Sequence[str], b: Sequence[str], group: Sequence[tuple[int, int, int, int]], context: int, section: str
) -> Hunk:
    first, last = group[0], group[-1]
    before = min(context, first[0], first[2])
    after = min(context, len(a) - last[1], len(b) - last[3])
    lines: list[Line] = []
    at = first[0] - before
    for a_from, a_to, b_from, b_to in group:
        lines += [_line(" ", text, ()) for text in a[at:a_from]]
        lines += _replaced(a[a_from:a_to], b[b_from:b_to])
        at = a_to
    lines += [_line(" ", text, ()) for text in a[at : at + after]]
    a_count, b_count = last[1] + after - (first[0] - before), last[3] + after - (first[2] - before)
    a_start = first[0] - before + (1 if a_count else 0)
    b_start = first[2] - before + (1 if b_count else 0)
    return Hunk(a_start, a_count, b_start, b_count, tuple(lines), section)


def _replaced(a: Sequence[str], b: Sequence[str]) -> list[Line]:
    words_a: list[tuple[tuple[int, int], ...]] = [()] * len(a)
    words_b: list[tuple[tuple[int, int], ...]] = [()] * len(b)
    for number, (old, new) in enumerate(zip(a[:200], b[:200], strict=False)):
        words_a[number], words_b[number] = changed_words(old.rstrip("\r\n"), new.rstrip("\r\n"))
    return [_line("-", text, words) for text, words in zip(a, words_a, strict=True)] + [
        _line("+", text, words) for text, words in zip(b, words_b, strict=True)
    ]


def changed_words(a: str, b: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Stretches of two lines that differ, word by word; none where the lines have little in common or are very long."""
    if a == b or len(a) > LINE_LIMIT or len(b) > LINE_LIMIT:
        return (), ()
    tokens_a, tokens_b = _TOKEN.findall(a), _TOKEN.findall(b)
    if not tokens_a or not tokens_b or len(tokens_a) > _TOKENS_LIMIT or len(tokens_b) > _TOKENS_LIMIT:
        return (), ()
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, tokens_a, tokens_b, autojunk=False)
    blocks = [tuple(block) for block in matcher.get_matching_blocks()]
    common = sum(len(token) for start, _, size in blocks for token in tokens_a[start : start + size] if token.strip())
    longest = max(len("".join(a.split())), len("".join(b.split())), 1)
    if common / longest < _ALIKE:
        return (), ()
    places_a, places_b = _places(tokens_a), _places(tokens_b)
    gaps = between([(x, y, size) for x, y, size in blocks if size], len(tokens_a), len(tokens_b))
    return (
        tuple((places_a[low], places_a[high]) for low, high, _, _ in gaps if high > low),
        tuple((places_b[low], places_b[high]) for _, _, low, high in gaps if high > low),
    )


def _places(tokens: Sequence[str]) -> list[int]:
    places = [0]
    for token in tokens:
        places.append(places[-1] + len(token))
    return places


def _line(op: str, text: str, words: tuple[tuple[int, int], ...]) -> Line:
    note = "" if text.endswith("\n") else "no newline at the end"
    body = text.removesuffix("\n")
    if body.endswith("\r"):
        body, note = body[:-1], "CRLF"
    if len(body) > LINE_LIMIT:
        note = f"{len(body) - LINE_LIMIT} more characters" + (f", {note}" if note else "")
        body = body[:LINE_LIMIT]
    return Line(op, body, words, note)  # type: ignore[arg-type]


def _ends_note(a: Sequence[str], b: Sequence[str]) -> str:
    kinds = [_ends(side) for side in (a, b)]
    return f"{kinds[0]} → {kinds[1]}" if kinds[0] != kinds[1] and all(kinds) else ""


def _ends(lines: Sequence[str]) -> str:
    windows = sum(1 for line in lines if line.endswith("\r\n"))
    plain = sum(1 for line in lines if line.endswith("\n")) - windows
    return "mixed" if windows and plain else "CRLF" if windows else "LF" if plain else ""


def first_difference(a: bytes, b: bytes) -> int:
    """The offset of the first byte that differs; the shorter length where one is the other's beginning."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def binary_note(a: bytes, b: bytes) -> str:
    """One sentence on two binaries that differ."""
    where = f"binary, differs from byte {first_difference(a, b)}"
    return where if len(a) == len(b) else f"{where}, {len(a)} → {len(b)} bytes"


def _large_note(a: bytes, b: bytes) -> str:
    at = first_difference(a, b)
    line = a.count(b"\n", 0, at) + 1
    lines = f"{_count(a)} → {_count(b)} lines"
    return f"too large to show line by line: {len(a)} → {len(b)} bytes, {lines}, differs from line {line}, byte {at}"


def _count(content: bytes) -> int:
    return content.count(b"\n") + (0 if not content or content.endswith(b"\n") else 1)

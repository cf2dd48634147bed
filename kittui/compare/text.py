"""Compares texts line by line: hunks with context, words that differ, line ends, encodings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kittui.compare.changes import Hunk, Line, Op, TextChange
from kittui.compare.excerpts import Gap, Words, between, differences, excerpt, first_difference, spread
from kittui.compare.lines import Block, matching_blocks
from kittui.formats.text import UTF8, Encoding, decode_exactly, sniff

TEXT_LIMIT = 8 * 1024 * 1024
"""Maximum bytes of a text that is aligned line by line; for larger ones only the first difference is given."""
CONTEXT = 3
HUNKS_LIMIT = 2_000
LINE_LIMIT = 2_000
"""Characters kept of a line in a hunk, around what differs."""

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_TOKENS = 400
_MARKED = 200
"""Maximum pairs of lines in one gap whose words are marked."""
_ALIGNED = 2 * 1024 * 1024
"""Maximum characters of long lines that are aligned word by word in one text."""
_ALIKE = 0.3
"""Lines less similar than this differ as a whole: marking words would only be noise."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")


@dataclass(frozen=True, slots=True)
class LineRules:
    """How lines are compared: lines of `context` around a change, and whether white space counts."""

    context: int = CONTEXT
    spaces: bool = True


AS_EVER = LineRules()


def compare_texts(path: str, a: bytes, b: bytes, rules: LineRules = AS_EVER, *, zeros: bool = False) -> TextChange:
    """Find the hunks between two versions of a text file; equal texts have none.

    Binaries and texts over TEXT_LIMIT have a note with the first differing byte instead. Line ends are part of a line;
    if only they differ, the notes say how.
    """
    encodings = sniff(a, zeros=zeros), sniff(b, zeros=zeros)
    if encodings[0] is None or encodings[1] is None:
        return TextChange(path, "binary", notes=(binary_note(a, b),) if a != b else ())
    if max(len(a), len(b)) > TEXT_LIMIT:
        return TextChange(path, "text", notes=(_large_note(a, b),) if a != b else ())
    notes = encoding_notes(encodings[0] if a else None, encodings[1] if b else None)
    text_a, text_b = decode_exactly(a, encodings[0]), decode_exactly(b, encodings[1])
    lines_a, lines_b = split(text_a), split(text_b)
    ends = _ends_note(lines_a, lines_b)
    hunks: Sequence[Hunk]
    if ends and [line.rstrip("\r\n") for line in lines_a] == [line.rstrip("\r\n") for line in lines_b]:
        hunks = ()
        notes.append(f"only line ends differ: {ends}")
    else:
        hunks = compare_lines(lines_a, lines_b, rules.context, spaces=rules.spaces)
        if ends:
            notes.append(f"line ends: {ends}")
        if not rules.spaces:
            notes.append("white space is not compared" if hunks else "only white space differs, which is not compared")
    if _STRAY.search(text_a) or _STRAY.search(text_b):
        names = dict.fromkeys(encoding.name for encoding in encodings if encoding is not None)
        notes.append(f"not all of it is {' or '.join(names)}")
    cut = max(0, len(hunks) - HUNKS_LIMIT)
    return TextChange(path, "text", tuple(hunks[:HUNKS_LIMIT]), notes=tuple(notes), cut=cut)


_STRAY = re.compile("[\ud800-\udfff]")


def encoding_notes(a: Encoding | None, b: Encoding | None) -> list[str]:
    """Remarks on two texts' encodings; empty if there is only one text."""
    if a is None or b is None:
        return []
    if a.codec == b.codec == UTF8.codec and a.mark != b.mark:
        return ["the byte order mark was " + ("removed" if a.mark else "added")]
    if a.label != b.label:
        return [f"encoding: {a.label} → {b.label}"]
    return [f"read as {a.label}"] if a.guess else []


def split(text: str) -> list[str]:
    """Split a text into lines with their ends: a line feed, a carriage return, or both."""
    if "\r" in text:
        return _LINE.findall(text)
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])


def compare_lines(
    a: Sequence[str],
    b: Sequence[str],
    context: int = CONTEXT,
    section: str = "",
    blocks: Sequence[Block] | None = None,
    *,
    spaces: bool = True,
) -> list[Hunk]:
    """Find hunks between lists of lines with their ends; `blocks` are the matching ones, if known.

    Without `spaces`, lines that differ only in white space match, and a's are shown.
    """
    if blocks is None:
        blocks = matching_blocks(a, b) if spaces else matching_blocks(_spaceless(a), _spaceless(b))
    gaps = between(blocks, len(a), len(b))
    hunks: list[Hunk] = []
    group: list[Gap] = []
    room = [_ALIGNED]
    for gap in gaps:
        if group and gap[0] - group[-1][1] > 2 * context:
            hunks.append(_hunk(a, b, group, context, section, room))
            group = []
        group.append(gap)
    if group:
        hunks.append(_hunk(a, b, group, context, section, room))
    return hunks


def _spaceless(lines: Sequence[str]) -> list[str]:
    return ["".join(line.split()) for line in lines]


def _hunk(
    a: Sequence[str], b: Sequence[str], group: Sequence[Gap], context: int, section: str, room: list[int]
) -> Hunk:
    first, last = group[0], group[-1]
    before = min(context, first[0], first[2])
    after = min(context, len(a) - last[1], len(b) - last[3])
    lines: list[Line] = []
    at = first[0] - before
    for a_from, a_to, b_from, b_to in group:
        lines += [_line(" ", text, ()) for text in a[at:a_from]]
        lines += _replaced(a[a_from:a_to], b[b_from:b_to], room)
        at = a_to
    lines += [_line(" ", text, ()) for text in a[at : at + after]]
    a_count, b_count = last[1] + after - (first[0] - before), last[3] + after - (first[2] - before)
    a_start = first[0] - before + (1 if a_count else 0)
    b_start = first[2] - before + (1 if b_count else 0)
    return Hunk(a_start, a_count, b_start, b_count, tuple(lines), section)


def _replaced(a: Sequence[str], b: Sequence[str], room: list[int]) -> list[Line]:
    """List old lines, then new ones, paired as far as possible; `room` is left for long lines."""
    old: list[Line] = []
    new: list[Line] = []
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        if max(len(one), len(other)) > LINE_LIMIT:
            room[0] -= len(one) + len(other)
            pair = _long_lines(one, other, aligned=room[0] > 0)
            old.append(pair[0])
            new.append(pair[1])
            continue
        words: tuple[Words, Words] = ((), ())
        if number < _MARKED:
            words = changed_words(one.rstrip("\r\n"), other.rstrip("\r\n"))
        old.append(_line("-", one, words[0]))
        new.append(_line("+", other, words[1]))
    old += [_line("-", text, ()) for text in a[len(b) :]]
    new += [_line("+", text, ()) for text in b[len(a) :]]
    return old + new


def _long_lines(a: str, b: str, *, aligned: bool) -> tuple[Line, Line]:
    """Cut two lines to what differs."""
    (text_a, note_a), (text_b, note_b) = _end(a), _end(b)
    cut = excerpt(text_a, text_b, LINE_LIMIT, differences(text_a, text_b, aligned=aligned))
    return _shown("-", text_a, cut.a, cut.words_a, note_a), _shown("+", text_b, cut.b, cut.words_b, note_b)


def _shown(op: Op, text: str, shown: str, words: Words, note: str) -> Line:
    note = ", ".join(part for part in (f"of {len(text)} characters" if text != shown else "", note) if part)
    return Line(op, shown, words, note, cut=text != shown)


def changed_words(a: str, b: str) -> tuple[Words, Words]:
    """Find stretches of two lines that differ, word by word; none if they have little in common or are very long."""
    if a == b or max(len(a), len(b)) > LINE_LIMIT or max(len(_TOKEN.findall(a)), len(_TOKEN.findall(b))) > _TOKENS:
        return (), ()
    gaps = differences(a, b)
    words = tuple(spread(gaps, 0)), tuple(spread(gaps, 1))
    common = _filled(a) - sum(_filled(a[low:high]) for low, high in words[0])
    return words if common >= _ALIKE * max(_filled(a), _filled(b), 1) else ((), ())


def _filled(text: str) -> int:
    """The number of a text's characters that are not blank."""
    return len("".join(text.split()))


def _line(op: Op, text: str, words: Words) -> Line:
    body, note = _end(text)
    if len(body) > LINE_LIMIT:
        note = f"{len(body) - LINE_LIMIT} more characters" + (f", {note}" if note else "")
        body = body[:LINE_LIMIT]
    return Line(op, body, words, note)


def _end(text: str) -> tuple[str, str]:
    """Strip a line's end, and describe it in a remark."""
    if text.endswith("\r\n"):
        return text[:-2], "CRLF"
    if text.endswith("\r"):
        return text[:-1], "CR"
    return (text[:-1], "") if text.endswith("\n") else (text, "no newline at the end")


def _ends_note(a: Sequence[str], b: Sequence[str]) -> str:
    kinds = [_ends(side) for side in (a, b)]
    return f"{kinds[0]} → {kinds[1]}" if kinds[0] != kinds[1] and all(kinds) else ""


def _ends(lines: Sequence[str]) -> str:
    windows = sum(1 for line in lines if line.endswith("\r\n"))
    plain = sum(1 for line in lines if line.endswith("\n")) - windows
    return ends_words(windows, sum(1 for line in lines if line.endswith("\r")), plain)


def ends_words(windows: int, lone: int, plain: int) -> str:
    """Describe a text's line ends, by how many it has of each."""
    kinds = [name for name, count in (("CRLF", windows), ("CR", lone), ("LF", plain)) if count]
    return "mixed" if len(kinds) > 1 else kinds[0] if kinds else ""


def binary_note(a: bytes, b: bytes) -> str:
    """Describe two differing binaries in one sentence."""
    where = f"binary, differs from byte {first_difference(a, b)}"
    return where if len(a) == len(b) else f"{where}, {len(a)} → {len(b)} bytes"


def _large_note(a: bytes, b: bytes) -> str:
    at = first_difference(a, b)
    line = a.count(b"\n", 0, at) + 1
    lines = f"{_count(a)} → {_count(b)} lines"
    return f"too large to show line by line: {len(a)} → {len(b)} bytes, {lines}, differs from line {line}, byte {at}"


def _count(content: bytes) -> int:
    return content.count(b"\n") + (0 if not content or content.endswith(b"\n") else 1)

"""Reads zip archives: the directory at their end, and single members (PKWARE APPNOTE 6.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.need import Need, Steps, fetch, fetch_exactly

TAIL = 16 * 1024
"""Bytes at the end that are read first."""
WHOLE_TAIL = 22 + 65_535
"""How far from the end the end record may begin, given its longest comment."""
METHODS = {0: "", 8: "deflate", 12: "bz2", 14: "zip lzma", 93: "zstd"}
"""Compression methods by the number in members' headers (APPNOTE 4.4.5)."""
_END, _END64_LOCATOR, _END64, _CENTRAL, _LOCAL = b"PK\5\6", b"PK\6\7", b"PK\6\6", b"PK\1\2", b"PK\3\4"


class Member(NamedTuple):
    """A member of a zip archive; sizes in bytes, `header` is its local header's offset in the file."""

    path: str
    size: int
    compressed: int
    method: int
    header: int
    crc: int
    encrypted: bool


def read_zip(size: int, budget: Budget) -> Steps[tuple[Member, ...]]:
    """Read the directory of an archive of `size` bytes; raises Malformed, and TooLarge beyond the budget."""
    for length in (TAIL, WHOLE_TAIL):
        start = max(0, size - length)
        tail = yield from fetch_exactly(start, size - start, "the zip archive")
        at = tail.rfind(_END)
        if at >= 0 and len(tail) - at >= 22:
            break
        if start == 0:
            raise Malformed("not a zip archive: it has no directory")
    else:
        raise Malformed("not a zip archive: it has no directory")
    length, offset = struct.unpack_from("<II", tail, at + 12)
    end = start + at
    wide = yield from _end_of_64_bits(end, size, tail, start)
    if wide is not None:
        end, length, offset = wide
    elif 0xFFFFFFFF in (length, offset):
        raise Malformed("the zip archive's directory is damaged")
    # Bytes before the archive shift all offsets, as in self-extracting ones.
    shift = end - length - offset
    if shift < 0:
        raise Malformed("the zip archive's directory lies outside of it")
    budget.spend("input", length)
    if offset + shift >= start:
        raw = tail[offset + shift - start : offset + shift - start + length]
    else:
        raw = yield from fetch_exactly(offset + shift, length, "the zip archive's directory")
    return tuple(_members(raw, shift, size, budget))


def _end_of_64_bits(end: int, size: int, tail: bytes, start: int) -> Steps[tuple[int, int, int] | None]:
    """Read the zip64 end record: its offset, and the directory's length and offset; None if there is none.

    If present, it counts: some programs, such as PyTorch, write it for small archives too.
    """
    if end - start < 20 <= end:
        locator = yield from fetch(end - 20, 20)
    else:
        locator = tail[max(0, end - start - 20) : end - start]
    if locator[:4] != _END64_LOCATOR or len(locator) < 20:
        return None
    # Bytes before the archive shift it too; then assume its usual 56 bytes.
    for place in dict.fromkeys((struct.unpack_from("<Q", locator, 8)[0], end - 76)):
        if 0 <= place <= size - 56:
            record = tail[place - start :][:56] if place >= start else (yield from fetch(place, 56))
            if record[:4] == _END64 and len(record) == 56:
                length, offset = struct.unpack_from("<QQ", record, 40)
                return place, length, offset
    raise Malformed("the zip archive's directory is damaged")


def _members(raw: bytes, shift: int, size: int, budget: Budget) -> list[Member]:
    members: list[Member] = []
    at = 0
    while at < len(raw):
        if raw[at : at + 4] != _CENTRAL or at + 46 > len(raw):
            raise Malformed("the zip archive's directory is damaged")
        flags, method = struct.unpack_from("<HH", raw, at + 8)
        crc, compressed, plain, names, extras, comments = struct.unpack_from("<IIIHHH", raw, at + 16)
        header = struct.unpack_from("<I", raw, at + 42)[0]
        budget.spend("items")
        budget.spend("names", names)
        name = raw[at + 46 : at + 46 + names]
        extra = raw[at + 46 + names : at + 46 + names + extras]
        if 0xFFFFFFFF in (compressed, plain, header):
            plain, compressed, header = _wide(extra, plain, compressed, header)
        path = name.decode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
        members.append(Member(path, plain, compressed, method, header + shift, crc, bool(flags & 1)))
        if header + shift + 30 > size:
            raise Malformed("the zip archive's directory names places outside of it")
        at += 46 + names + extras + comments
    return members


def _wide(extra: bytes, plain: int, compressed: int, header: int) -> tuple[int, int, int]:
    """Read sizes over 4 GiB: extra field 1 holds those that did not fit, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [int.from_bytes(extra[n : n + 8], "little") for n in range(at + 4, at + 4 + length - 7, 8)]
            numbers = iter(values)
            return (
                next(numbers, plain) if plain == 0xFFFFFFFF else plain,
                next(numbers, compressed) if compressed == 0xFFFFFFFF else compressed,
                next(numbers, header) if header == 0xFFFFFFFF else header,
            )
        at += 4 + length
    return plain, compressed, header


def member_offset(member: Member) -> Steps[int]:
    """Return where a member's content starts in the file, in bytes: after its local header of variable length."""
    local = yield from fetch_exactly(member.header, 30, f"the member {member.path}")
    offset = _behind(member, local)
    if offset is None:
        raise Malformed(f"the zip archive has no member at byte {member.header}")
    return offset


_BATCH = 256
"""Local headers read in one step."""


def member_offsets(members: Sequence[Member]) -> Steps[list[int | None]]:
    """Return each member's content offset in the file, in bytes, None if no member is there; one short read each."""
    offsets: list[int | None] = []
    for first in range(0, len(members), _BATCH):
        part = members[first : first + _BATCH]
        answers = yield tuple(Need(member.header, 30) for member in part)
        offsets += [_behind(member, local) for member, local in zip(part, answers, strict=True)]
    return offsets


def _behind(member: Member, local: bytes) -> int | None:
    if len(local) < 30 or local[:4] != _LOCAL:
        return None
    names, extras = struct.unpack_from("<HH", local, 26)
    return member.header + 30 + int(names) + int(extras)


class Opened(NamedTuple):
    """A member's content, its anomalies (which loaders treat differently), and where its bytes start."""

    content: bytes
    problem: str | None
    start: int


def read_member(member: Member, budget: Budget) -> Steps[bytes]:
    """Read a member's content; raises TooLarge beyond the budget, and Malformed if damaged or encrypted."""
    opened = yield from open_member(member, budget)
    if opened.problem is not None:
        raise Malformed(opened.problem)
    return opened.content


def open_member(member: Member, budget: Budget) -> Steps[Opened]:
    """Read a member with its header; raises Malformed if its content can't be read, TooLarge beyond the budget."""
    if member.method not in METHODS:
        raise Malformed(f"{member.path} is compressed by a method that is not read ({member.method})")
    budget.spend("input", member.compressed)
    ahead = _header_length(member) + member.compressed
    answer = yield from fetch(member.header, ahead)
    start = _behind(member, answer)
    if start is None:
        raise Malformed(f"the zip archive has no member at byte {member.header}")
    raw = answer[start - member.header :][: member.compressed]
    if len(raw) < member.compressed:
        raw = yield from fetch_exactly(start, member.compressed, f"the member {member.path}")
    if METHODS[member.method]:
        from kittui.formats.inflate import inflate

        raw = inflate(METHODS[member.method], raw, budget, f"{member.path} is damaged")
    flags, names = int.from_bytes(answer[6:8], "little"), int.from_bytes(answer[26:28], "little")
    name = answer[30 : 30 + names].decode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
    problem = None
    if member.encrypted or flags & 1:
        problem = f"{member.path} is marked as encrypted"
    elif name != member.path:
        problem = f"{member.path} has another name in its own header"
    elif len(raw) != member.size or zlib.crc32(raw) != member.crc:
        problem = f"{member.path} is damaged: its checksum is wrong"
    return Opened(raw, problem, start)


def _header_length(member: Member) -> int:
    """Estimate the bytes of a member's local header: fields as long as the directory's, plus padding to 64 bytes."""
    return 30 + len(member.path.encode("utf-8", "replace")) + 96


def read_member_starts(members: Sequence[Member], length: int) -> Steps[list[tuple[int, bytes] | Malformed]]:
    """Return each member's start in the file and its first `length` bytes, unchecked, or what is wrong.

    One read for each member in one step.
    """
    # The local header's fields are about as long as the directory's; read what is missing afterwards.
    ahead = [_header_length(member) + min(member.compressed, length) for member in members]
    needs = tuple(Need(member.header, ahead[n]) for n, member in enumerate(members))
    answers = (yield needs) if needs else ()
    found: list[tuple[int, bytes] | Malformed] = []
    for member, answer in zip(members, answers, strict=True):
        start = _behind(member, answer)
        if member.encrypted or member.method not in (0, 8):
            how = "encrypted" if member.encrypted else f"compressed by a method that is not read ({member.method})"
            found.append(Malformed(f"{member.path} is {how}"))
            continue
        if start is None:
            found.append(Malformed(f"the zip archive has no member at byte {member.header}"))
            continue
        wanted = min(member.compressed, length)
        raw = answer[start - member.header :][:wanted]
        if len(raw) < wanted:
            raw = yield from fetch(start, wanted)
        try:
            found.append((start, raw if member.method == 0 else zlib.decompressobj(-15).decompress(raw, length)))
        except zlib.error as error:
            found.append(Malformed(f"{member.path} is damaged: {error}"))
    return found

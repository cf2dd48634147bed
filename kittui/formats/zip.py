"""zip archives: the directory at their end, and single members (PKWARE APPNOTE 6.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from kittui.errors import Malformed, TooLarge
from kittui.formats.need import Need, Steps, fetch, fetch_exactly

TAIL = 16 * 1024
"""Bytes at the end that are looked at first."""
WHOLE_TAIL = 22 + 65_535
"""Where the end record can begin at the earliest, because of its comment."""
DIRECTORY_LIMIT = 64 * 1024 * 1024
"""Bytes of the directory read at most."""
MEMBERS_LIMIT = 500_000
"""Members listed at most."""
_END, _END64_LOCATOR, _END64, _CENTRAL, _LOCAL = b"PK\5\6", b"PK\6\7", b"PK\6\6", b"PK\1\2", b"PK\3\4"


class Member(NamedTuple):
    """A member of a zip archive; sizes in bytes, `header` where its local header is in the file."""

    path: str
    size: int
    compressed: int
    method: int
    header: int
    crc: int
    encrypted: bool


def read_zip(size: int) -> Steps[tuple[Member, ...]]:
    """The directory of an archive of `size` bytes; raises Malformed."""
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
    count, length, offset = struct.unpack_from("<HII", tail, at + 10)
    end = start + at
    if (count == 0xFFFF or 0xFFFFFFFF in (length, offset)) and end >= 20:
        locator = yield from fetch_exactly(end - 20, 20, "the zip archive")
        if locator[:4] == _END64_LOCATOR:
            place = struct.unpack_from("<Q", locator, 8)[0]
            if place + 56 > size:
                raise Malformed("the zip archive's directory lies outside of it")
            record = yield from fetch_exactly(place, 56, "the zip archive")
            if record[:4] != _END64:
                raise Malformed("the zip archive's directory is damaged")
            count, length, offset = struct.unpack_from("<QQQ", record, 32)
            end = place
    # What was put before the archive shifts all offsets, as in self-extracting ones.
    shift = end - length - offset
    if length > DIRECTORY_LIMIT or shift < 0:
        raise Malformed("the zip archive's directory lies outside of it")
    if offset + shift >= start:
        raw = tail[offset + shift - start : offset + shift - start + length]
    else:
        raw = yield from fetch_exactly(offset + shift, length, "the zip archive's directory")
    return tuple(_members(raw, shift, size))


def _members(raw: bytes, shift: int, size: int) -> list[Member]:
    members: list[Member] = []
    at = 0
    while at < len(raw):
        if raw[at : at + 4] != _CENTRAL or at + 46 > len(raw):
            raise Malformed("the zip archive's directory is damaged")
        flags, method = struct.unpack_from("<HH", raw, at + 8)
        crc, compressed, plain, names, extras, comments = struct.unpack_from("<IIIHHH", raw, at + 16)
        header = struct.unpack_from("<I", raw, at + 42)[0]
        name = raw[at + 46 : at + 46 + names]
        extra = raw[at + 46 + names : at + 46 + names + extras]
        if 0xFFFFFFFF in (compressed, plain, header):
            plain, compressed, header = _wide(extra, plain, compressed, header)
        path = name.decode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
        members.append(Member(path, plain, compressed, method, header + shift, crc, bool(flags & 1)))
        if header + shift + 30 > size or len(members) > MEMBERS_LIMIT:
            raise Malformed("the zip archive's directory names places outside of it, or too many")
        at += 46 + names + extras + comments
    return members


def _wide(extra: bytes, plain: int, compressed: int, header: int) -> tuple[int, int, int]:
    """Sizes over 4 GiB: the extra field 1 holds those that did not fit, in this order."""
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
    """Where a member's content starts in the file, in bytes: behind its local header, which has a length of its own."""
    local = yield from fetch_exactly(member.header, 30, f"the member {member.path}")
    offset = _behind(member, local)
    if offset is None:
        raise Malformed(f"the zip archive has no member at byte {member.header}")
    return offset


_BATCH = 256
"""Local headers asked for in one step."""


def member_offsets(members: Sequence[Member]) -> Steps[list[int | None]]:
    """Where each member's content starts in the file, in bytes, None where no member is: one short read for each."""
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


def read_member(member: Member, limit: int) -> Steps[bytes]:
    """A member's content, at most `limit` bytes; raises TooLarge, and Malformed for what is damaged or encrypted."""
    if member.encrypted or member.method not in (0, 8):
        raise Malformed(f"{member.path} is encrypted or compressed in a way that is not read")
    if member.size > limit or member.compressed > limit:
        raise TooLarge(f"{member.path} has {member.size} bytes; at most {limit} are read of its kind")
    start = yield from member_offset(member)
    raw = yield from fetch_exactly(start, member.compressed, f"the member {member.path}")
    return _content(member, raw, member.size)


def read_member_starts(members: Sequence[Member], length: int) -> Steps[list[tuple[int, bytes] | Malformed]]:
    """Where each member's content starts in the file, and its first `length` bytes, unchecked, or what is wrong.

    One read for each member in one step.
    """
    # The local header's fields are about as long as the directory's; what turns out to be missing is read behind it.
    ahead = [
        30 + len(member.path.encode("utf-8", "replace")) + 64 + min(member.compressed, length) for member in members
    ]
    needs = tuple(Need(member.header, ahead[n]) for n, member in enumerate(members))
    answers = (yield needs) if needs else ()
    found: list[tuple[int, bytes] | Malformed] = []
    for member, answer in zip(members, answers, strict=True):
        start = _behind(member, answer)
        if member.encrypted or member.method not in (0, 8):
            found.append(Malformed(f"{member.path} is encrypted or compressed in a way that is not read"))
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


def _content(member: Member, raw: bytes, limit: int) -> bytes:
    if member.method == 8:
        try:
            raw = zlib.decompressobj(-15).decompress(raw, limit + 1)
        except zlib.error as error:
            raise Malformed(f"{member.path} is damaged: {error}") from None
    if len(raw) != member.size or zlib.crc32(raw) != member.crc:
        raise Malformed(f"{member.path} is damaged: its checksum is wrong")
    return raw

"""Decodes the fields of tar headers: checksums, numbers, PAX records."""

from __future__ import annotations

from zlib import adler32

from kittui.errors import Malformed

_KEYS = (b"path", b"linkpath", b"size", b"GNU.sparse.major", b"GNU.sparse.map", b"GNU.sparse.size", b"GNU.sparse.name")
"""The extension header fields that are used; others would only fill memory."""


def check_header(head: bytes, position: int) -> None:
    """Raise Malformed unless the checksum matches: the sum of all bytes, with its own field taken as spaces.

    adler32's low half is that sum plus one, modulo 65521, some forty times faster than adding in Python. Some old
    programs added signed bytes.
    """
    field = head[148:156]
    digits = field.strip(b"\0 ")
    if digits.isdigit():
        try:
            stated = int(digits, 8)
        except ValueError:
            stated = -1
        others = (adler32(head) & 0xFFFF) - 1 - sum(field) + 256
        if (stated - others) % 65521 == 0 and 0 <= stated <= 512 * 255:
            return
        signed = sum(byte - 256 if byte > 127 else byte for byte in head[:148] + head[156:]) + 256
        if stated == signed:
            return
    where = "not a tar archive" if position == 0 else "the archive is damaged"
    raise Malformed(f"{where}: the header at byte {position} has a wrong checksum")


def header_number(field: bytes, position: int) -> int:
    """Decode a number field: octal digits, or base 256 if the first bit is set.

    Raises Malformed below 0 and over 2^63.
    """
    if field[0] & 0x80:
        if field[0] & 0x40:
            raise Malformed(f"a negative number in the header at byte {position}")
        value = int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
    else:
        digits = field.partition(b"\0")[0].strip(b" ")
        if not digits:
            return 0
        try:
            value = int(digits, 8) if digits.isdigit() else -1
        except ValueError:
            value = -1
        if value < 0:
            raise Malformed(f"a number that is not octal in the header at byte {position}")
    if value >= 1 << 63:
        raise Malformed(f"an impossible size in the header at byte {position}")
    return value


def pax_number(text: str, position: int) -> int:
    """Decode a size in an extension header; raises Malformed for anything else."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 1 << 63:
        raise Malformed(f"an impossible size in the extension header at byte {position}")
    return int(text)


def pax_records(body: bytes) -> dict[str, str]:
    """Parse PAX records, each `LENGTH KEY=VALUE\\n`; raises Malformed for any other form."""
    records: dict[str, str] = {}
    at = 0
    while at < len(body) and body[at]:
        space = body.find(b" ", at, at + 20)
        digits = body[at:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() else 0
        record = body[space + 1 : at + length]
        if length < 5 or at + length > len(body) or not record.endswith(b"\n") or b"=" not in record:
            raise Malformed("an extension header is not of its form")
        key, _, value = record[:-1].partition(b"=")
        if key in _KEYS:
            records[key.decode("ascii")] = value.decode("utf-8", "surrogateescape")
        at += length
    return records

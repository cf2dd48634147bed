"""Tracks which bytes of a blob were written: a set of ranges, and its record beside a partial file."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any

from kittui.oci.descriptor import Descriptor

RECORD_LIMIT = 64 * 1024
"""Bytes of a record read at most."""


class Ranges:
    """Half-open byte ranges, kept sorted and merged."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges: list[tuple[int, int]] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add the bytes from start up to end (exclusive)."""
        if start >= end:
            return
        first = bisect_left(self._ranges, (start, start))
        if first and self._ranges[first - 1][1] >= start:
            first -= 1
        last = first
        while last < len(self._ranges) and self._ranges[last][0] <= end:
            start, end = min(start, self._ranges[last][0]), max(end, self._ranges[last][1])
            last += 1
        self._ranges[first:last] = [(start, end)]

    @property
    def total(self) -> int:
        """Bytes in all ranges."""
        return sum(end - start for start, end in self._ranges)

    @property
    def frontier(self) -> int:
        """The end of the contiguous bytes from 0."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 0 else 0

    def reach(self, at: int) -> int:
        """The end of the contiguous bytes from an offset; the offset itself if it is missing."""
        return next((end for start, end in self._ranges if start <= at < end), at)

    def missing(self, size: int, stretch: int) -> list[tuple[int, int]]:
        """The gaps up to a size, in order, split into stretches of limited length."""
        gaps: list[tuple[int, int]] = []
        at = 0
        for start, end in (*self._ranges, (size, size)):
            while at < min(start, size):
                gaps.append((at, min(start, size, at + stretch)))
                at = gaps[-1][1]
            at = max(at, end)
        return gaps

    def copy(self) -> Ranges:
        """An independent copy of the ranges."""
        result = Ranges()
        result._ranges = list(self._ranges)
        return result

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)


def write_record(descriptor: Descriptor, boot: str, done: Ranges, synced: Ranges) -> bytes:
    """Write the record as JSON, padded so that it fully overwrites a longer one."""
    record = {
        "version": 1,
        "digest": descriptor.digest,
        "size": descriptor.size,
        "boot": boot,
        "done": list(done),
        "synced": list(synced),
    }
    raw = json.dumps(record, separators=(",", ":")).encode()
    return raw + b" " * (-len(raw) % 4096)


def read_record(raw: bytes, descriptor: Descriptor, boot: str) -> Ranges:
    """Read which bytes of a partial file can be relied on; none if the record is broken or of another blob.

    Unsynced ranges only count within the same boot: a power cut may have lost them.
    """
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return Ranges()
    if not isinstance(record, dict) or record.get("version") != 1:
        return Ranges()
    if record.get("digest") != descriptor.digest or record.get("size") != descriptor.size:
        return Ranges()
    return _parse(record.get("done" if record.get("boot") == boot and boot else "synced"), descriptor.size)


def _parse(value: Any, size: int) -> Ranges:
    result = Ranges()
    for pair in value if isinstance(value, list) else ():
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(end) is int for end in pair):
            return Ranges()
        if not 0 <= pair[0] < pair[1] <= size:
            return Ranges()
        result.add(pair[0], pair[1])
    return result

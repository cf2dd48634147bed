"""Lines and rows of a file of any size, in order and with bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

Read = Callable[[int, int], bytes]
"""Gives a stretch (offset, length) of a file; shorter only at its end."""

RECORD_LIMIT = 1024 * 1024
"""Bytes up to which a record is held whole; of a longer one its head, its length and its digest are."""
HEAD = 1024
"""Bytes of such a record that are held."""
RECORDS = 40_000
"""Records that are looked at together at most."""
BEFORE = 8 * 1024
"""Bytes that are remembered of what was passed."""
PIECE = 1024 * 1024
_TRIES = 64


@dataclass(frozen=True, slots=True)
class Long:
    """A record too long to be held: its first bytes, its length, and a digest that tells it from others."""

    head: bytes
    length: int
    digest: bytes

    @property
    def content(self) -> bytes:
        """Something to show in its place."""
        return self.head[:HEAD] + f"… {self.length} bytes, BLAKE2 {self.digest.hex()[:12]}\n".encode()


Record = bytes | Long


class RecordReader:
    """Splits a file into lines; with `quoted` a line feed between double quotes ends none (RFC 4180)."""

    def __init__(self, read: Read, size: int, *, quoted: bool = False) -> None:
        self._read = read
        self._size = size
        self._quoted = quoted
        self._at = 0
        """Bytes of the file that were read."""
        self.buffer = b""
        self.number = 0
        """Records that were passed."""
        self._before = b""

    @property
    def ended(self) -> bool:
        """Whether all of the file is in the buffer."""
        return self._at >= self._size

    def fill(self, wanted: int) -> None:
        """Have so many bytes in the buffer, or all that are left. Raises EOFError where the file is shorter."""
        pieces = [self.buffer]
        have = len(self.buffer)
        while have < wanted and not self.ended:
            piece = self._read(self._at, min(max(wanted - have, 64 * 1024), PIECE, self._size - self._at))
            if not piece:
                raise EOFError
            self._at += len(piece)
            have += len(piece)
            pieces.append(piece)
        if len(pieces) > 1:
            self.buffer = b"".join(pieces)

    def boundary(self, limit: int) -> int:
        """The last end of a record within the first `limit` bytes of the buffer, 0 where there is none."""
        end = self.buffer.rfind(b"\n", 0, limit) + 1
        if not self._quoted or b'"' not in self.buffer[:end]:
            return end
        for _ in range(_TRIES):
            if not end or self.buffer.count(b'"', 0, end) % 2 == 0:
                return end
            end = self.buffer.rfind(b"\n", 0, end - 1) + 1
        return 0

    def skip(self, size: int) -> None:
        """Pass over whole records."""
        part = self.buffer[:size]
        self._before = (self._before + part[-BEFORE:])[-BEFORE:] if size < BEFORE else part[-BEFORE:]
        if self._quoted and b'"' in part:
            self.number += len(self._split(part))
        else:
            self.number += part.count(b"\n") + (0 if part.endswith(b"\n") or not part else 1)
        self.buffer = self.buffer[size:]

    def peek(self, window: int) -> list[Record]:
        """The records of the first `window` bytes, at least one unless the file is over; they are not passed yet.

        One longer than RECORD_LIMIT is given alone, and is passed by this.
        """
        self.fill(window)
        end = len(self.buffer) if self.ended and len(self.buffer) <= window else self.boundary(window)
        if not end and self.buffer:
            self.fill(RECORD_LIMIT)
            end = self._first_end()
            if not end:
                return [self._long()]
        return list(self._split(self.buffer[:end])[:RECORDS])

    def before(self, count: int) -> list[bytes]:
        """The last records that were passed, as many as are remembered whole."""
        lines = self._split(self._before)
        return lines[-count:] if len(self._before) < BEFORE else lines[1:][-count:]

    def _first_end(self) -> int:
        """Where the first record ends, 0 where it is longer than the limit."""
        start, odd = 0, False
        while (end := self.buffer.find(b"\n", start, RECORD_LIMIT) + 1) > 0:
            odd ^= self._quoted and self.buffer.count(b'"', start, end) % 2 == 1
            if not odd:
                return end
            start = end
        return len(self.buffer) if self.ended and len(self.buffer) <= RECORD_LIMIT else 0

    def _split(self, content: bytes) -> list[bytes]:
        lines = content.split(b"\n")
        last = lines.pop()
        ended = [line + b"\n" for line in lines] + ([last] if last else [])
        if not self._quoted or b'"' not in content:
            return ended
        joined: list[bytes] = []
        open_row: list[bytes] = []
        odd = False
        for line in ended:
            odd ^= line.count(b'"') % 2 == 1
            if odd or open_row:
                open_row.append(line)
                if not odd:
                    joined.append(b"".join(open_row))
                    open_row = []
            else:
                joined.append(line)
        if open_row:
            joined.append(b"".join(open_row))
        return joined

    def _long(self) -> Long:
        """Pass over a record that is longer than can be held."""
        head, length, digest, odd = self.buffer[:HEAD], 0, blake2b(digest_size=16), False
        while True:
            start, ended = 0, False
            while not ended and (end := self.buffer.find(b"\n", start) + 1) > 0:
                odd ^= self._quoted and self.buffer.count(b'"', start, end) % 2 == 1
                start, ended = end, not odd
            if not ended:
                odd ^= self._quoted and self.buffer.count(b'"', start) % 2 == 1
            part = self.buffer[: start if ended else len(self.buffer)]
            digest.update(part)
            length += len(part)
            self.buffer = self.buffer[len(part) :]
            if ended or (self.ended and not self.buffer):
                self.number += 1
                return Long(head, length, digest.digest())
            self.fill(PIECE)

"""Reads lines or rows of a file of any size, in order, decoded, and with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from kittui.compare.excerpts import first_difference
from kittui.compare.text import split
from kittui.formats.records import RECORD_LIMIT, Splitter
from kittui.formats.text import UTF8, Decoder, Encoding

Read = Callable[[int, int], bytes]
"""Reads a stretch (offset, length) of a file; shorter only at its end."""

HEAD = 1024
"""Characters kept of a record over RECORD_LIMIT."""
RECORDS = 40_000
"""Records that are looked at together at most."""
BEFORE = 8 * 1024
"""Characters remembered of passed records."""
PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Long:
    """A record too long for memory: HEAD characters from `offset`, its length, and a digest of all of it."""

    head: str = field(compare=False)
    offset: int = field(compare=False)
    length: int
    digest: bytes

    @property
    def text(self) -> str:
        """A text to show in its place."""
        return f"{'…' if self.offset else ''}{self.head}… {self.length} characters, BLAKE2 {self.digest.hex()[:12]}\n"


Record = str | Long


class RecordReader:
    """Splits a file into lines, or into a table's rows where a Splitter says which line ends are in quotes."""

    def __init__(self, read: Read, size: int, encoding: Encoding = UTF8, rows: Splitter | None = None) -> None:
        self._read = read
        self._size = size
        self._rows = rows is not None
        self.splitter = rows or Splitter("", quoted=False)
        self.decoder = Decoder(encoding, ends=self._rows)
        self._at = 0
        """Bytes of the file that were read."""
        self.buffer = ""
        self.number = 0
        """Records that were passed; in a table blank lines do not count."""
        self._before = ""
        self.most = RECORDS
        """Records that are looked at together at most."""

    @property
    def ended(self) -> bool:
        """Whether all of the file is in the buffer."""
        return self._at >= self._size

    def fill(self, wanted: int) -> None:
        """Fill the buffer with that many characters, or all that are left. Raises EOFError if the file is shorter."""
        pieces = [self.buffer]
        have = len(self.buffer)
        while have < wanted and not self.ended:
            content = self._read(self._at, min(max(wanted - have, 64 * 1024), PIECE, self._size - self._at))
            if not content:
                raise EOFError
            self._at += len(content)
            pieces.append(self.decoder.feed(content, ended=self.ended))
            have += len(pieces[-1])
        if len(pieces) > 1:
            self.buffer = "".join(pieces)

    def measure(self, limit: int) -> tuple[int, int]:
        """Return where the last whole record in the first `limit` characters ends, and how many precede that."""
        if self._rows:
            return self.splitter.measure(self.buffer, limit)
        end = self.buffer.rfind("\n", 0, limit) + 1
        return end, self.buffer.count("\n", 0, end)

    def skip(self, size: int, count: int) -> None:
        """Skip that many characters, which are that many whole records."""
        self.number += count
        part = self.buffer[:size]
        self._before = (self._before + part[-BEFORE:])[-BEFORE:] if size < BEFORE else part[-BEFORE:]
        self.buffer = self.buffer[size:]

    def skip_records(self, records: Sequence[str]) -> None:
        """Skip records that were peeked at."""
        self.skip(sum(map(len, records)), sum(record != "\n" for record in records) if self._rows else len(records))

    def peek(self, window: int) -> list[str] | None:
        """Return the records of the first `window` characters without passing them; none at the end of the file.

        One longer than the window is returned alone; None if it is longer than RECORD_LIMIT.
        """
        self.fill(window)
        records = self._split(window)
        if records or not self.buffer:
            return records
        self.fill(RECORD_LIMIT)
        if not (records := self._split(RECORD_LIMIT)) and self.splitter.quoted and "\n" in self.buffer[:RECORD_LIMIT]:
            self.splitter.give_up()
            records = self._split(RECORD_LIMIT)
        return records[:1] or None

    def _split(self, window: int) -> list[str]:
        whole = self.ended and len(self.buffer) <= window
        return self.splitter.split(self.buffer[:window], ended=whole, most=self.most)[0]

    def before(self, count: int) -> list[str]:
        """The last passed lines that are remembered whole."""
        lines = split(self._before)
        return lines[-count:] if len(self._before) < BEFORE else lines[1:][-count:]


def pass_both(a: RecordReader, b: RecordReader) -> tuple[Long, Long]:
    """Skip a record of each side, both too long for memory; their heads start where they differ."""
    digests = blake2b(digest_size=16), blake2b(digest_size=16)
    same = 0
    while True:
        a.fill(max(PIECE, 4 * HEAD))
        b.fill(max(PIECE, 4 * HEAD))
        at = first_difference(a.buffer, b.buffer)
        shorter = a if len(a.buffer) < len(b.buffer) else b
        if at < len(shorter.buffer) or shorter.ended or "\n" in a.buffer[:at]:
            break
        at -= HEAD
        for reader, digest in zip((a, b), digests, strict=True):
            digest.update(_bytes(reader.buffer[:at]))
            reader.buffer = reader.buffer[at:]
        same += at
    lead = max(0, at - HEAD // 4)
    return pass_long(a, digests[0], same, lead), pass_long(b, digests[1], same, lead)


def pass_long(reader: RecordReader, digest: blake2b | None = None, passed: int = 0, lead: int = 0) -> Long:
    """Skip a record that is too long for memory; `passed` characters of it were, and `digest` is of these.

    Its head is taken `lead` characters from here.
    """
    digest = digest or blake2b(digest_size=16)
    head, offset, length = reader.buffer[lead : lead + HEAD].partition("\n")[0], passed + lead, passed
    while True:
        reader.fill(PIECE)
        end = reader.buffer.find("\n") + 1
        part = reader.buffer[:end] if end else reader.buffer
        digest.update(_bytes(part))
        length += len(part)
        reader.buffer = reader.buffer[len(part) :]
        if end or (reader.ended and not reader.buffer):
            reader.number += 1
            return Long(head, offset, length, digest.digest())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

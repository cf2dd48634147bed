"""Consumers of a layer's bytes while it is read: digests, small texts, line counts, and ranges kept for later."""

from __future__ import annotations

import hashlib
import tempfile

from kittui.disk.durable import storage_error
from kittui.disk.threads import in_thread
from kittui.formats.tables import table_suffix
from kittui.formats.text import SNIFFED, sniff

_IN_MEMORY = 4 * 1024 * 1024


class FileDigest:
    """Computes the digest of a file that has no counterpart to compare with."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()

    def take(self, piece: memoryview) -> None:
        self._hasher.update(piece)

    def hexdigest(self) -> str:
        return self._hasher.hexdigest()


class Capture:
    """Keeps a small text."""

    def __init__(self) -> None:
        self.content = bytearray()

    def take(self, piece: memoryview) -> None:
        self.content += piece


class LineCount:
    """Counts the lines of a large text; binary content is neither counted nor kept by `kept`."""

    def __init__(self, path: str, kept: Kept | None = None) -> None:
        self.binary = False
        self._table = table_suffix(path) is not None
        self._kept = kept
        self._started = False
        self._count = 0
        self._ended = True

    def take(self, piece: memoryview) -> None:
        if not self._started:
            self._started = True
            self.binary = sniff(bytes(piece[:SNIFFED]), zeros=self._table) is None
        if self.binary:
            return
        content = bytes(piece)
        self._count += content.count(b"\n")
        self._ended = content.endswith(b"\n")
        if self._kept is not None:
            self._kept.take(piece)

    @property
    def total(self) -> int:
        """The number of lines, including an unterminated last one."""
        return self._count + (not self._ended)


class Attic:
    """A temporary file for bytes that wait for the other side; closing it removes the file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="kittui-")  # noqa: SIM115
        self._end = 0

    def append(self, piece: memoryview) -> int:
        """Append a piece and return its offset. Raises StorageError."""
        try:
            self._file.seek(self._end)
            self._file.write(piece)
        except OSError as error:
            raise storage_error(error, "keep a part of a layer that is compared later") from error
        self._end += len(piece)
        return self._end - len(piece)

    def read(self, offset: int, length: int) -> bytes:
        """Read a kept piece."""
        try:
            self._file.seek(offset)
            return self._file.read(length)
        except OSError as error:
            raise storage_error(error, "read a part of a layer that was kept") from error

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class Kept:
    """A range of a layer that is kept while it is read, and can then be read as a View."""

    verified = True

    def __init__(self, attic: Attic) -> None:
        self._attic = attic
        self._pieces: list[tuple[int, int, int]] = []
        self.size = 0

    def take(self, piece: memoryview) -> None:
        self._pieces.append((self.size, len(piece), self._attic.append(piece)))
        self.size += len(piece)

    async def read(self, offset: int, length: int) -> bytes:
        return await in_thread(self.read_now, offset, length)

    def read_now(self, offset: int, length: int) -> bytes:
        """Blocks; shorter only at the end."""
        end = min(offset + length, self.size)
        return b"".join(
            self._attic.read(place + max(0, offset - start), min(end, start + size) - max(offset, start))
            for start, size, place in self._pieces
            if start < end and offset < start + size
        )

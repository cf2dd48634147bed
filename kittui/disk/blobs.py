"""Blobs as files: `blobs/<algorithm>/<hex>` (OCI image-spec, image-layout.md), read off the event loop."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from kittui.disk.durable import storage_error
from kittui.disk.threads import held, in_thread
from kittui.errors import ConnectionLost, DigestMismatch, KittuiError, NotFound, StorageError, TooLarge
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import MANIFEST_LIMIT

PIECE = 1024 * 1024
"""Bytes per read when a blob is streamed."""


class FileReader:
    """A range of an open file; see `oci.protocols.BlobReader`."""

    def __init__(self, file: io.FileIO, name: str, offset: int, length: int) -> None:
        self.offset = offset
        self.length = length
        self.file = file
        self._name = name
        self._left = length

    async def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 at the end of the range. Raises ConnectionLost if the file ends early."""
        wanted = min(len(buffer), self._left)
        if not wanted:
            return 0
        count = await in_thread(self._read, buffer[:wanted])
        if not count:
            raise ConnectionLost(
                f"{self._name} ended {self._left} bytes early",
                hint="The file was cut short; pull or copy the ModelKit again.",
            )
        self._left -= count
        return count

    def passed(self, count: int) -> None:
        """Skip bytes that were read from the file directly."""
        self._left -= count
        self.file.seek(count, os.SEEK_CUR)

    def _read(self, buffer: memoryview) -> int:
        try:
            return self.file.readinto(buffer) or 0
        except OSError as error:
            raise storage_error(error, f"read {self._name}") from error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left:
            buffer = bytearray(min(PIECE, self._left))
            count = await self.readinto(memoryview(buffer))
            yield bytes(buffer[:count])


def open_regular(path: Path) -> io.FileIO | None:
    """Open a file for reading, None if it does not exist; raises StorageError for a FIFO, device or folder."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise storage_error(error, f"read {path}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StorageError(f"{path} is not a regular file", hint="kittui reads only regular files. Remove it.")
    return io.FileIO(handle, "rb")


class BlobFolder:
    """Reads the `blobs` folder of a store or layout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self.folder / digest.algorithm / digest.hex

    def size(self, digest: Digest) -> int | None:
        """Bytes of the blob's file, None if it is not a regular file. Blocks."""
        try:
            status = self.path(digest).stat()
        except (OSError, ValueError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def complaint(self, descriptor: Descriptor) -> str | None:
        """Why a descriptor's blob is unusable, judging by its file's size alone; None if it seems fine. Blocks."""
        size = self.size(descriptor.digest)
        if size is None:
            return "its manifest is missing on disk"
        if size != descriptor.size:
            return f"its manifest has {size} bytes on disk and should have {descriptor.size}"
        return None

    def read(self, descriptor: Descriptor, limit: int, what: str = "the blob") -> bytes:
        """Read a small blob whole, verified. Blocks. Raises TooLarge, NotFound, DigestMismatch, StorageError."""
        if descriptor.size > limit:
            raise TooLarge(f"{what} has {descriptor.size} bytes, above kittui's limit of {limit}")
        file = open_regular(self.path(descriptor.digest))
        if file is None:
            raise self._missing(descriptor.digest, what)
        with file:
            try:
                raw = _read_all(file, descriptor.size + 1)
            except OSError as error:
                raise storage_error(error, f"read {what}") from error
        if len(raw) != descriptor.size:
            found = "more" if len(raw) > descriptor.size else str(len(raw))
            raise DigestMismatch(
                f"{what} {descriptor.digest.short} has {found} bytes on disk and should have {descriptor.size}",
                hint="The file was cut short or overwritten; pull or copy the ModelKit again.",
            )
        descriptor.digest.verify(raw, what)
        return raw

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """The manifest of a descriptor, verified. Blocks. Raises as `read`, and Malformed."""
        raw = self.read(descriptor, MANIFEST_LIMIT, "the manifest")
        return Manifest.parse(raw, descriptor.media_type or None, descriptor.digest)

    def is_attached(self, descriptor: Descriptor) -> bool:
        """Whether a manifest belongs to another one, as a signature does. Blocks."""
        try:
            return self.manifest(descriptor).subject is not None
        except KittuiError:
            return False

    @asynccontextmanager
    async def open(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[FileReader]:
        """Read a range, unverified; raises NotFound, and DigestMismatch if the file's size is not the descriptor's."""
        if offset < 0 or offset > descriptor.size or (length is not None and length < 0):
            raise ValueError("the range is outside the blob")
        async with held(partial(open_regular, self.path(descriptor.digest)), _close) as file:
            if file is None:
                raise self._missing(descriptor.digest, "the blob")
            size = os.fstat(file.fileno()).st_size
            if size != descriptor.size:
                raise DigestMismatch(
                    f"the blob {descriptor.digest.short} has {size} bytes on disk and should have {descriptor.size}",
                    hint="The file was cut short or overwritten; pull or copy the ModelKit again.",
                )
            end = descriptor.size if length is None else min(descriptor.size, offset + length)
            file.seek(offset)
            yield FileReader(file, f"the blob {descriptor.digest.short}", offset, end - offset)

    def _missing(self, digest: Digest, what: str) -> NotFound:
        return NotFound(
            f"{what} {digest.short} is missing on disk",
            hint="Pull or copy the ModelKit again, or remove its tag.",
        )


def _close(file: io.FileIO | None) -> None:
    if file is not None:
        file.close()


def _read_all(file: io.FileIO, limit: int) -> bytes:
    pieces: list[bytes] = []
    left = limit
    while left and (piece := file.read(min(left, PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)

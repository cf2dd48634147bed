"""Keeps a layer, read once and verified, uncompressed for repeated reads."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING

from kittui.budget import layer_budget
from kittui.disk.durable import storage_error
from kittui.disk.threads import in_thread
from kittui.errors import DigestMismatch, Unsupported
from kittui.formats.gzip import Inflate
from kittui.formats.tar import DISK, TarWalk
from kittui.formats.zstd import Unzstd
from kittui.usecases.inspect.indexes import LayerListing
from kittui.usecases.inspect.lister import bare_file
from kittui.usecases.inspect.views import drive

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository

IN_MEMORY = 4 * 1024 * 1024
"""Below this size, keep the content in memory instead of a file."""
_PIECE = 1024 * 1024


class Spool:
    """The verified content of a layer; readable like a view. Close it to remove the file."""

    verified = True

    def __init__(self) -> None:
        self.size = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="kittui-")  # noqa: SIM115
        self._lock = asyncio.Lock()

    async def fill(self, repository: Repository, layer: Layer) -> None:
        """Read the layer once. Raises DigestMismatch, TooLarge, Unsupported, and the source's errors."""
        descriptor = layer.descriptor
        hasher = descriptor.digest.hasher()
        taken = 0
        if layer.compression == "other":
            raise Unsupported(f"layers of media type {layer.media_type} can't be looked into")
        decoder: Inflate | Unzstd | None = None
        budget = layer_budget()

        def unpacked(output: bytes) -> None:
            budget.spend("output", len(output))
            self._write(output)

        if layer.compression != "none":
            decoder = Inflate(unpacked) if layer.compression == "gzip" else Unzstd(unpacked)

        def work(piece: bytes) -> None:
            hasher.update(piece)
            if decoder is None:
                self._write(piece)
                return
            budget.spend("input", len(piece))
            decoder.push(piece)

        async with repository.open_blob(descriptor) as reader:
            buffer = bytearray(_PIECE)
            while count := await reader.readinto(memoryview(buffer)):
                taken += count
                await in_thread(work, bytes(memoryview(buffer)[:count]))
        if decoder is not None:
            await in_thread(decoder.close)
        if taken != descriptor.size or hasher.hexdigest() != descriptor.digest.hex:
            raise DigestMismatch(
                f"the layer {descriptor.digest.short} does not match its digest",
                hint="The source's content does not match its digest; nothing was stored.",
            )

    def _write(self, output: bytes) -> None:
        try:
            self._file.write(output)
        except OSError as error:
            raise storage_error(error, "keep an unpacked layer") from error
        self.size += len(output)

    async def read(self, offset: int, length: int) -> bytes:
        """Read a stretch of the content, shorter only at the end."""
        async with self._lock:
            return await in_thread(self._read, offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        try:
            self._file.seek(offset)
            return self._file.read(max(0, length))
        except OSError as error:
            raise storage_error(error, "read an unpacked layer") from error

    async def listing(self, layer: Layer) -> LayerListing:
        """The files in it."""
        if layer.format == "raw":
            return LayerListing((bare_file(layer, self.size),), True, True, self.size)
        walk = TarWalk(self.size, DISK)
        await drive(walk.steps(), self)
        return LayerListing(tuple(walk.entries), walk.complete, True, self.size, walk.problem)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

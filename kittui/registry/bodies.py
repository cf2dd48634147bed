"""Provides a blob's bytes as request bodies: from any source, starting where an upload continues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from kittui.disk.buffers import read_buffer
from kittui.disk.durable import storage_error
from kittui.errors import ContentError
from kittui.oci.protocols import BlobContent, BlobReader, SupportsFile
from kittui.oci.traffic import count
from kittui.registry.transport.wire import Pipe
from kittui.registry.watch import Watch

T = TypeVar("T")
_BUFFER: Final = 512 * 1024
"""Bytes read at once from anything but a file."""


class Stretch:
    """Opens the bytes from `start` to `end` of a blob as the body of one request; may be opened again.

    It is also an `Upload` of the transport.
    """

    def __init__(self, content: BlobContent, start: int, end: int, watch: Watch) -> None:
        self._content = content
        self._start = start
        self._end = end
        self._watch = watch
        self.reading = False
        """Whether the source is being read; it stays true if reading fails, rather than sending."""

    async def __call__(self) -> AsyncIterator[bytes]:
        """Yield the pieces, watching the network time of each. Raises ContentError at a wrong length."""
        left = self._end - self._start
        if left == 0:
            return
        async with self._reading(self._start) as reader:
            pieces = aiter(reader)
            while piece := await self._read(anext(pieces, b"")):
                part = piece if len(piece) <= left else piece[:left]
                left -= len(part)
                with self._watch.waiting():
                    yield part
                self._watch.moved(len(part))
                count(sent=len(part))
                if left == 0:
                    return
        raise _too_short()

    async def pour(self, pipe: Pipe) -> None:
        """Send the same over a direct connection: from the file if there is one, else through one buffer."""
        at, end = self._start, self._end
        if at == end:
            return
        buffer = read_buffer(min(_BUFFER, end - at))
        async with self._reading(at) as reader:
            straight = reader if isinstance(reader, SupportsFile) and reader.file is not None else None
            while at < end:
                sent = None
                if straight is not None and straight.file is not None:
                    try:
                        with self._watch.waiting():
                            sent = await pipe.send_file(straight.file, at, end - at)
                    except OSError as error:
                        raise storage_error(error, "read a layer") from error
                if straight is not None and sent is not None:
                    straight.passed(sent)
                else:
                    straight = None
                    sent = await self._read(reader.readinto(buffer[: end - at]))
                    with self._watch.waiting():
                        await pipe.send(buffer[:sent])
                if not sent:
                    raise _too_short()
                at += sent
                self._watch.moved(sent)
                count(sent=sent)

    @asynccontextmanager
    async def _reading(self, at: int) -> AsyncIterator[BlobReader]:
        self.reading = True
        async with self._content.open(at) as reader:
            self.reading = False
            yield reader

    async def _read(self, piece: Awaitable[T]) -> T:
        self.reading = True
        read = await piece
        self.reading = False
        return read


def _too_short() -> ContentError:
    return ContentError("a layer has fewer bytes than its manifest says", hint="The source's copy is damaged.")

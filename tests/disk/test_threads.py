"""What a thread opens for a task that is cancelled meanwhile is closed."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import pytest

from kittui.disk import blobs
from kittui.disk.blobs import BlobFolder, open_regular
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest


async def test_a_blob_that_is_opened_for_a_cancelled_task_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[io.FileIO | None] = []
    begun, may = threading.Event(), threading.Event()

    def slowly(path: Path) -> io.FileIO | None:
        begun.set()
        may.wait()
        opened.append(open_regular(path))
        return opened[0]

    monkeypatch.setattr(blobs, "open_regular", slowly)
    folder, digest = BlobFolder(tmp_path), Digest.of(b"blob")
    folder.path(digest).parent.mkdir()
    folder.path(digest).write_bytes(b"blob")

    async def read() -> None:
        async with folder.open(Descriptor("application/octet-stream", digest, 4)):
            raise AssertionError("it was cancelled before")

    reading = asyncio.ensure_future(read())
    await asyncio.to_thread(begun.wait)
    reading.cancel()
    may.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert [file is None or file.closed for file in opened] == [True]

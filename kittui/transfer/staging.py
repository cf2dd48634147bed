"""Unpacks in two steps: verifies and writes everything into a scratch folder in the target, then moves it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from kittui.disk.blobs import BlobFolder
from kittui.disk.durable import storage_error, write_fully
from kittui.disk.files import FolderFiles
from kittui.disk.locks import file_lock
from kittui.disk.threads import held, in_thread
from kittui.errors import NetworkError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer.extract import FILE_MODE, Limits, decompress, hash_file, pieces_of, settle, write_pieces
from kittui.transfer.paths import Parts, Piece
from kittui.transfer.placing import Decisions, Placing, Staged
from kittui.transfer.scratch import Scratch
from kittui.transfer.tree import Placed, Tree

T = TypeVar("T")


async def stoppable(work: Callable[..., T], *args: object) -> T:
    """Run work in a thread; its last argument is an event that is set when this is cancelled."""
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


@dataclass(frozen=True, slots=True)
class Plain:
    """How a layer's blob becomes files: `raw_path` is set for a layer that is one bare file, whose permissions are
    `mode`; `under` for old kits.
    """

    descriptor: Descriptor
    compression: str = "none"
    raw_path: str | None = None
    under: Parts = ()
    diff_id: Digest | None = None
    mode: int = FILE_MODE


class Staging:
    """One unpacking into one target."""

    def __init__(self, target: Path, limits: Limits) -> None:
        self.target = target
        self.scratch = Scratch(target)
        self.limits = limits
        self.kitfile: bytes | None = None
        self._layers: list[Staged] = []
        self._placing = Placing(target, self.scratch, self._layers)
        folder = self.scratch.path
        self.files = FolderFiles(BlobFolder(folder / "blobs"), [folder], mode=0o600, check=lambda: None)

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Path, limits: Limits | None = None) -> AsyncIterator[Staging]:
        """Create the target and its scratch folder, which is removed when the block succeeds.

        After a network error or a cancel the downloads in it stay, for the next run; once files were moved, it stays as
        the mark that the target is incomplete. Raises Conflict if another kittui unpacks there, StorageError.
        """
        staging = cls(target, limits or Limits())
        scratch = staging.scratch
        await in_thread(scratch.begin)
        async with file_lock(scratch.lock, f"the folder {target}, to unpack into it,", patience=0.2):
            await in_thread(scratch.drop_trees)
            try:
                yield staging
            except (NetworkError, asyncio.CancelledError):
                await in_thread(scratch.drop_trees)
                raise
            except BaseException:
                await in_thread(scratch.give_up)
                raise
            await in_thread(scratch.finish)

    async def add(self, blob: Path, plain: Plain, wanted: Callable[[str], bool] | None = None) -> None:
        """Verify a layer's blob whole, then write its files (those wanted) into the scratch folder.

        Raises DigestMismatch, Malformed, UnsafePath, TooLarge, DiskFull; then nothing of it reaches the target.
        """
        await stoppable(self._add, blob, plain, wanted)

    def _add(self, blob: Path, plain: Plain, wanted: Callable[[str], bool] | None, stop: threading.Event) -> None:
        digest = plain.descriptor.digest
        with ThreadPoolExecutor(1) as beside:
            hashing = beside.submit(hash_file, blob, digest, f"the layer {digest.short}", stop)
            try:
                self._take_apart(blob, plain, wanted, stop)
            finally:
                hashing.result()

    def _take_apart(
        self, blob: Path, plain: Plain, wanted: Callable[[str], bool] | None, stop: threading.Event
    ) -> None:
        """Write a layer's files while its blob is hashed; they stay hidden until the digest is verified."""
        digest = plain.descriptor.digest
        source = blob
        if plain.compression != "none":
            source = self.scratch.path / f"plain-{digest.hex}"
            decompress(blob, plain.compression, source, plain.diff_id, self.limits, stop)
        pieces = pieces_of(source, plain.raw_path, plain.under, plain.mode)
        if wanted is not None:
            pieces = [piece for piece in pieces if not piece.folder and wanted(piece.path)]
        self._write(source, pieces, stop)
        if source is not blob:
            source.unlink()

    def _write(self, source: Path, pieces: list[Piece], stop: threading.Event) -> None:
        path = self.scratch.new_tree()
        tree = Tree(path)
        try:
            write_pieces(source, pieces, tree, stop, self.limits)
        finally:
            tree.close()
        self._layers.append(Staged(path, pieces))

    async def receive(self, piece: Piece, chunks: AsyncIterator[bytes]) -> None:
        """Write one file from bytes that arrive, unverified. Raises UnsafePath, DiskFull."""
        path = await in_thread(self.scratch.new_tree)
        try:
            async with (
                held(partial(Tree, path), Tree.close) as tree,
                held(partial(tree.create, piece.parts, piece.mode), os.close) as handle,
            ):
                async for chunk in chunks:
                    await in_thread(write_fully, handle, chunk)
                await in_thread(settle, [os.dup(handle)])
        except OSError as error:
            raise storage_error(error, f"write {piece.path}") from error
        self._layers.append(Staged(path, [piece]))

    @property
    def staged(self) -> Sequence[Piece]:
        """Every file, in the order in which they are moved."""
        return [piece for layer in self._layers for piece in layer.pieces if not piece.folder]

    async def conflicts(self, decisions: Decisions) -> list[str]:
        """Paths that need a decision and have none. Raises UnsafePath for links in the way."""
        return await in_thread(self._placing.conflicts, decisions)

    async def commit(self, decisions: Decisions) -> list[Placed]:
        """Move everything into the target, the Kitfile last; files that an interrupted run moved are kept.

        Raises Conflict before anything is moved if another file exists without a decision. After an interruption,
        another run continues where it stopped.
        """
        return await in_thread(self._placing.commit, decisions, self.kitfile)

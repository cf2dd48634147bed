"""Unpacking in two steps: all is verified and written into a scratch folder in the target, then moved out of it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from kittui.crashpoints import crash_point
from kittui.disk.blobs import BlobFolder
from kittui.disk.durable import storage_error, write_fully
from kittui.disk.files import FolderFiles
from kittui.disk.locks import file_lock
from kittui.disk.threads import held, in_thread
from kittui.errors import Conflict, NetworkError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer.extract import FILE_MODE, Limits, decompress, hash_file, pieces_of, settle, write_pieces
from kittui.transfer.paths import Parts, Piece
from kittui.transfer.scratch import Scratch
from kittui.transfer.tree import Decision, Placed, Tree

KITFILE = "Kitfile"
KITFILE_LIMIT = 8 * 1024 * 1024

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


@dataclass(slots=True)
class _Layer:
    """A layer's files in the scratch folder."""

    tree: Path
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Answers:
    """What to do where a file is there already: for all, and for single paths; None refuses."""

    default: Decision | None = None
    paths: Mapping[str, Decision] = field(default_factory=dict)

    def on(self, path: str) -> Decision | None:
        """The decision on one path."""
        return self.paths.get(path, self.default)


class Staging:
    """One unpacking into one target."""

    def __init__(self, target: Path, limits: Limits) -> None:
        self.target = target
        self.scratch = Scratch(target)
        self.limits = limits
        self.kitfile: bytes | None = None
        self._layers: list[_Layer] = []
        self._same: dict[tuple[Path, Parts], bool] = {}
        folder = self.scratch.path
        self.files = FolderFiles(BlobFolder(folder / "blobs"), [folder], mode=0o600, check=lambda: None)

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Path, limits: Limits | None = None) -> AsyncIterator[Staging]:
        """Create the target and its scratch folder; the scratch folder goes when the block ends well.

        After a network error or a cancel the downloads in it stay, for the next run; once files began to be moved, it
        stays as the mark that the target is not whole. Raises Conflict where another kittui unpacks there,
        StorageError.
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

        Raises DigestMismatch, Malformed, UnsafePath, TooLarge, DiskFull; nothing of it reaches the target then.
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
        """Write a layer's files while its blob is hashed: nobody sees them before the digest is known to be right."""
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
        self._layers.append(_Layer(path, pieces))

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
        self._layers.append(_Layer(path, [piece]))

    @property
    def staged(self) -> Sequence[Piece]:
        """Every file, in the order in which they are moved."""
        return [piece for layer in self._layers for piece in layer.pieces if not piece.folder]

    async def conflicts(self, answers: Answers) -> list[str]:
        """Paths that need an answer and have none: a file with other content is there, or two layers hold them.

        Raises UnsafePath for links in the way.
        """
        return await in_thread(self._conflicts, answers)

    def _conflicts(self, answers: Answers) -> list[str]:
        found: list[str] = []
        seen: set[Parts] = set()
        tree = Tree(self.target)
        try:
            for layer in self._layers:
                for piece in layer.pieces:
                    if piece.folder:
                        self._check_folder(tree, piece)
                        continue
                    there = tree.obstacle(piece.parts)
                    if answers.on(piece.path) is None and (
                        piece.parts in seen or (there and not self._is_same(tree, layer, piece))
                    ):
                        found.append(piece.path)
                    seen.add(piece.parts)
        finally:
            tree.close()
        return found

    def _is_same(self, target: Tree, layer: _Layer, piece: Piece) -> bool:
        """Whether a file in the target has the very bytes that belong there, as an earlier run was cut short."""
        if not self.scratch.resumed:
            return False
        key = (layer.tree, piece.parts)
        if key not in self._same:
            source = Tree(layer.tree)
            try:
                self._same[key] = source.has_same(piece.parts, target, piece.parts)
            finally:
                source.close()
        return self._same[key]

    def _check_folder(self, tree: Tree, piece: Piece) -> None:
        with suppress(FileNotFoundError), tree.folder(piece.parts, make=False):
            pass

    async def commit(self, answers: Answers) -> list[Placed]:
        """Move everything into the target, the Kitfile last; what an earlier run, cut short, moved there is kept.

        Raises Conflict before anything is moved where another file is there and no answer says what to do. Run again
        after it was cut short, it continues where it stopped.
        """
        return await in_thread(self._commit, answers)

    def _commit(self, answers: Answers) -> list[Placed]:
        if unanswered := self._conflicts(answers):
            more = f" and {len(unanswered) - 1} more" if len(unanswered) > 1 else ""
            again = "An earlier run here was cut short while it moved files. " if self.scratch.moving else ""
            raise Conflict(
                f"{unanswered[0]}{more} in {self.target} would be overwritten",
                hint=f"{again}Give -o to overwrite, -i to keep what is there, or another folder. Nothing was written.",
            )
        kitfile = self._kitfile_outcome(answers)
        modes = {piece.parts: piece.mode for layer in self._layers for piece in layer.pieces if piece.folder}
        target = Tree(self.target, resumed=self.scratch.resumed)
        crash_point("unpack.before-move")
        try:
            names = self._names(target, answers)
            self.scratch.start_moving({key: "/".join(parts) for key, parts in names.items()})
            placed = self._move(target, answers, names, modes)
            crash_point("unpack.before-kitfile")
            if kitfile is not None:
                placed.append(self._place_kitfile(target, kitfile))
            target.settle()
        finally:
            target.close()
        return placed

    def _names(self, target: Tree, answers: Answers) -> dict[str, Parts]:
        """Where files go that are to be there beside others: where an earlier run put them, else a free name."""
        earlier = self.scratch.names()
        pieces = [(_key(n, piece), layer, piece) for n, layer in enumerate(self._layers) for piece in layer.pieces]
        taken = {piece.parts for _, _, piece in pieces}
        seen: set[Parts] = set()
        found: dict[str, Parts] = {}
        for key, layer, piece in pieces:
            if piece.folder:
                continue
            both = answers.on(piece.path) == "both"
            there = both and target.obstacle(piece.parts) and not self._is_same(target, layer, piece)
            if both and (piece.parts in seen or there):
                name = earlier.get(key, "").rpartition("/")[2]
                found[key] = (*piece.parts[:-1], name) if name else target.free_name(piece.parts, taken)
                taken.add(found[key])
            seen.add(piece.parts)
        return found

    def _move(
        self, target: Tree, answers: Answers, names: Mapping[str, Parts], modes: Mapping[Parts, int]
    ) -> list[Placed]:
        placed: list[Placed] = []
        for number, layer in enumerate(self._layers):
            source = Tree(layer.tree)
            try:
                for piece in layer.pieces:
                    if piece.folder:
                        with target.folder(piece.parts, modes):
                            continue
                    name = names.get(_key(number, piece), piece.parts)
                    placed.append(target.place(source, piece.parts, name, answers.on(piece.path), modes))
            finally:
                source.close()
        return placed

    def _kitfile_outcome(self, answers: Answers) -> Decision | None:
        """What to do with the Kitfile: the same bytes stay; others are only overwritten when told to, as in kit."""
        if self.kitfile is None:
            return None
        path = self.target / KITFILE
        tree = Tree(self.target)
        try:
            if not tree.obstacle((KITFILE,)):
                return "overwrite"
        finally:
            tree.close()
        with path.open("rb") as file:
            if file.read(KITFILE_LIMIT) == self.kitfile:
                return "keep"
        decision = answers.on(KITFILE)
        if decision == "keep" and KITFILE not in answers.paths:
            decision = None
        if decision is None:
            raise Conflict(
                f"another Kitfile is in {self.target}",
                hint="Give -o to overwrite it, or unpack into another folder. Nothing was written.",
            )
        return decision

    def _place_kitfile(self, target: Tree, decision: Decision) -> Placed:
        content = self.kitfile or b""
        if decision == "keep":
            return Placed(KITFILE, len(content), "kept")
        path = self.scratch.new_tree()
        tree = Tree(path)
        try:
            handle = tree.create((KITFILE,), FILE_MODE)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                settle([os.dup(handle)])
            return target.place(tree, (KITFILE,), (KITFILE,), decision, {})
        finally:
            tree.close()


def _key(number: int, piece: Piece) -> str:
    """A piece's name among those of all layers: one path may be in two."""
    return f"{number}:{piece.path}"

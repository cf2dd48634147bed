"""Unpacking in two steps: everything is verified and written into a scratch folder in the target, then moved out of it.

`TARGET/.kittui-unpack/` is on the target's file system, so that moving is renaming; it holds partial downloads too,
which the next run resumes. While it is there, the target is not whole.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kittui.crashpoints import crash_point
from kittui.disk.blobs import BlobFolder
from kittui.disk.durable import storage_error, write_fully
from kittui.disk.files import FolderFiles
from kittui.disk.locks import file_lock
from kittui.disk.threads import in_thread
from kittui.errors import Conflict, NetworkError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer.extract import Limits, decompress, hash_file, pieces_of, settle, write_pieces
from kittui.transfer.paths import Parts, Piece
from kittui.transfer.tree import Decision, Placed, Tree

SCRATCH = ".kittui-unpack"
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
    """How a layer's blob becomes files: `raw_path` is set for a layer that is one bare file, `under` for old kits."""

    descriptor: Descriptor
    compression: str = "none"
    raw_path: str | None = None
    under: Parts = ()
    diff_id: Digest | None = None


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
        self.scratch = target / SCRATCH
        self.limits = limits
        self.kitfile: bytes | None = None
        self._layers: list[_Layer] = []
        self._made: list[Path] = []
        self.files = FolderFiles(BlobFolder(self.scratch / "blobs"), [self.scratch], mode=0o600, check=lambda: None)

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Path, limits: Limits | None = None) -> AsyncIterator[Staging]:
        """Make the target and its scratch folder; the scratch folder goes when the block ends.

        After a network error or a cancel the downloads in it stay, for the next run. Raises Conflict where another
        kittui unpacks there, StorageError.
        """
        staging = cls(target, limits or Limits())
        await in_thread(staging._begin)
        async with file_lock(staging.scratch / "lock", f"the folder {target}, to unpack into it,", patience=0.2):
            await in_thread(staging._drop_trees)
            try:
                yield staging
            except (NetworkError, asyncio.CancelledError):
                await in_thread(staging._drop_trees)
                raise
            except BaseException:
                await in_thread(staging._drop)
                raise
            await in_thread(staging._drop)

    def _begin(self) -> None:
        try:
            at = self.target
            while not at.exists():
                self._made.append(at)
                at = at.parent
            self.target.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.scratch.mkdir(mode=0o700)
            if self.scratch.is_symlink() or not self.scratch.is_dir():
                raise Conflict(f"{self.scratch} is in the way", hint="Remove it, or unpack into another folder.")
        except OSError as error:
            raise storage_error(error, f"unpack into {self.target}") from error

    def _drop_trees(self) -> None:
        for path in self.scratch.glob("tree-*"):
            shutil.rmtree(path, onerror=_force)
        for path in self.scratch.glob("plain-*"):
            path.unlink(missing_ok=True)

    def _drop(self) -> None:
        """Remove the scratch folder, and the folders made for the target where they stayed empty."""
        shutil.rmtree(self.scratch, onerror=_force)
        with suppress(OSError):
            for path in self._made:
                path.rmdir()

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
            source = self.scratch / f"plain-{digest.hex}"
            decompress(blob, plain.compression, source, plain.diff_id, self.limits, stop)
        pieces = pieces_of(source, plain.raw_path, plain.under)
        if wanted is not None:
            pieces = [piece for piece in pieces if not piece.folder and wanted(piece.path)]
        self._write(source, pieces, stop)
        if source is not blob:
            source.unlink()

    def _write(self, source: Path, pieces: list[Piece], stop: threading.Event) -> None:
        path = self._new_tree()
        tree = Tree(path)
        try:
            write_pieces(source, pieces, tree, stop, self.limits)
        finally:
            tree.close()
        self._layers.append(_Layer(path, pieces))

    def _new_tree(self) -> Path:
        path = self.scratch / f"tree-{len(self._layers)}"
        path.mkdir(mode=0o700)
        return path

    async def receive(self, piece: Piece, chunks: AsyncIterator[bytes]) -> None:
        """Write one file from bytes that arrive, unverified. Raises UnsafePath, DiskFull."""
        path = await in_thread(self._new_tree)
        tree = await in_thread(Tree, path)
        try:
            handle = await in_thread(tree.create, piece.parts, piece.mode)
            with os.fdopen(handle, "wb", buffering=0):
                async for chunk in chunks:
                    await in_thread(write_fully, handle, chunk)
                await in_thread(settle, [os.dup(handle)])
        except OSError as error:
            raise storage_error(error, f"write {piece.path}") from error
        finally:
            tree.close()
        self._layers.append(_Layer(path, [piece]))

    @property
    def staged(self) -> Sequence[Piece]:
        """Every file, in the order in which they are moved."""
        return [piece for layer in self._layers for piece in layer.pieces if not piece.folder]

    async def conflicts(self) -> list[str]:
        """Paths that are there already, or come from two layers. Raises UnsafePath for links in the way."""
        return await in_thread(self._conflicts)

    def _conflicts(self) -> list[str]:
        found: list[str] = []
        seen: set[Parts] = set()
        tree = Tree(self.target)
        try:
            for layer in self._layers:
                for piece in layer.pieces:
                    if piece.folder:
                        self._check_folder(tree, piece)
                    elif tree.obstacle(piece.parts) or piece.parts in seen:
                        found.append(piece.path)
                    seen.add(piece.parts)
        finally:
            tree.close()
        return found

    def _check_folder(self, tree: Tree, piece: Piece) -> None:
        with suppress(FileNotFoundError), tree.folder(piece.parts, make=False):
            pass

    async def commit(self, answers: Answers) -> list[Placed]:
        """Move everything into the target, the Kitfile last.

        Raises Conflict before anything is moved where a file is there and no answer says what to do.
        """
        return await in_thread(self._commit, answers)

    def _commit(self, answers: Answers) -> list[Placed]:
        unanswered = [path for path in self._conflicts() if answers.on(path) is None]
        if unanswered:
            more = f" and {len(unanswered) - 1} more" if len(unanswered) > 1 else ""
            raise Conflict(
                f"{unanswered[0]}{more} in {self.target} would be overwritten",
                hint="Give -o to overwrite, -i to keep what is there, or another folder. Nothing was written.",
            )
        kitfile = self._kitfile_outcome(answers)
        modes = {piece.parts: piece.mode for layer in self._layers for piece in layer.pieces if piece.folder}
        placed: list[Placed] = []
        target = Tree(self.target)
        crash_point("unpack.before-move")
        try:
            for layer in self._layers:
                source = Tree(layer.tree)
                try:
                    for piece in layer.pieces:
                        if piece.folder:
                            with target.folder(piece.parts, modes):
                                continue
                        placed.append(target.place(source, piece.parts, piece.parts, answers.on(piece.path), modes))
                finally:
                    source.close()
            crash_point("unpack.before-kitfile")
            if kitfile is not None:
                placed.append(self._place_kitfile(target, kitfile))
            target.settle()
        finally:
            target.close()
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
        path = self._new_tree()
        tree = Tree(path)
        try:
            handle = tree.create((KITFILE,), 0o644)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                settle([os.dup(handle)])
            return target.place(tree, (KITFILE,), (KITFILE,), decision, {})
        finally:
            tree.close()


def _force(remove: Callable[[str], object], path: str, _error: object) -> None:
    """Remove what a mode protects: its folder gets writable first."""
    try:
        parent = Path(path).parent
        parent.chmod(0o700)
        Path(path).chmod(0o700)
        remove(path)
    except OSError as error:
        raise storage_error(error, f"remove {path}") from error

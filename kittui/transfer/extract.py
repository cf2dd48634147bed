"""Unpacks a layer: decompresses its verified blob within bounds, checks it whole, then writes it to a tree."""

from __future__ import annotations

import errno
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from kittui.budget import RATIO, layer_budget
from kittui.crashpoints import crash_point
from kittui.disk.buffers import read_buffer
from kittui.disk.durable import start_writing, storage_error, sync_file
from kittui.disk.room import check_room
from kittui.errors import Interrupted, Malformed, TooLarge
from kittui.formats.need import run_on
from kittui.formats.tar import DISK, FileEntry, TarWalk
from kittui.oci.digest import Digest
from kittui.transfer.paths import Parts, Piece, check_entries, safe_parts
from kittui.transfer.tree import Tree

PIECE = 1024 * 1024
OPEN_FILES = 128
"""Number of files that are synced to disk together."""
FILE_MODE = 0o644
"""Permissions of a bare file without recorded ones."""
ZSTD_WINDOW = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds against archive bombs: how many times a layer may expand, and how many bytes may be written."""

    ratio: float = RATIO
    size: int | None = None


def hash_file(path: Path, digest: Digest, what: str, stop: threading.Event) -> None:
    """Raise DigestMismatch unless a file has the digest. Blocks."""
    hasher = digest.hasher()
    buffer = read_buffer(PIECE)
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                check(stop)
                hasher.update(buffer[:count])
    except OSError as error:
        raise storage_error(error, f"read {what}") from error
    if hasher.hexdigest() != digest.hex:
        digest_mismatch(what, digest, hasher.hexdigest())


def digest_mismatch(what: str, digest: Digest, found: str) -> None:
    """Raise DigestMismatch with the way to repair the content."""
    from kittui.errors import DigestMismatch

    raise DigestMismatch(
        f"{what} does not match its digest {digest.short}: its bytes are {found[:12]}",
        hint="Nothing was unpacked. The content is damaged: kittui doctor --repair, or pull the ModelKit again.",
    )


def check(stop: threading.Event) -> None:
    """End a thread's work if it was cancelled."""
    if stop.is_set():
        raise Interrupted("stopped")


def decompress(
    source: Path, compression: str, target: Path, diff_id: Digest | None, limits: Limits, stop: threading.Event
) -> None:
    """Decompress a layer into a file.

    Raises Malformed, TooLarge for a bomb, DiskFull, DigestMismatch for its diffId.
    """
    hasher = (diff_id or Digest.of(b"")).hasher()
    budget = layer_budget(limits.ratio)
    budget.spend("input", source.stat().st_size)
    written = 0
    try:
        with source.open("rb") as file, target.open("wb") as output:
            for piece in _plain(file, compression):
                check(stop)
                written += len(piece)
                try:
                    budget.spend("output", len(piece))
                except TooLarge as error:
                    error.hint = "If you trust it, run it again with --yes."
                    raise
                check_size(target.parent, written, limits, held=written - len(piece))
                hasher.update(piece)
                output.write(piece)
    except OSError as error:
        raise storage_error(error, f"write {target}") from error
    if diff_id is not None and hasher.hexdigest() != diff_id.hex:
        digest_mismatch("the uncompressed layer", diff_id, hasher.hexdigest())


def _plain(file: BinaryIO, compression: str) -> Iterator[bytes]:
    """Yield the content of a gzip or zstd file in pieces of bounded size."""
    try:
        if compression == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).stream_reader(
                file, read_across_frames=True
            )
            while piece := reader.read(PIECE):
                yield piece
            return
        inflate = zlib.decompressobj(wbits=31)
        rest = b""
        while True:
            rest = rest or file.read(PIECE)
            if not rest:
                if not inflate.eof:
                    raise Malformed("the gzip layer ends early")
                return
            if inflate.eof:
                inflate = zlib.decompressobj(wbits=31)
            piece = inflate.decompress(rest, PIECE)
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if piece:
                yield piece
            elif inflate.eof and not rest:
                rest = file.read(PIECE)
                if not rest:
                    return
    except (zlib.error, zstandard.ZstdError) as error:
        raise Malformed(f"the layer can't be decompressed: {error}") from None


def check_size(folder: Path, wanted: int, limits: Limits, held: int = 0) -> None:
    """Raise TooLarge over the limit, DiskFull if the additional bytes and the margin do not fit. Blocks."""
    if limits.size is not None and wanted > limits.size:
        raise TooLarge(f"more than {limits.size} bytes would be written", hint="Nothing was unpacked.")
    if wanted - held >= PIECE or wanted % (64 * PIECE) < PIECE:
        hint = "Free some space, or unpack into another folder. Nothing was unpacked."
        check_room(folder, wanted - held, hint)


def pieces_of(path: Path, raw_path: str | None, under: Parts = (), mode: int = FILE_MODE) -> list[Piece]:
    """List what an uncompressed layer holds: a tar's entries, or a raw layer's one file. Blocks. Raises UnsafePath."""
    size = path.stat().st_size
    if raw_path is not None:
        return check_entries([FileEntry("/".join(safe_parts(raw_path)), "file", size, mode, 0)], under)
    walk = TarWalk(size, DISK)
    with path.open("rb", buffering=0) as file:
        run_on(walk.steps(), lambda offset, length: os.pread(file.fileno(), length, offset))
    if walk.problem is not None:
        raise Malformed(walk.problem, hint="Nothing was unpacked: the layer's archive is damaged.")
    return check_entries(walk.entries, under)


def write_pieces(path: Path, pieces: list[Piece], tree: Tree, stop: threading.Event, limits: Limits) -> None:
    """Write files and folders of an uncompressed layer into an empty tree. Blocks."""
    check_size(tree.root, sum(piece.size for piece in pieces), limits)
    handles: list[int] = []
    try:
        with path.open("rb", buffering=0) as file:
            for piece in pieces:
                check(stop)
                if piece.folder:
                    with tree.folder(piece.parts):
                        continue
                handles.append(tree.create(piece.parts, piece.mode))
                copy_range(file.fileno(), piece.offset, handles[-1], piece.size, stop)
                if len(handles) == OPEN_FILES:
                    settle(handles)
            settle(handles)
    except OSError as error:
        raise storage_error(error, f"unpack into {tree.root}") from error
    finally:
        for handle in handles:
            os.close(handle)


def settle(handles: list[int]) -> None:
    """Sync written files to disk and close them, so that no visible file can lose bytes in a power cut.

    Syncing several at once needs only one commit of the file system's journal. Raises OSError.
    """
    for handle in handles:
        crash_point("unpack.before-fsync")
        sync_file(handle)
    while handles:
        os.close(handles.pop())


def copy_range(source: int, offset: int, target: int, size: int, stop: threading.Event) -> None:
    """Copy bytes between files, in the kernel if possible, and start writing them to disk."""
    written = 0
    kernel = hasattr(os, "copy_file_range")
    while size:
        check(stop)
        count = 0
        if kernel:
            try:
                count = os.copy_file_range(source, target, min(size, 16 * PIECE), offset_src=offset)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
                    raise
                kernel = False
                continue
        else:
            count = os.write(target, os.pread(source, min(size, PIECE), offset))
        if not count:
            raise Malformed("the layer ends before its last file does", hint="Nothing was unpacked.")
        start_writing(target, written, count)
        written += count
        offset += count
        size -= count

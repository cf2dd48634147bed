"""Writes verified copies of files for other programs: whole, read-only, in a private folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kittui.disk.durable import storage_error
from kittui.disk.private import safe_name
from kittui.disk.room import check_room
from kittui.disk.threads import held, in_thread

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask

Passed = Callable[[int, int], None]
"""Called with the layer's bytes read so far, and their total."""


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A file in a layer."""

    inspector: Inspector
    repository: Repository
    layer: Layer
    entry: FileEntry

    @property
    def path(self) -> str:
        """Its path in the ModelKit."""
        return self.entry.path


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file outside layers, such as the Kitfile: its name and text, from a verified manifest."""

    path: str
    text: str


Original = LayerFile | TextFile


@dataclass(frozen=True, slots=True)
class PrivateCopy:
    """A copy of a file, and its sha256 when it was written."""

    path: Path
    digest: str

    def changed(self) -> bool:
        """Whether it was changed since. Blocks."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() != self.digest
        except OSError:
            return False


async def copy_of(
    original: Original, folder: Path, *, ask: Ask | None = None, on_bytes: Passed | None = None
) -> PrivateCopy:
    """Write a file into a folder, whole, read-only and proved by its layer's digest.

    `ask` is called if that takes much reading. Raises Refused, DigestMismatch, StorageError, DiskFull, and what reading
    raises; then no copy is left.
    """
    path = folder / safe_name(original.path)
    hasher = hashlib.sha256()
    try:
        async with held(partial(_create, path, original), lambda opened: opened.close()) as file:

            async def emit(piece: bytes) -> None:
                hasher.update(piece)
                await in_thread(file.write, piece)

            if isinstance(original, TextFile):
                await emit(original.text.encode("utf-8", "surrogateescape"))
            else:
                await original.inspector.stream_verified(
                    original.repository,
                    original.layer,
                    original.entry,
                    emit,
                    (lambda _, read, size: on_bytes(read, size)) if on_bytes is not None else None,
                    ask=ask,
                )
            await in_thread(file.flush)
        await in_thread(path.chmod, stat.S_IRUSR)
    except BaseException as error:
        await in_thread(path.unlink, missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(error, f"write {path}") from error
        raise
    return PrivateCopy(path, hasher.hexdigest())


def _create(path: Path, original: Original) -> BinaryIO:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if isinstance(original, LayerFile):
        check_room(path.parent, original.entry.size, "$TMPDIR names another folder for such copies.")
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")

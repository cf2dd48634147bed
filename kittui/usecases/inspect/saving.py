"""Saves a file from a layer to this machine's disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kittui.crashpoints import crash_point
from kittui.disk.durable import make_folder, rename_new, set_mode, shared_mode, storage_error, sync_file
from kittui.disk.paths import typed_path
from kittui.disk.threads import held, in_thread
from kittui.errors import Conflict

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask


async def save_file(
    inspector: Inspector,
    repository: Repository,
    layer: Layer,
    entry: FileEntry,
    target: Path,
    *,
    ask: Ask | None = None,
) -> Path:
    """Write a file's bytes to `target` (a folder: under its own name in it), whole or not at all; returns the path.

    Raises Conflict if the target exists, StorageError, and what reading raises.
    """

    async def fill(file: BinaryIO) -> None:
        async def emit(piece: bytes) -> None:
            await in_thread(file.write, piece)

        await inspector.stream_file(repository, layer, entry, emit, ask=ask)

    return await _save(target, entry.path, fill)


async def save_copy(source: Path, target: Path) -> Path:
    """Write a file on this machine to `target`, as save_file does with one in a layer."""

    async def fill(file: BinaryIO) -> None:
        with source.open("rb") as content:
            await in_thread(shutil.copyfileobj, content, file)

    return await _save(target, source.name, fill)


async def _save(target: Path, name: str, fill: Callable[[BinaryIO], Awaitable[None]]) -> Path:
    async with held(partial(_begin, target, name), _discard) as (draft, file, target):
        try:
            with file:
                await fill(file)
                await in_thread(file.flush)
                await in_thread(sync_file, file.fileno())
            await in_thread(_commit, draft, target)
        except OSError as error:
            raise storage_error(error, f"write {target}") from error
    return target


def _begin(target: Path, path: str) -> tuple[Path, BinaryIO, Path]:
    """Open the draft; return it and its final path."""
    target = typed_path(target)
    if target.is_dir():
        name = path.rpartition("/")[2].replace("\0", "").replace(os.sep, "_")
        target = target / (name if name not in ("", ".", "..") else "file")
    if os.path.lexists(target):
        raise _taken(target)
    make_folder(target.parent)
    try:
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".kittui-")
    except OSError as error:
        raise storage_error(error, f"write {target}") from error
    return Path(draft), os.fdopen(handle, "wb"), target


def _discard(begun: tuple[Path, BinaryIO, Path]) -> None:
    draft, file, _ = begun
    with suppress(OSError):
        file.close()
    draft.unlink(missing_ok=True)


def _commit(draft: Path, target: Path) -> None:
    """Rename the draft to its final name, unless that exists by now."""
    set_mode(draft, shared_mode(), target)
    crash_point("saving.before-link")
    try:
        rename_new(draft, target)
    except FileExistsError:
        raise _taken(target) from None


def _taken(target: Path) -> Conflict:
    return Conflict(f"{target} already exists", hint="Choose another name, or remove it first.")

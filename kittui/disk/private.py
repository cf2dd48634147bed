"""A temporary folder that only its owner may enter, for files that other programs open."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kittui.disk.durable import storage_error
from kittui.disk.threads import held

NAME_LIMIT: Final = 200
"""The longest file name in bytes: file systems allow 255."""
_GUARD: Final = ("/bin/sh", "-c", 'read -r _; exec rm -rf -- "$1"', "sh")


def safe_name(path: str) -> str:
    """A name for a copy of a file in an archive, whose own name may be hostile.

    It is the last part of the path, keeps its extension (programs need it), and is printable. It begins with neither a
    dash nor a dot, so that no program takes it for an option or its settings file.
    """
    name = "".join(char if char.isprintable() else "_" for char in path.rpartition("/")[2])
    while len(name.encode()) > NAME_LIMIT:
        name = name[1:]
    return f"_{name}" if not name or name[0] in "-." else name


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """`path` is the folder; a program that inherits the descriptor `held` keeps the folder if kittui is killed."""

    path: Path
    held: int


_Begun = tuple[PrivateFolder, subprocess.Popen[bytes] | None]


@asynccontextmanager
async def private_folder() -> AsyncIterator[PrivateFolder]:
    """Create a folder (0700) that is removed afterwards; a watching process removes it if this one is killed.

    Raises StorageError.
    """
    async with held(_begin, _end) as (folder, _):
        yield folder


def _begin() -> _Begun:
    try:
        path = Path(tempfile.mkdtemp(prefix="kittui-"))
    except OSError as error:
        raise storage_error(error, f"create a folder in {tempfile.gettempdir()}") from error
    try:
        watched, held = os.pipe()
    except OSError as error:
        path.rmdir()
        raise storage_error(error, f"watch over the folder {path}") from error
    guard = None
    with suppress(OSError):
        # It reads until every other end is closed: that of this process and of the programs it started.
        guard = subprocess.Popen(
            [*_GUARD, str(path)],
            stdin=watched,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    os.close(watched)
    return PrivateFolder(path, held), guard


def _end(begun: _Begun) -> None:
    folder, guard = begun
    shutil.rmtree(folder.path, ignore_errors=True)
    if guard is not None:
        guard.kill()
        guard.wait()
    os.close(folder.held)

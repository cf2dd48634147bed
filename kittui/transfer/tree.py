"""Writes files where hostile links may exist: opens every path component by itself, and never follows a link.

Files are written into a scratch folder inside the target (the same file system), then renamed one by one.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kittui.crashpoints import crash_point
from kittui.disk.durable import rename_new, set_mode, storage_error
from kittui.errors import Conflict, UnsafePath
from kittui.transfer.paths import Parts, unsafe

Decision = Literal["overwrite", "keep", "both"]
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1024 * 1024
_OWNER = 0o300
"""The mode bits needed to write into a folder; a folder without them gets its mode last."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A file in the target: written, or left as it was."""

    path: str
    size: int
    outcome: Literal["written", "kept"]


class Tree:
    """A folder into which files are written, by path components. Blocks: for threads."""

    def __init__(self, root: Path, *, resumed: bool = False) -> None:
        """Open the folder, which must exist; a link to it is followed, links below it are not.

        `resumed`: an earlier run was interrupted, so an existing folder may not have its own mode yet.
        """
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise storage_error(error, f"open {root}") from error
        self.root = root
        self._resumed = resumed
        self._late: dict[Parts, int] = {}

    def close(self) -> None:
        """Close the folder."""
        os.close(self._root)

    @contextmanager
    def folder(self, parts: Parts, modes: Mapping[Parts, int] | None = None, *, make: bool = True) -> Iterator[int]:
        """A descriptor of a folder below the root, made with its parents where it is missing.

        `modes` of folders to make, 0755 for others. Raises UnsafePath for links and files in the way, FileNotFoundError
        where it is missing and not to be made.
        """
        at = os.dup(self._root)
        try:
            for depth, name in enumerate(parts, 1):
                here = parts[:depth]
                if make:
                    mode = (modes or {}).get(here, 0o755)
                    created = self._resumed
                    with suppress(FileExistsError):
                        os.mkdir(name, mode | _OWNER, dir_fd=at)
                        created = True
                    if created and mode & _OWNER != _OWNER:
                        self._late[here] = mode
                try:
                    below = os.open(name, _FOLDER, dir_fd=at)
                except FileNotFoundError:
                    raise
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR):
                        raise in_the_way(self.root, here, at) from None
                    raise storage_error(error, f"open {self.root}/{'/'.join(here)}") from error
                os.close(at)
                at = below
            yield at
        finally:
            os.close(at)

    def settle(self) -> None:
        """Give folders that are read-only for their owner their modes, once everything is in them."""
        for parts, mode in sorted(self._late.items(), reverse=True):
            with self.folder(parts, make=False) as at:
                now = stat.S_IMODE(os.fstat(at).st_mode)
                set_mode(at, now & ~_OWNER | mode & _OWNER, self.root.joinpath(*parts))

    def create(self, parts: Parts, mode: int) -> int:
        """Create a file and open it for writing; the umask applies.

        Raises UnsafePath if the file system treats its name like one already written: some ignore case or Unicode form.
        """
        try:
            with self.folder(parts[:-1]) as at:
                return os.open(parts[-1], _NEW, mode, dir_fd=at)
        except FileExistsError:
            raise unsafe(
                "/".join(parts), "this disk can't distinguish its name from another one in the ModelKit"
            ) from None
        except OSError as error:
            raise storage_error(error, f"write {self.root}/{'/'.join(parts)}") from error

    def look(self, parts: Parts) -> os.stat_result | None:
        """Stat a path without following links; None if nothing is there. Raises UnsafePath for a link on the way."""
        try:
            with self.folder(parts[:-1], make=False) as at:
                return os.stat(parts[-1], dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def obstacle(self, parts: Parts) -> bool:
        """Whether a regular file exists; raises UnsafePath, and Conflict for what can't be overwritten."""
        status = self.look(parts)
        if status is None:
            return False
        if stat.S_ISLNK(status.st_mode):
            with self.folder(parts[:-1], make=False) as at:
                raise in_the_way(self.root, parts, at)
        if not stat.S_ISREG(status.st_mode):
            raise Conflict(
                f"{'/'.join(parts)} in {self.root} is not a regular file",
                hint="Move it away, or unpack into another folder. Nothing was written.",
            )
        return True

    def has_same(self, parts: Parts, other: Tree, target: Parts) -> bool:
        """Whether a regular file here and one in another tree hold the same bytes."""
        with self.folder(parts[:-1], make=False) as here, other.folder(target[:-1], make=False) as there:
            return _same_bytes(parts[-1], here, target[-1], there)

    def free_name(self, parts: Parts, taken: Collection[Parts]) -> Parts:
        """A free name like one that is taken, here or by pending files."""
        folder = parts[:-1]

        def used(name: str) -> bool:
            return (*folder, name) in taken or self.look((*folder, name)) is not None

        return (*folder, free_name(parts[-1], used))

    def place(
        self, source: Tree, parts: Parts, target: Parts, decision: Decision | None, modes: Mapping[Parts, int]
    ) -> Placed:
        """Move one written file from another tree to its place; overwrites a file only if that was decided.

        After an interrupted run, an existing file with the same bytes is kept. Raises Conflict if a file appeared since
        the decisions.
        """
        try:
            with source.folder(parts[:-1], make=False) as origin, self.folder(target[:-1], modes) as at:
                size = os.stat(parts[-1], dir_fd=origin, follow_symlinks=False).st_size
                name = "/".join(target)
                there = self.obstacle(target)
                if there and (
                    decision == "keep"
                    or (self._resumed and decision != "overwrite" and _same_bytes(parts[-1], origin, target[-1], at))
                ):
                    return Placed(name, os.stat(target[-1], dir_fd=at, follow_symlinks=False).st_size, "kept")
                crash_point("unpack.before-rename")
                if there and decision == "overwrite":
                    mode = stat.S_IMODE(os.stat(target[-1], dir_fd=at, follow_symlinks=False).st_mode)
                    set_mode(parts[-1], mode, self.root / name, origin)
                    os.rename(parts[-1], target[-1], src_dir_fd=origin, dst_dir_fd=at)
                else:
                    rename_new(parts[-1], target[-1], source_folder=origin, target_folder=at)
                crash_point("unpack.after-rename")
                return Placed(name, size, "written")
        except FileExistsError:
            raise Conflict(
                f"{'/'.join(target)} is in {self.root} already",
                hint="Use -o to overwrite existing files, -i to keep them, or another folder.",
            ) from None
        except OSError as error:
            raise storage_error(error, f"write {self.root}/{'/'.join(target)}") from error


def _same_bytes(one: str, folder: int, other: str, other_folder: int) -> bool:
    """Whether two regular files, by their names in open folders, hold the same bytes; False if one can't be read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with ExitStack() as stack:
        files: list[io.FileIO] = []
        for name, at in ((one, folder), (other, other_folder)):
            try:
                handle = os.open(name, flags, dir_fd=at)
            except OSError:
                return False
            files.append(stack.enter_context(io.FileIO(handle, "rb")))
        if len({os.fstat(file.fileno()).st_size for file in files}) != 1:
            return False
        while True:
            first, second = (file.read(_PIECE) for file in files)
            if first != second:
                return False
            if not first:
                return True


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """A free name like one that is taken: `train.csv` becomes `train (2).csv`."""
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    number = 2
    while taken(candidate := f"{stem} ({number}){dot}{ending}"):
        number += 1
    return candidate


def in_the_way(root: Path, parts: Parts, at: int) -> UnsafePath:
    """The error for writing through something that is not a folder, or onto something that is not a regular file."""
    kind = "not a folder"
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(parts[-1], dir_fd=at, follow_symlinks=False).st_mode):
            kind = "a symbolic link, which is not followed"
    return UnsafePath(
        f"{'/'.join(parts)} in {root} is {kind}",
        hint="Move it away, or unpack into another folder. Nothing was written through it.",
    )

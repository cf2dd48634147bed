"""Decides which paths of an archive may be written: inside the target, regular files and folders, each once. No IO."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kittui.errors import TooLarge, UnsafePath
from kittui.formats.tar import FileEntry

_DRIVE = re.compile(r"[A-Za-z]:(?:[/\\]|\Z)")
MODE = 0o755
"""The permission bits that an archive may set."""
LONGEST = 4095
"""Maximum bytes of a path: the limit of system calls."""
DEEPEST = 256
"""Maximum depth of folders."""
MOST = 4_000_000
"""Maximum files and folders of a layer, including folders that only appear in paths."""
RESERVED = ".kittui-unpack"
"""The name in a target that kittui uses while it unpacks."""

Parts = tuple[str, ...]
_Node = dict[str, "_Node"] | None
"""The contents of a folder, None for a file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file or folder to write: `offset` and `size` are where its bytes are in the uncompressed layer."""

    parts: Parts
    folder: bool
    size: int
    mode: int
    offset: int

    @property
    def path(self) -> str:
        """The path with slashes."""
        return "/".join(self.parts)


def safe_parts(path: str) -> Parts:
    """The components of a path from an archive or Kitfile.

    Raises UnsafePath for absolute ones, `..`, backslashes, drives, NUL, and names that no file system can hold.
    """
    reason = None
    if len(path) > LONGEST:
        raise unsafe(path, f"its path is longer than {LONGEST} characters")
    if path.startswith("/"):
        reason = "it is absolute"
    elif "\0" in path:
        reason = "it holds a NUL"
    elif "\\" in path:
        reason = "it holds a backslash"
    elif _DRIVE.match(path):
        reason = "it names a drive"
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        reason = "it leads outside the folder"
    if len(parts) > DEEPEST:
        reason = f"it is more than {DEEPEST} folders deep"
    if parts and parts[0].casefold() == RESERVED:
        reason = f"{RESERVED} is the name of the folder that kittui unpacks through"
    try:
        if len(path.encode("utf-8", "surrogateescape")) > LONGEST:
            reason = f"its path is longer than {LONGEST} bytes"
    except UnicodeEncodeError:
        reason = "its name is not made of bytes"
    if reason is not None:
        raise unsafe(path, reason)
    return parts


def check_entries(entries: Iterable[FileEntry], under: Parts = ()) -> list[Piece]:
    """Return what to write of a layer, in its order; `under` is its target folder (kits without digests).

    Raises UnsafePath for the first entry that is not a file or folder, has an unsafe or repeated path, or is below a
    file, so that nothing of such a layer is written.
    """
    pieces: list[Piece] = []
    root: dict[str, _Node] = {}
    count = 0
    for entry in entries:
        parts = (*under, *safe_parts(entry.path))
        if entry.problem is not None:
            raise unsafe(entry.path, f"it is {entry.problem}")
        if entry.type not in ("file", "dir"):
            raise unsafe(entry.path, "it is a symbolic link" if entry.type == "symlink" else "it is not a regular file")
        folder = entry.type == "dir"
        if not parts:
            if folder:
                continue
            raise unsafe(entry.path, "it has no name")
        at = root
        for name in parts[:-1]:
            if name not in at:
                count += 1
            below = at.setdefault(name, {})
            if below is None:
                raise unsafe(entry.path, "it is below a file")
            at = below
        if parts[-1] in at and not (folder and at[parts[-1]] is not None):
            raise unsafe(entry.path, "it is in the layer twice")
        at.setdefault(parts[-1], {} if folder else None)
        count += 1
        if count > MOST:
            raise TooLarge(f"the layer holds more than {MOST} files and folders", hint="Nothing was unpacked.")
        pieces.append(Piece(parts, folder, entry.size, entry.mode & MODE, entry.offset))
    return pieces


def unsafe(path: str, reason: str) -> UnsafePath:
    """The error that refuses a path."""
    return UnsafePath(
        f"{path[:300]!r} is not unpacked: {reason}",
        hint="Nothing was written. This ModelKit was not packed by kit, or was tampered with: don't trust it.",
    )

"""Paths that a user typed, and the user's folders; there may be no home folder."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from kittui.errors import UsageError

NOWHERE: Final = Path("/dev/null/no-home-folder")
"""Stands for an unknown home folder: nothing can be read or written there."""


def typed_path(text: str | Path) -> Path:
    """A typed path with `~` and `~user` expanded. Raises UsageError if there is no such home folder."""
    if not str(text).startswith("~"):
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"there is no home folder for {Path(text).parts[0]}", hint="Write the full path, or ./ before the ~."
        ) from None


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read it; raises OSError for others, because opening a named pipe would block."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def home_folder(environ: Mapping[str, str]) -> Path:
    """$HOME, else the home folder from the system's user database; NOWHERE if a container has neither."""
    if home := environ.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return NOWHERE


def is_nowhere(path: Path) -> bool:
    """Whether a path is below an unknown home folder."""
    return NOWHERE in (path, *path.parents)

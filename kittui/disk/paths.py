"""Paths that a user typed, and the folders of a user, who may have no home folder."""

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
"""Stands for a home folder that is not known: nothing is there to be read, and nothing can be written."""


def typed_path(text: str | Path) -> Path:
    """A path as the user typed it, `~` and `~user` replaced. Raises UsageError where that has no home folder."""
    if not str(text).startswith("~"):
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"no home folder is known for {Path(text).parts[0]}", hint="Write the whole path, or ./ before the ~."
        ) from None


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read it; raises OSError for others: a named pipe would keep whoever opens it waiting."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def home_folder(environ: Mapping[str, str]) -> Path:
    """$HOME, else what the system's list of users has; NOWHERE where a container knows neither."""
    if home := environ.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return NOWHERE


def is_nowhere(path: Path) -> bool:
    """Whether a path is below a home folder that is not known."""
    return NOWHERE in (path, *path.parents)

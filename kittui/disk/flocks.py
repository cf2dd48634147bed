"""The system's advisory lock on an open file; it ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
from typing import Literal

_HELD = frozenset({errno.EAGAIN, errno.EACCES})
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})

Locked = Literal["locked", "held", "unsupported"]


def try_flock(handle: int) -> Locked:
    """Try to lock an open file exclusively, without waiting.

    "held": another descriptor has it; "unsupported": the file system has no locks (Lustre without -o flock, some NFS,
    SMB and FUSE mounts). Raises OSError.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return "held"
        if error.errno in _UNSUPPORTED:
            return "unsupported"
        raise
    return "locked"

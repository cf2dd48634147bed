"""Detects whether a kit may be using a store right now, and could write back what it read before our change."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

_KIT = re.compile(r"kit(?!t)", re.IGNORECASE)
"""Names of the program: kit, kitops, kit-linux-amd64; not kittui, kitty, kitten."""
INGEST_AGE = 3600.0
"""Seconds without a write after which kit's partial file counts as left behind."""


def kit_at_work(storage: Path, processes: Path = Path("/proc")) -> bool:
    """Whether a kit may have read the store's indexes and not written them yet.

    Blocks. False only if that is certain on this machine: every process can be seen and none is a kit, and no kit in
    another container (whose processes can't be seen) is receiving a blob. True if processes can't be listed.
    """
    if processes == Path("/proc") and not sys.platform.startswith("linux"):
        return True
    try:
        # If others' processes are hidden (hidepid), the first one is too.
        if not (processes / "1").exists():
            return True
        if any(_is_kit(path) for path in processes.iterdir() if path.name.isdigit()):
            return True
        return any(path.stat().st_mtime > time.time() - INGEST_AGE for path in (storage / "ingest").iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _is_kit(process: Path) -> bool:
    try:
        return _KIT.match((process / "comm").read_text(errors="replace")) is not None
    except (FileNotFoundError, ProcessLookupError):
        return False

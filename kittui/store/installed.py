"""Finds the installed kit, and what it can read in a store."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Final

Version = tuple[int, int]

MODELPACKS: Final[Version] = (1, 10)
"""The first kit that supports ModelPacks in its store; earlier ones fail on every list."""
_READS: Final[tuple[tuple[Version, str], ...]] = (
    (MODELPACKS, "ModelPacks"),
    ((1, 15), "zstd and raw layers, prompts and MCP servers"),
    ((1, 17), "indexes of variants"),
)
_VERSION = re.compile(r"^Version:\s*v?(\d+)\.(\d+)", re.MULTILINE)
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class InstalledKit:
    """The kit on PATH; `path` is None if there is none, `version` where it does not say."""

    path: str | None
    version: Version | None = None

    def reads(self, since: Version) -> bool:
        """Whether it is known to be of a version or newer."""
        return self.version is not None and self.version >= since

    @property
    def words(self) -> str:
        """The installed kit, in words."""
        if self.path is None:
            return "kit is not installed here"
        if self.version is None:
            return f"{self.path} does not report its version"
        return f"{self.path} is version {version_text(self.version)}"

    @property
    def misses(self) -> list[str]:
        """What it may not be able to read."""
        return [f"{what} ({version_text(since)})" for since, what in _READS if not self.reads(since)]


def version_text(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def installed_kit() -> InstalledKit:
    """Ask the kit on PATH for its version. Blocks."""
    path = shutil.which("kit")
    if path is None:
        return InstalledKit(None)
    return InstalledKit(path, _version_of(path))


@cache
def _version_of(path: str) -> Version | None:
    try:
        said = subprocess.run(
            [path, "version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(said.stdout.decode(errors="replace"))
    return (int(found[1]), int(found[2])) if found else None

"""What the interface keeps for the next time, beside the configuration: favourites and the sizes of panes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_LIMIT: Final = 1024 * 1024


class KeptByInterface:
    """Two files in the state folder. Everything here blocks."""

    def __init__(self, folder: Path) -> None:
        self._favourites = folder / "favourites.json"
        self._sizes = folder / "panes.json"

    def favourites(self) -> tuple[str, ...] | None:
        """The favourites as they were last kept; None where they never were."""
        kept = _read(self._favourites)
        return tuple(one for one in kept if isinstance(one, str)) if isinstance(kept, list) else None

    def sizes(self) -> dict[str, int]:
        """The sizes of panes as they were last kept."""
        kept = _read(self._sizes)
        if not isinstance(kept, dict):
            return {}
        return {name: size for name, size in kept.items() if isinstance(size, int) and not isinstance(size, bool)}

    def save_favourites(self, now: Sequence[str]) -> None:
        """Keep the favourites. Raises StorageError."""
        _write(self._favourites, list(now), "favourites")

    def save_sizes(self, now: Mapping[str, int]) -> None:
        """Keep the sizes of panes. Raises StorageError."""
        _write(self._sizes, dict(now), "pane sizes")


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None


def _write(path: Path, kept: object, point: str) -> None:
    from kittui.disk.durable import make_folder, replace_file

    make_folder(path.parent)
    replace_file(path, json.dumps(kept, indent=1).encode(), temporary=path.parent, point=point)

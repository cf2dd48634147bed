"""Stores reviews of comparisons, one small file for each pair of digests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from kittui.disk.durable import make_private_folder, replace_file

_LIMIT = 8 * 1024 * 1024
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]{64,128})\Z")


class Reviews:
    """The folder of reviews. Documents are any JSON from the caller. Every method blocks."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "reviews"

    def read(self, a: str, b: str) -> Any:
        """Return what is stored for a pair of digests; None if nothing is, or it can't be read."""
        path = self._path(a, b)
        try:
            with path.open("rb") as file:
                return json.loads(file.read(_LIMIT))
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, a: str, b: str, document: Any) -> None:
        """Store a document for a pair of digests. Raises StorageError."""
        path = self._path(a, b)
        make_private_folder(self._folder, self._state)
        content = json.dumps(document, indent=1).encode()
        replace_file(path, content, temporary=self._folder, point="review")

    def has_others(self, digest: str) -> bool:
        """Whether there is any review in which a digest is the newer side."""
        match = _DIGEST.match(digest)
        return match is not None and any(self._folder.glob(f"*-{match[2][:64]}.json"))

    def _path(self, a: str, b: str) -> Path:
        found = _DIGEST.match(a), _DIGEST.match(b)
        if found[0] is None or found[1] is None:
            raise ValueError("a review is of two digests")
        return self._folder / f"{found[0][2][:64]}-{found[1][2][:64]}.json"

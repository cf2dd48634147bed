"""The folder `.kittui-unpack` in a target, which holds files until they are moved out of it.

It is on the target's file system, so that moving is renaming, and holds partial downloads, which the next run resumes.
While it exists, the target is incomplete: once files were moved, only a successful run removes it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from kittui.disk.durable import remove_file, replace_file, storage_error
from kittui.disk.trees import remove_tree
from kittui.errors import Conflict
from kittui.transfer.paths import RESERVED

_LIMIT = 64 * 1024 * 1024


class Scratch:
    """The scratch folder of one target. All methods block."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target / RESERVED
        self.lock = self.path / "lock"
        self._record = self.path / "moving"
        self.resumed = False
        """Whether an earlier run was interrupted: some of its files may be in the target already."""
        self._created: list[Path] = []
        self._trees = 0

    def begin(self) -> None:
        """Create the target and the folder. Raises Conflict if something else has its name, StorageError."""
        try:
            at = self.target
            while not at.exists():
                self._created.append(at)
                at = at.parent
            self.target.mkdir(parents=True, exist_ok=True)
            try:
                self.path.mkdir(mode=0o700)
            except FileExistsError:
                self.resumed = True
            if self.path.is_symlink() or not self.path.is_dir():
                raise Conflict(
                    f"{self.path} exists and is not kittui's", hint="Remove it, or unpack into another folder."
                )
        except OSError as error:
            raise storage_error(error, f"unpack into {self.target}") from error

    def new_tree(self) -> Path:
        """An empty folder for files."""
        path = self.path / f"tree-{self._trees}"
        self._trees += 1
        path.mkdir(mode=0o700)
        return path

    @property
    def moving(self) -> bool:
        """Whether files were moved out of here, by this run or an earlier failed one."""
        return self._record.exists()

    def start_moving(self, names: dict[str, str]) -> None:
        """Record that files are about to be moved, and which of them under other names."""
        replace_file(self._record, json.dumps(names).encode(), temporary=self.path, point="unpack.moving")

    def names(self) -> dict[str, str]:
        """The other names that an earlier run recorded."""
        try:
            with self._record.open("rb") as file:
                found = json.loads(file.read(_LIMIT))
        except (OSError, ValueError, RecursionError):
            return {}
        pairs = found.items() if isinstance(found, dict) else ()
        return {path: name for path, name in pairs if isinstance(name, str)}

    def drop_trees(self) -> None:
        """Remove files that were not moved; downloads stay."""
        for path in (*self.path.glob("tree-*"), *self.path.glob("plain-*")):
            remove_tree(path)

    def give_up(self) -> None:
        """Leave the target as it was, or marked as incomplete if files were moved already."""
        if self.moving:
            self._empty()
        else:
            self._remove()

    def finish(self) -> None:
        """Remove the folder, the mark last."""
        self._empty()
        remove_file(self._record, point="unpack.moved")
        self._remove()

    def _empty(self) -> None:
        for path in self.path.iterdir():
            if path not in (self._record, self.lock):
                remove_tree(path)

    def _remove(self) -> None:
        """Remove the folder, and folders created for the target that stayed empty."""
        remove_tree(self.path)
        with suppress(OSError):
            for path in self._created:
                path.rmdir()

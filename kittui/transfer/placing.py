"""Moves unpacked files from the scratch folder into the target."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kittui.crashpoints import crash_point
from kittui.errors import Conflict
from kittui.transfer.extract import FILE_MODE, settle
from kittui.transfer.paths import Parts, Piece
from kittui.transfer.scratch import Scratch
from kittui.transfer.tree import Decision, Placed, Tree

KITFILE: Final = "Kitfile"
KITFILE_LIMIT: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Staged:
    """A layer's files in the scratch folder."""

    tree: Path
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What to do about existing files, in general and for single paths; None refuses."""

    default: Decision | None = None
    paths: Mapping[str, Decision] = field(default_factory=dict)

    def on(self, path: str) -> Decision | None:
        """The decision on one path."""
        return self.paths.get(path, self.default)


class Placing:
    """Moves files from one scratch folder into one target. All methods block; `layers` are those staged so far."""

    def __init__(self, target: Path, scratch: Scratch, layers: Sequence[Staged]) -> None:
        self.target = target
        self.scratch = scratch
        self._layers = layers
        self._same: dict[tuple[Path, Parts], bool] = {}

    def conflicts(self, decisions: Decisions) -> list[str]:
        """Paths that need a decision and have none: a different file exists there, or two layers hold them.

        Raises UnsafePath for links in the way.
        """
        found: list[str] = []
        seen: set[Parts] = set()
        tree = Tree(self.target)
        try:
            for layer in self._layers:
                for piece in layer.pieces:
                    if piece.folder:
                        self._check_folder(tree, piece)
                        continue
                    there = tree.obstacle(piece.parts)
                    if decisions.on(piece.path) is None and (
                        piece.parts in seen or (there and not self._is_same(tree, layer, piece))
                    ):
                        found.append(piece.path)
                    seen.add(piece.parts)
        finally:
            tree.close()
        return found

    def _is_same(self, target: Tree, layer: Staged, piece: Piece) -> bool:
        """Whether a file in the target already has the right bytes, after an interrupted run."""
        if not self.scratch.resumed:
            return False
        key = (layer.tree, piece.parts)
        if key not in self._same:
            source = Tree(layer.tree)
            try:
                self._same[key] = source.has_same(piece.parts, target, piece.parts)
            finally:
                source.close()
        return self._same[key]

    def _check_folder(self, tree: Tree, piece: Piece) -> None:
        with suppress(FileNotFoundError), tree.folder(piece.parts, make=False):
            pass

    def commit(self, decisions: Decisions, kitfile: bytes | None) -> list[Placed]:
        """Move everything, then the Kitfile, as `Staging.commit` says."""
        if unanswered := self.conflicts(decisions):
            more = f" and {len(unanswered) - 1} more" if len(unanswered) > 1 else ""
            again = "An earlier run here was interrupted while it moved files. " if self.scratch.moving else ""
            raise Conflict(
                f"{unanswered[0]}{more} in {self.target} would be overwritten",
                hint=f"{again}Use -o to overwrite them, -i to keep them, or another folder. Nothing was written.",
            )
        outcome = None if kitfile is None else self._kitfile_outcome(decisions, kitfile)
        modes = {piece.parts: piece.mode for layer in self._layers for piece in layer.pieces if piece.folder}
        target = Tree(self.target, resumed=self.scratch.resumed)
        crash_point("unpack.before-move")
        try:
            names = self._names(target, decisions)
            self.scratch.start_moving({key: "/".join(parts) for key, parts in names.items()})
            placed = self._move(target, decisions, names, modes)
            crash_point("unpack.before-kitfile")
            if kitfile is not None and outcome is not None:
                placed.append(self._place_kitfile(target, kitfile, outcome))
            target.settle()
        finally:
            target.close()
        return placed

    def _names(self, target: Tree, decisions: Decisions) -> dict[str, Parts]:
        """The names of files to keep beside existing ones: those an earlier run used, else free ones."""
        earlier = self.scratch.names()
        pieces = [(_key(n, piece), layer, piece) for n, layer in enumerate(self._layers) for piece in layer.pieces]
        taken = {piece.parts for _, _, piece in pieces}
        seen: set[Parts] = set()
        found: dict[str, Parts] = {}
        for key, layer, piece in pieces:
            if piece.folder:
                continue
            both = decisions.on(piece.path) == "both"
            there = both and target.obstacle(piece.parts) and not self._is_same(target, layer, piece)
            if both and (piece.parts in seen or there):
                name = earlier.get(key, "").rpartition("/")[2]
                found[key] = (*piece.parts[:-1], name) if name else target.free_name(piece.parts, taken)
                taken.add(found[key])
            seen.add(piece.parts)
        return found

    def _move(
        self, target: Tree, decisions: Decisions, names: Mapping[str, Parts], modes: Mapping[Parts, int]
    ) -> list[Placed]:
        placed: list[Placed] = []
        for number, layer in enumerate(self._layers):
            source = Tree(layer.tree)
            try:
                for piece in layer.pieces:
                    if piece.folder:
                        with target.folder(piece.parts, modes):
                            continue
                    name = names.get(_key(number, piece), piece.parts)
                    placed.append(target.place(source, piece.parts, name, decisions.on(piece.path), modes))
            finally:
                source.close()
        return placed

    def _kitfile_outcome(self, decisions: Decisions, kitfile: bytes) -> Decision:
        """What to do with the Kitfile: equal bytes stay; others are overwritten only on request, as in kit."""
        path = self.target / KITFILE
        tree = Tree(self.target)
        try:
            if not tree.obstacle((KITFILE,)):
                return "overwrite"
        finally:
            tree.close()
        with path.open("rb") as file:
            if file.read(KITFILE_LIMIT) == kitfile:
                return "keep"
        decision = decisions.on(KITFILE)
        if decision == "keep" and KITFILE not in decisions.paths:
            decision = None
        if decision is None:
            raise Conflict(
                f"another Kitfile is in {self.target}",
                hint="Use -o to overwrite it, or unpack into another folder. Nothing was written.",
            )
        return decision

    def _place_kitfile(self, target: Tree, content: bytes, decision: Decision) -> Placed:
        if decision == "keep":
            return Placed(KITFILE, len(content), "kept")
        path = self.scratch.new_tree()
        tree = Tree(path)
        try:
            handle = tree.create((KITFILE,), FILE_MODE)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                settle([os.dup(handle)])
            return target.place(tree, (KITFILE,), (KITFILE,), decision, {})
        finally:
            tree.close()


def _key(number: int, piece: Piece) -> str:
    """A unique key for a piece: two layers may hold the same path."""
    return f"{number}:{piece.path}"

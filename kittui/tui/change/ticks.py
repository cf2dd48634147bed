"""What to unpack, as a tree of ticks: layers, and their files once listed. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kittui.disk.paths import typed_path
from kittui.errors import KittuiError

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.modelkit import Layer, ModelKit


@dataclass(eq=False)
class FileTick:
    """A file in a layer."""

    path: str
    size: int
    ticked: bool = False


@dataclass(eq=False)
class LayerTick:
    """A layer, ticked whole or in part; `files` is None until they are listed."""

    layer: Layer
    ticked: bool = True
    open: bool = False
    loading: bool = False
    problem: str | None = None
    files: list[FileTick] | None = None

    @property
    def some(self) -> bool:
        """Whether some single files are ticked."""
        return not self.ticked and any(file.ticked for file in self.files or ())


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice: positions of whole layers, single files, the Kitfile, and the folder."""

    directory: Path
    layers: tuple[int, ...]
    files: tuple[str, ...]
    kitfile: bool
    verify: bool


@dataclass(eq=False)
class Ticks:
    """The ticks of one ModelKit; everything is ticked at first, because kit unpacks everything."""

    layers: list[LayerTick]
    kitfile: bool = True
    verify: bool = False
    rows: list[LayerTick | FileTick | None] = field(default_factory=list)
    """The visible rows; None is the Kitfile."""

    @classmethod
    def of(cls, kit: ModelKit) -> Ticks:
        """Create them for a ModelKit's layers."""
        ticks = cls([LayerTick(layer) for layer in kit.layers])
        ticks.unfold()
        return ticks

    def unfold(self) -> None:
        """Compute the visible rows again."""
        self.rows = [None]
        for layer in self.layers:
            self.rows.append(layer)
            if layer.open:
                self.rows.extend(layer.files or ())

    def toggle(self, row: LayerTick | FileTick | None) -> None:
        """Tick or untick a row; unticking a file of a ticked layer leaves its other files ticked."""
        if row is None:
            self.kitfile = not self.kitfile
        elif isinstance(row, LayerTick):
            row.ticked = not (row.ticked or row.some)
            for file in row.files or ():
                file.ticked = False
        else:
            layer = next(layer for layer in self.layers if row in (layer.files or ()))
            if layer.ticked:
                layer.ticked = False
                for file in layer.files or ():
                    file.ticked = file is not row
            else:
                row.ticked = not row.ticked
                if all(file.ticked for file in layer.files or ()):
                    layer.ticked = True
                    self._clear(layer)

    def toggle_all(self) -> None:
        """Tick everything, or nothing if everything is ticked."""
        wanted = not (self.kitfile and all(layer.ticked for layer in self.layers))
        self.kitfile = wanted
        for layer in self.layers:
            layer.ticked = wanted
            self._clear(layer)

    def _clear(self, layer: LayerTick) -> None:
        for file in layer.files or ():
            file.ticked = False

    def is_ticked(self, row: LayerTick | FileTick | None) -> bool:
        """Whether a row will be unpacked whole."""
        if row is None:
            return self.kitfile
        if isinstance(row, LayerTick):
            return row.ticked
        return row.ticked or any(layer.ticked and row in (layer.files or ()) for layer in self.layers)

    def listed(self, layer: LayerTick, entries: Sequence[FileEntry]) -> None:
        """Set the files of a layer."""
        layer.files = [FileTick(entry.path, entry.size) for entry in entries if entry.type == "file"]
        layer.loading = False
        self.unfold()

    @property
    def empty(self) -> bool:
        """Whether nothing is ticked."""
        return not self.kitfile and not any(layer.ticked or layer.some for layer in self.layers)

    @property
    def size(self) -> int:
        """Bytes of what is ticked; layers count with their stored size."""
        return sum(
            layer.layer.size if layer.ticked else sum(file.size for file in layer.files or () if file.ticked)
            for layer in self.layers
        )

    @property
    def paths(self) -> list[str]:
        """Paths that will be written, for listed layers."""
        known = [file.path for layer in self.layers for file in layer.files or () if layer.ticked or file.ticked]
        return ["Kitfile", *known] if self.kitfile else known

    def choice(self, directory: Path) -> Choice:
        """The current choice."""
        return Choice(
            directory,
            tuple(layer.layer.position for layer in self.layers if layer.ticked),
            tuple(file.path for layer in self.layers if not layer.ticked for file in layer.files or () if file.ticked),
            self.kitfile,
            self.verify,
        )


def folders(text: str, limit: int = 50) -> list[str]:
    """Folders that complete a typed path; empty if it can't be read."""
    try:
        path = typed_path(text)
        parent, start = (path, "") if text.endswith("/") else (path.parent, path.name)
        found = sorted(entry for entry in parent.iterdir() if entry.name.startswith(start) and entry.is_dir())
    except (OSError, ValueError, KittuiError):
        return []
    return [f"{entry}/" for entry in found if start.startswith(".") or not entry.name.startswith(".")][:limit]


def in_the_way(folder: str, paths: Sequence[str], limit: int = 20_000) -> list[str]:
    """Which of the paths exist already. Blocks."""
    try:
        directory = typed_path(folder)
    except KittuiError:
        return []
    return [path for path in paths[:limit] if (directory / path).exists() or (directory / path).is_symlink()]

"""What a command works on: the row under the cursor and everything above it, and the marked rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kittui.oci.target import Target

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.formats.weights import Tensor
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Repository, Source
    from kittui.oci.reference import Place

PaneName = Literal["repositories", "tags", "layers", "details"]

Report = Callable[[Sequence["Node"], str], None]
"""Told while rows are being read: those that there are so far, and how far it is, in a few words."""

Children = Callable[[Report], Awaitable[Sequence["Node"]]]
"""Asked when a row is opened for the first time; raises KittuiError, which becomes a marked row."""


@dataclass(frozen=True, slots=True)
class FileHere:
    """What a file's row carries: where it is."""

    repository: Repository
    layer: Layer
    entry: FileEntry
    verified: bool
    modelkit: ModelKit | None = None


@dataclass(frozen=True, slots=True)
class TensorHere:
    """What a tensor's row carries: the file whose header it was read from."""

    file: FileHere
    tensor: Tensor


@dataclass(slots=True, eq=False)
class Node:
    """A row below a layer: a folder, a file, a tensor, a note. All texts are raw: the pane cleans them.

    `key` is unique among its siblings; `path` is what copying it means where the name is not all of it; `size` is
    bytes; `detail` is a short text after the name (dtype and shape); `children` is None for a leaf, rows that are
    known, or a function that loads them; `payload` says which file or tensor it is; `problem` marks the row and is
    shown in words when the cursor is on it. `badge` gives a mark and a word that may become known later; `search` finds
    so many nodes below, by a casefolded text, though they were never loaded. What a node of the kind `ask` loads takes
    the place of its siblings and itself.
    """

    key: str
    name: str
    kind: str = "file"
    size: int | None = None
    detail: str = ""
    children: Sequence[Node] | Children | None = None
    payload: FileHere | TensorHere | None = None
    problem: str | None = None
    path: str = ""
    badge: Callable[[], str] | None = None
    search: Callable[[str, int], Sequence[Node]] | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked tag. `digest` is what the tag pointed to when it was marked, where that was known."""

    repository: Repository
    target: Target
    digest: Digest | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two marks the same one."""
        return (str(self.repository.source.place), self.repository.name, self.target)

    @property
    def reference(self) -> str:
        """The marked reference as a user would type it."""
        return self.repository.reference(self.target)


@dataclass(frozen=True, slots=True)
class Selection:
    """A snapshot of where the cursor is. What the focused pane doesn't reach is None.

    In the repositories pane `tag` and below are None; in the tags pane `layer` and below are None; `modelkit` is there
    as soon as it has been read. `target` is the tag, or the digest of a manifest without one.
    """

    pane: PaneName = "repositories"
    place: Place | None = None
    source: Source | None = None
    repository: Repository | None = None
    target: Target | None = None
    digest: Digest | None = None
    modelkit: ModelKit | None = None
    layer: Layer | None = None
    node: Node | None = None
    marks: tuple[Mark, ...] = field(default=())
    read_only: bool = False

    @property
    def reference(self) -> str | None:
        """The reference under the cursor as a user would type it: of the tag, else of the repository."""
        return self.repository.reference(self.target) if self.repository else None

    @property
    def is_tag(self) -> bool:
        """Whether the cursor is on, or below, one tag or manifest."""
        return self.repository is not None and self.target is not None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where that is which a command for marked rows works on: the marks, else what is under the cursor."""
        if self.marks:
            return tuple(mark.repository.source for mark in self.marks)
        return () if self.source is None else (self.source,)

"""What viewers give: a file in one or more ways, as data to be drawn or printed. All texts in it are clean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kittui.terminal import clean

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.facts import ModelFacts
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.models import Model
    from kittui.usecases.inspect.prices import Ask
    from kittui.usecases.inspect.views import View


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence on what is shown, or on what is not."""

    text: str
    warning: bool = False


@dataclass(slots=True)
class Code:
    """Lines of a text; `syntax` is a file name by which they are coloured, empty for none."""

    lines: list[str]
    syntax: str = ""
    quiet: bool = False
    """Whether it stands back: what a cell printed, say."""


class Record(NamedTuple):
    """A row of a table: its number from 1, and its cells."""

    number: int
    cells: tuple[str, ...]


@dataclass(slots=True)
class Grid:
    """Rows under titles."""

    columns: tuple[str, ...]
    records: list[Record]


Part = Heading | Facts | Note | Code | Grid


@dataclass(slots=True)
class Document:
    """Parts, one below the other."""

    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Markup:
    """Markdown to be laid out."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels, three bytes each, row by row, with a caption."""

    facts: str
    width: int
    height: int
    pixels: bytes = field(repr=False)


@dataclass(slots=True)
class Tensors:
    """A model's tensors with what else is known of it."""

    model: Model
    facts: ModelFacts


Content = Document | Grid | Markup | Picture | Tensors


class Way(NamedTuple):
    """One way to show a file, and what it is called."""

    name: str
    content: Content


class More(Protocol):
    """Brings what follows; see `paging.Pager`."""

    offset: int

    @property
    def ended(self) -> bool: ...

    @property
    def problem(self) -> str: ...

    @property
    def proof(self) -> bytes: ...

    async def more(self) -> list[Any]:
        """The next lines or records; raises what reading raises."""
        ...


@dataclass(slots=True)
class Shown:
    """One file, opened. The first way is the one to begin with.

    `pager` brings what follows below the first way. `text` is the whole text where it was read. `shown` counts bytes,
    `verified` says whether they came from a layer that was hashed whole, `digest` is of those bytes where they are a
    beginning of the file. `problem`: why it is not shown as what its name promises.
    """

    kind: str
    size: int
    ways: tuple[Way, ...]
    pager: More | None = None
    text: str = ""
    verified: bool = False
    problem: str = ""
    digest: bytes = b""
    read: int = 0

    @property
    def first(self) -> Content:
        """What it is shown as to begin with."""
        return self.ways[0].content

    @property
    def shown(self) -> int:
        """Bytes of the file that are shown."""
        return self.pager.offset if self.pager is not None else self.read

    @property
    def more(self) -> bool:
        """Whether there is more to page on to."""
        return self.pager is not None and not self.pager.ended

    @property
    def trouble(self) -> str:
        """What there is to say of why it is not shown, or not all of it."""
        return self.problem or (self.pager.problem if self.pager is not None else "")

    @property
    def proof(self) -> bytes:
        """The digest of the file's first `shown` bytes; empty if what is shown is not made of those."""
        return self.pager.proof if self.pager is not None else self.digest


@dataclass(slots=True)
class OpenFile:
    """A file to be shown: its bytes, and where it is, for what lies beside it."""

    path: str
    view: View
    width: int = 100
    """Columns of the terminal, and twice as many pixels down, that there is room for."""
    draws: bool = False
    """Whether the terminal draws images itself."""
    background: str = "#000000"
    """What transparent pixels lie on."""
    inspector: Inspector | None = None
    repository: Repository | None = None
    layer: Layer | None = None
    entry: FileEntry | None = None
    modelkit: ModelKit | None = None
    ask: Ask | None = None

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.view.size


@dataclass(frozen=True, slots=True)
class Viewer:
    """Shows one kind of file.

    `takes` assesses by the path in lower case, the size, and the content of the smallest files (b"" for others).
    `open` raises Malformed and Unsupported for what is not of its kind after all: it is shown as text or bytes then.
    """

    kind: str
    takes: Callable[[str, int, bytes], bool]
    open: Callable[[OpenFile], Awaitable[Shown]]


def clean_line(line: str) -> str:
    """One line of a document, tabs as blanks, safe for the terminal and never cut short."""
    return clean(line.expandtabs(4), limit=None)

"""The results of viewers: a file in one or more views, as data to draw or print. All texts in it are clean."""

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
    """A sentence on what is shown or not."""

    text: str
    warning: bool = False


@dataclass(slots=True)
class Code:
    """Lines of a text; `syntax` is a file name that decides the colouring, empty for none."""

    lines: list[str]
    syntax: str = ""
    quiet: bool = False
    """Whether it is drawn quieter, such as a cell's output."""


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
    """A model's tensors, and other facts on it."""

    model: Model
    facts: ModelFacts


Content = Document | Grid | Markup | Picture | Tensors


class Way(NamedTuple):
    """One way to show a file, and its name."""

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

    `pager` reads what follows below the first way. `text` is the whole text if it was read. `shown` counts bytes,
    `verified` says whether they came from a verified layer, `digest` is of those bytes if they are the beginning of the
    file. `problem`: why it is not shown as what its name promises.
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
        """The way in which it is shown first."""
        return self.ways[0].content

    @property
    def shown(self) -> int:
        """Bytes of the file that are shown."""
        return self.pager.offset if self.pager is not None else self.read

    @property
    def more(self) -> bool:
        """Whether there are more pages."""
        return self.pager is not None and not self.pager.ended

    @property
    def trouble(self) -> str:
        """Why it is not shown, or not completely."""
        return self.problem or (self.pager.problem if self.pager is not None else "")

    @property
    def proof(self) -> bytes:
        """The digest of the file's first `shown` bytes; empty if those are not what is shown."""
        return self.pager.proof if self.pager is not None else self.digest


@dataclass(slots=True)
class OpenFile:
    """A file to show: its bytes, and its place, for files beside it."""

    path: str
    view: View
    width: int = 100
    """Columns of the terminal, and twice as many pixels down, that there is room for."""
    draws: bool = False
    """Whether the terminal draws images itself."""
    background: str = "#000000"
    """The background of transparent pixels."""
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

"""A file that was opened: what a viewer shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kittui.tui.inspect.paging import Pager, TableLay
from kittui.tui.widgets.lines import Page

if TYPE_CHECKING:
    from kittui.formats.weights import Weights
    from kittui.tui.inspect.model_facts import ModelFacts
    from kittui.tui.inspect.tensors import Row

Kind = Literal["text", "table", "hex", "markdown", "notebook", "picture", "parquet", "model"]


@dataclass(slots=True)
class Model:
    """A model file's header, its tensors as a tree, and what else is known of the model."""

    weights: Weights
    tree: list[Row]
    facts: ModelFacts
    files: int = 1


@dataclass(slots=True)
class Contents:
    """One file, opened.

    `page` are its first lines, `records` those of a table; `pager` brings what follows. `text` is the whole text where
    it was read. `shown` counts bytes, `verified` says whether they came from a layer that was hashed whole, `digest` is
    of those bytes where they are a beginning of the file. `problem`: why it is not shown as what its name promises.
    """

    kind: Kind
    size: int
    page: Page = field(default_factory=Page)
    pager: Pager | None = None
    table: TableLay | None = None
    records: list[Any] = field(default_factory=list)
    model: Model | None = None
    picture: bytes = b""
    text: str = ""
    verified: bool = False
    problem: str = ""
    digest: bytes = b""
    _shown: int = 0

    @property
    def shown(self) -> int:
        """Bytes of the file that are shown."""
        return self.pager.offset if self.pager is not None else self._shown

    @property
    def more(self) -> bool:
        """Whether there is more to page on to."""
        return self.pager is not None and not self.pager.ended

    @property
    def proof(self) -> bytes:
        """The digest of the file's first `shown` bytes; empty where what is shown is not made of those."""
        return self.pager.digest.digest() if self.pager is not None else self.digest

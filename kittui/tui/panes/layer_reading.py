"""Reads what is below the rows of one ModelKit's layers: each in a worker, until it is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol

from textual.worker import Worker, get_current_worker

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.frame.selection import Node, Report
from kittui.tui.panes.layer_rows import WAITING, LayerRow, NodeRow, OpenRow, TreeRow, merged
from kittui.tui.panes.state import State, of_error
from kittui.tui.widgets.rows import Rows

Listed = Callable[[LayerRow, Report], Awaitable[Sequence[Node]]]
"""Reads the direct content of a layer; raises KittuiError."""


class ReadingPane(Protocol):
    """The pane with the rows."""

    @property
    def body(self) -> Rows[TreeRow]:
        """The rows that are shown."""
        ...

    def run_worker(self, work: Coroutine[None, None, None], *, group: str) -> Worker[None]:
        """Run a coroutine in a worker of the pane."""
        ...

    def reading_changed(self) -> None:
        """Another row is being read, or is further."""
        ...

    def rebuild(self) -> None:
        """Rows came or went."""
        ...

    def was_read(self, row: OpenRow, *, whole: bool) -> None:
        """The rows below a row have changed; `whole`: they are complete."""
        ...


class LayerReading:
    """Tracks running reads; rows appear as they are found."""

    def __init__(self, pane: ReadingPane, listed: Listed) -> None:
        self._pane = pane
        self._listed = listed
        self._reading: dict[OpenRow, tuple[OpenRow, Worker[None]]] = {}

    @property
    def state(self) -> State | None:
        """What is being read, and how to stop it; None if nothing is."""
        reading: Sequence[OpenRow] = [row for row in self._reading if isinstance(row, LayerRow)] or [*self._reading]
        if not reading:
            return None
        row = reading[-1]
        name = row.layer.path or row.layer.digest.short if isinstance(row, LayerRow) else row.node.name
        return State("loading", f"{clean(name)}: {row.progress}", "", "`Esc` stops")

    def read(self, row: OpenRow) -> None:
        """Read what is below a row; a row that offers to continue reads what is below its parent."""
        asked = row.parent if isinstance(row, NodeRow) and row.node.kind == "ask" else row
        if asked in self._reading:
            return
        if asked is not row:
            # The row that offers to read disappears once it is read.
            self._pane.body.show(self._pane.body.rows, asked)
        asked.progress = WAITING
        self._pane.body.touch(asked)
        self._reading[asked] = (row, self._pane.run_worker(self._load(row, asked), group="children"))
        self._pane.reading_changed()

    async def _load(self, row: OpenRow, asked: OpenRow) -> None:
        worker = get_current_worker()

        def current() -> bool:
            return asked in self._reading and self._reading[asked][1] is worker

        def report(nodes: Sequence[Node], text: str) -> None:
            if current():
                asked.progress = text
                self._pane.reading_changed()
                asked.children, asked.unfolded = merged(asked, nodes), True
                self._pane.rebuild()

        nodes: Sequence[Node]
        failed = False
        try:
            nodes = await self._children(row, report) or (Node("", "nothing in here", "note"),)
        except KittuiError as error:
            state = of_error(error)
            text = " ".join((state.headline, state.explanation)).strip()
            nodes, failed = (Node("", state.headline, "note", problem=text),), True
        if current():
            del self._reading[asked]
            asked.progress = ""
            self._pane.reading_changed()
            self.adopt(asked, nodes)
            self._pane.was_read(asked, whole=not failed and not any(node.kind == "ask" for node in nodes))

    async def _children(self, row: OpenRow, report: Report) -> Sequence[Node]:
        if isinstance(row, LayerRow):
            return await self._listed(row, report)
        children = row.node.children
        return await children(report) if callable(children) else children or ()

    def adopt(self, row: OpenRow, nodes: Sequence[Node]) -> None:
        """Put nodes below a row, and read what was unfolded there again."""
        row.children = merged(row, nodes)
        row.unfolded = True
        for child in row.children:
            if child.unfolded and callable(child.node.children):
                self.read(child)

    def stop(self) -> Sequence[OpenRow]:
        """Stop all reads, and return their rows; rows found so far stay, marked as incomplete."""
        stopped = list(self._reading.items())
        self.cancel()
        for asked, (row, _) in stopped:
            self._offer_more(asked, row)
        return [asked for asked, _ in stopped]

    def _offer_more(self, asked: OpenRow, row: OpenRow) -> None:
        """Add below the row how far reading came, and how to continue."""
        so_far = asked.progress.replace(WAITING, "nothing was read yet")

        async def again(report: Report) -> Sequence[Node]:
            return await self._children(row, report)

        more = Node("more", f"Enter continues. Partial: {so_far}.", "ask", children=again)
        kept = [child.node for child in asked.children or () if child.node.kind != "ask"]
        asked.children, asked.unfolded, asked.progress = merged(asked, [more, *kept]), True, ""

    def cancel(self) -> None:
        """Cancel a read."""
        reading, self._reading = self._reading, {}
        for _, worker in reading.values():
            worker.cancel()

"""The layers pane: Kitfile parts, layers, and the content below layers, shown while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.message import Message

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.terminal import clean, counted, size_text
from kittui.tui.frame.parts import LayerRows
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Node, Report
from kittui.tui.panes.layer_reading import LayerReading, Listed
from kittui.tui.panes.layer_rows import (
    COLUMNS,
    LayerRow,
    NodeRow,
    OpenRow,
    PartRow,
    RemoteRow,
    TreeRow,
    cells,
    fitting,
    layer_rows,
    part_rows,
    row_key,
    visible,
)
from kittui.tui.panes.queries import parse
from kittui.tui.panes.rows_pane import RowsPane
from kittui.tui.panes.state import READY, State, nothing_found
from kittui.tui.panes.tag_rows import TagRow
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from kittui.modelkit import Layer


@dataclass(slots=True)
class _Shown:
    tag: TagRow | None = None
    digest: Digest | None = None
    parts: list[PartRow | LayerRow] = field(default_factory=list)
    remotes: list[RemoteRow] = field(default_factory=list)
    largest: int = 0
    held: frozenset[Digest] = frozenset()


class LayersPane(RowsPane[TreeRow]):
    """The layers of one ModelKit."""

    NUMBER: ClassVar[int] = 3

    class Moved(Message):
        """The cursor is on another row."""

    class Rested(Message):
        """The cursor has stayed on a row."""

    class Entered(Message):
        """Enter on a row without children."""

    class Left(Message):
        """Left on a row that has nothing to close, and none above it."""

    def __init__(self, ports: Ports, provider: LayerRows | None) -> None:
        super().__init__()
        self._ports = ports
        self._provider = provider
        self._shown = _Shown()
        self._roomy = True
        self._reading = LayerReading(self, self._listed(None))
        self._rows = Rows(COLUMNS, self._cells, row_key, titles=False)

    @property
    def current_layer(self) -> Layer | None:
        """The layer that the cursor is on or in."""
        row = self._rows.current
        if isinstance(row, NodeRow):
            return row.layer_row.layer
        return row.layer if isinstance(row, LayerRow) else None

    @property
    def current_node(self) -> Node | None:
        """The node that the cursor is on."""
        row = self._rows.current
        return row.node if isinstance(row, NodeRow) else None

    def on_mount(self) -> None:
        """Nothing is chosen yet."""
        self.show(None)

    def on_resize(self, event: events.Resize) -> None:
        """Show only columns that fit, since left and right fold and unfold rows here."""
        columns = fitting(event.size.width)
        self._roomy = len(columns) > 3
        self._rows.set_columns(columns)

    @property
    def tag(self) -> TagRow | None:
        """The tag whose layers are shown."""
        return self._shown.tag

    def show(self, tag: TagRow | None, instead: State | None = None) -> None:
        """Show a tag's layers, or why there are none yet; without a tag, show `instead`."""
        modelkit = tag.modelkit if tag is not None and tag.problem is None else None
        if modelkit is not None and self._shown.tag is tag and self._shown.digest == modelkit.digest:
            return
        self._reading.cancel()
        self._reading = LayerReading(self, self._listed(tag))
        self._shown = _Shown(tag, modelkit.digest if modelkit is not None else None)
        self.filter = ""
        self._rows.reset()
        if tag is None:
            self.set_state(instead or State("empty", "Choose a tag.", "The layers of its ModelKit are shown here."))
        elif tag.problem is not None:
            self.set_state(State("failed", clean(tag.problem), "", "Press `r` to try again."))
        elif tag.modelkit is None:
            self.set_state(State("loading", f"Reading the manifest of {clean(tag.entry.name or 'it')} …"))
        else:
            self._take(tag)
        self.rebuild()

    def point_at(self, layer: Digest) -> None:
        """Put the cursor on a layer, if the ModelKit that is shown has it."""
        for part in self._shown.parts:
            for row in layer_rows([part]):
                if row.layer.digest == layer:
                    part.unfolded = True
                    self.rebuild()
                    self._rows.show(self._rows.rows, row)
                    return

    def _take(self, tag: TagRow) -> None:
        modelkit = tag.modelkit
        if modelkit is None:
            return
        self._shown.largest = max((layer.size for layer in modelkit.layers), default=0)
        self._shown.parts = part_rows(modelkit)
        self._shown.remotes = [RemoteRow(remote) for remote in modelkit.remotes]
        if modelkit.layers or self._shown.remotes:
            self.set_state(READY)
            self._hold(tag)
        elif modelkit.manifest.is_index:
            count = len(modelkit.manifest.manifests)
            words = f"This is an index of {counted(count, 'variant')}."
            self.set_state(State("empty", words, "", "`→` on its tag shows them, with their labels as columns."))
        else:
            kind = clean(modelkit.label)
            self.set_state(
                State("empty", f"This {kind} has no layers.", "", "`4` shows the Kitfile, `5` the manifest.")
            )

    def rehold(self) -> None:
        """Check again which layers are in the local store, after it has changed."""
        if self._shown.tag is not None:
            self._hold(self._shown.tag)

    @work(exclusive=True, group="held", description="hold")
    async def _hold(self, tag: TagRow) -> None:
        if tag.modelkit is None or tag.repository.source.traits.is_store:
            return
        try:
            held = await self._ports.held(tag.modelkit.manifest.layers)
        except KittuiError:
            held = frozenset()
        if self._shown.tag is tag:
            self._shown.held = held
            self._rows.touch()

    def set_filter(self, text: str) -> None:
        """Show rows that contain the text, with their parents."""
        self.filter = text
        self.rebuild()
        if text and not self._rows.rows:
            self.set_state(nothing_found("Nothing known here", text, self.filter_problem))
        elif self._shown.parts:
            self.set_state(READY)

    def rebuild(self) -> None:
        """Work out again which rows are shown."""
        query = parse(self.filter)
        remotes = [row for row in self._shown.remotes if query.matches(row.text)]
        self._rows.show([*visible(self._shown.parts, self.filter), *remotes])
        self.retitle()

    def retitle(self) -> None:
        """Show the tag, the number of layers, and their size."""
        tag = self._shown.tag
        modelkit = tag.modelkit if tag else None
        count = len(modelkit.layers) if modelkit else 0
        right = f"{count} · {size_text(modelkit.size)}" if modelkit and not modelkit.manifest.is_index else ""
        self.set_title("Layers", right, about=clean(tag.entry.name or "(no tag)") if tag else "")

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Event) -> None:
        event.stop()
        self._warn()
        self.tell(self.Moved(), self.Rested())

    def _warn(self) -> None:
        """Show the remark on the row under the cursor below the rows."""
        row = self._rows.current
        problem = None
        if isinstance(row, NodeRow):
            problem = row.node.problem
        elif isinstance(row, LayerRow):
            problem = row.layer.problem or row.badge.removeprefix("▲ ")
        if problem and self.state.kind != "loading":
            self.set_state(State("partial", clean(problem)))
        elif self.state.kind == "partial":
            self.set_state(READY)

    @on(Rows.Opened)
    def _opened(self, event: Rows.Event) -> None:
        event.stop()
        row = self._rows.current
        if row is None or not self._fold(row, not row.unfolded):
            self.post_message(self.Entered())

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        row = self._rows.current
        if row is None or (row.unfolded != event.unfold and self._fold(row, event.unfold)):
            return
        if not event.unfold and row.depth == 0:
            self.post_message(self.Left())
        elif not event.unfold:
            self._rows.to_parent(lambda one: one.depth)
        elif row.unfolded:
            self._rows.action_move(1)

    def _fold(self, row: TreeRow, unfold: bool) -> bool:
        """Unfold or fold a row; False when there is nothing below it."""
        if isinstance(row, RemoteRow):
            return False
        if not isinstance(row, PartRow):
            if row.children is None and unfold:
                return self._ask(row)
            if not row.children:
                return False
        row.unfolded = unfold
        self.rebuild()
        return True

    def _ask(self, row: OpenRow) -> bool:
        """Read what is below a row, for the first time."""
        if isinstance(row, NodeRow):
            children = row.node.children
            if children is None:
                return False
            if not callable(children):
                self._reading.adopt(row, children)
                self.was_read(row, whole=False)
                return True
        elif self._provider is None:
            return False
        self._reading.read(row)
        return True

    def _listed(self, tag: TagRow | None) -> Listed:
        """How the layers of a tag are listed."""

        async def listed(row: LayerRow, report: Report) -> Sequence[Node]:
            if self._provider is None or tag is None or tag.modelkit is None:
                return ()
            return await self._provider.rows(self._ports, tag.repository, tag.modelkit, row.layer, report)

        return listed

    def reading_changed(self) -> None:
        """Show below the rows what is being read."""
        if (state := self._reading.state) is not None:
            self.set_state(state)
        elif self.state.kind == "loading":
            self.set_state(READY)

    def was_read(self, row: OpenRow, *, whole: bool) -> None:
        """Show the rows below a row; assess the risks of a completely listed layer."""
        self.rebuild()
        if not self.filter:
            self._rows.settle()
        if whole and isinstance(row, LayerRow):
            self._assess(row)

    def stop(self) -> bool:
        """Stop all reads; rows found so far stay, marked as incomplete. False if nothing is being read."""
        stopped = self._reading.stop()
        self.reading_changed()
        before = self._rows.current
        self.rebuild()
        if any(before is asked for asked in stopped):
            self._rows.action_move(1)
        return bool(stopped)

    def relist(self, layer: Layer) -> None:
        """Show a layer's rows again with new facts, keeping folds and cursor."""
        for row in layer_rows(self._shown.parts):
            if row.layer.digest == layer.digest and row.children is not None:
                self._reading.read(row)

    @work(group="judge", description="assess")
    async def _assess(self, row: LayerRow) -> None:
        """Assess the risks of a listed layer, and show them on its rows."""
        tag = self._shown.tag
        if self._provider is None or tag is None or tag.modelkit is None:
            return
        try:
            row.badge = await self._provider.assess(self._ports, tag.repository, tag.modelkit, row.layer)
        except KittuiError:
            # Errors show on its rows and in the Risk tab.
            row.badge = "▲ not looked at"
        self._rows.touch()
        self._warn()

    def rebadge(self) -> None:
        """Update the risk badges of listed layers."""
        for row in layer_rows(self._shown.parts):
            if row.children is not None:
                self._assess(row)

    def _cells(self, row: TreeRow) -> Sequence[Spans]:
        held = isinstance(row, LayerRow) and row.layer.digest in self._shown.held
        return cells(row, self._provider is not None, held, self._shown.largest, self._roomy)

"""The layers pane: Kitfile part, layer, and below a layer whatever a row provider finds in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.message import Message

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.terminal import clean, size_text
from kittui.tui.extensions import LayerRows
from kittui.tui.panes.pane import Pane
from kittui.tui.panes.state import READY, State, of_error
from kittui.tui.panes.tag_rows import TagRow
from kittui.tui.ports import Ports
from kittui.tui.selection import Node
from kittui.tui.sizes import bar_text
from kittui.tui.widgets.rows import Column, Rows, Spans

if TYPE_CHECKING:
    from kittui.modelkit import Layer

BAR = 10
WAITING = "reading …"


@dataclass(slots=True, eq=False)
class PartRow:
    """A Kitfile part with more than one layer."""

    label: str
    layers: list[LayerRow]
    size: int
    unfolded: bool = True
    depth: int = 0


@dataclass(slots=True, eq=False)
class LayerRow:
    """A layer; alone in its part it carries the part's name too."""

    label: str
    layer: Layer
    depth: int
    alone: bool
    unfolded: bool = False
    children: list[NodeRow] | None = None
    loading: bool = False


@dataclass(slots=True, eq=False)
class NodeRow:
    """A node that a row provider gave."""

    node: Node
    parent: LayerRow | NodeRow
    depth: int
    unfolded: bool = False
    children: list[NodeRow] | None = None
    loading: bool = False

    @property
    def layer_row(self) -> LayerRow:
        """The layer it is in."""
        row: LayerRow | NodeRow = self
        while isinstance(row, NodeRow):
            row = row.parent
        return row


TreeRow = PartRow | LayerRow | NodeRow


@dataclass(slots=True)
class _Shown:
    tag: TagRow | None = None
    parts: list[PartRow | LayerRow] = field(default_factory=list)
    largest: int = 0
    held: frozenset[Digest] = frozenset()


class LayersPane(Pane):
    """The layers of one ModelKit."""

    NUMBER: ClassVar[int] = 3

    class Moved(Message):
        """The cursor is on another row."""

    class Rested(Message):
        """The cursor has stayed on a row."""

    class Entered(Message):
        """Enter on a row that has nothing below it."""

    def __init__(self, ports: Ports, layer_rows: LayerRows | None) -> None:
        super().__init__()
        self._ports = ports
        self._provider = layer_rows
        self._shown = _Shown()
        self._rows: Rows[TreeRow] = Rows(
            (
                Column("layer", 22, sticky=True, flex=True),
                Column("size", 7, "right"),
                Column("", 1),
                Column("", BAR),
                Column("packing", 8),
                Column("digest", 12),
            ),
            self._cells,
            id,
            titles=False,
        )

    def make_body(self) -> Rows[TreeRow]:
        """The tree."""
        return self._rows

    @property
    def body(self) -> Rows[TreeRow]:
        """The tree."""
        return self._rows

    @property
    def filled(self) -> bool:
        """Whether a row is shown."""
        return bool(self._rows.rows)

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

    def show(self, tag: TagRow | None) -> None:
        """Show a tag's layers, or why there are none yet."""
        same = tag is not None and self._shown.tag is tag and bool(self._shown.parts)
        if same and tag is not None and tag.modelkit is not None:
            return
        self._shown = _Shown(tag)
        self.filter = ""
        if tag is None:
            self.set_state(State("empty", "Choose a tag.", "What its ModelKit is made of shows here."))
        elif tag.problem is not None:
            self._rows.show(())
            self.set_state(State("failed", clean(tag.problem), "", "Press `r` to ask again."))
        elif tag.modelkit is None:
            self._rows.show(())
            self.set_state(State("loading", f"Reading the manifest of {clean(tag.entry.name or 'it')} …"))
        else:
            self._take(tag)
        self.rebuild()

    def _take(self, tag: TagRow) -> None:
        modelkit = tag.modelkit
        if modelkit is None:
            return
        layers = modelkit.layers
        self._shown.largest = max((layer.size for layer in layers), default=0)
        groups: dict[str, list[Layer]] = {}
        for layer in layers:
            groups.setdefault(layer.part, []).append(layer)
        for label, members in groups.items():
            if len(members) == 1:
                self._shown.parts.append(LayerRow(label, members[0], 0, alone=True))
                continue
            rows = [LayerRow(label, layer, 1, alone=False) for layer in members]
            self._shown.parts.append(PartRow(label, rows, sum(layer.size for layer in members)))
        if layers:
            self.set_state(READY)
            self._hold(tag)
        else:
            kind = clean(modelkit.label)
            self.set_state(
                State("empty", f"This {kind} has no layers.", "", "The Kitfile and the manifest are `4` and `5`.")
            )

    @work(exclusive=True, group="held")
    async def _hold(self, tag: TagRow) -> None:
        if tag.modelkit is None or tag.repository.source.place.kind == "local":
            return
        try:
            held = await self._ports.held(tag.modelkit.manifest.layers)
        except KittuiError:
            held = frozenset()
        if self._shown.tag is tag:
            self._shown.held = held
            self._rows.touch()

    def set_filter(self, text: str) -> None:
        """Show rows that hold the text, and all above them."""
        self.filter = text
        self.rebuild()
        if text and not self._rows.rows:
            self.set_state(State("empty", f"Nothing known here holds “{clean(text)}”.", "", "`Esc` clears the filter."))
        elif self._shown.parts:
            self.set_state(READY)

    def find_next(self, step: int) -> None:
        """Go to the next or previous row; with a filter, every row is a match."""
        if self._rows.rows:
            self._rows.move_to((self._rows.cursor + step) % len(self._rows.rows))

    def rebuild(self) -> None:
        """Work out again which rows are shown."""
        needle = self.filter.casefold()
        shown: list[TreeRow] = []
        for part in self._shown.parts:
            below = [each for row in (part.layers if isinstance(part, PartRow) else ()) for each in _with(row, needle)]
            if isinstance(part, LayerRow):
                shown.extend(_with(part, needle))
            elif below or (needle and needle in part.label.casefold()) or not needle:
                shown.append(part)
                if part.unfolded or needle:
                    shown.extend(below)
        self._rows.show(shown)
        self.retitle()

    def retitle(self) -> None:
        """Of which tag, how many layers, how large."""
        tag = self._shown.tag
        modelkit = tag.modelkit if tag else None
        count = len(modelkit.layers) if modelkit else 0
        right = f"{count} · {size_text(modelkit.size)}" if modelkit else ""
        self.set_title("Layers", right, about=clean(tag.entry.name or "(no tag)") if tag else "")

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Event) -> None:
        event.stop()
        row = self._rows.current
        problem = None
        if isinstance(row, NodeRow):
            problem = row.node.problem
        elif isinstance(row, LayerRow):
            problem = row.layer.problem
        if problem:
            self.set_state(State("partial", clean(problem)))
        elif self.state.kind == "partial":
            self.set_state(READY)
        self.post_message(self.Moved())
        self.when_resting(lambda: self.post_message(self.Rested()))

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
        if event.unfold:
            if row.unfolded:
                self._rows.action_move(1)
            return
        for number in range(self._rows.cursor - 1, -1, -1):
            if self._rows.rows[number].depth < row.depth:
                self._rows.move_to(number)
                return

    def _fold(self, row: TreeRow, unfold: bool) -> bool:
        """Unfold or fold a row; False when there is nothing below it."""
        if not isinstance(row, PartRow):
            if row.children is None and unfold:
                return self._ask(row)
            if not row.children:
                return False
        row.unfolded = unfold
        self.rebuild()
        return True

    def _ask(self, row: LayerRow | NodeRow) -> bool:
        if row.loading:
            return True
        if isinstance(row, NodeRow):
            children = row.node.children
            if children is None:
                return False
            if not callable(children):
                self._adopt(row, children)
                return True
        elif self._provider is None:
            return False
        row.loading = True
        self._rows.touch(row)
        self._load(row)
        return True

    @work(group="children")
    async def _load(self, row: LayerRow | NodeRow) -> None:
        shown = self._shown
        nodes: Sequence[Node]
        try:
            if isinstance(row, NodeRow):
                children = row.node.children
                nodes = await children() if callable(children) else children or ()
            elif self._provider is not None and shown.tag is not None and shown.tag.modelkit is not None:
                nodes = await self._provider(self._ports, shown.tag.repository, shown.tag.modelkit, row.layer)
            else:
                nodes = ()
            if not nodes:
                nodes = (Node("", "nothing in here", "note"),)
        except KittuiError as error:
            state = of_error(error)
            nodes = (Node("", state.headline, "note", problem=" ".join((state.headline, state.explanation)).strip()),)
        row.loading = False
        if shown is self._shown:
            self._adopt(row, nodes)

    def _adopt(self, row: LayerRow | NodeRow, nodes: Sequence[Node]) -> None:
        row.children = [NodeRow(node, row, row.depth + 1) for node in nodes]
        row.unfolded = True
        self.rebuild()

    def _cells(self, row: TreeRow) -> Sequence[Spans]:
        pad = "  " * row.depth
        if isinstance(row, PartRow):
            name: Spans = (
                (pad + ("▾ " if row.unfolded else "▸ "), "muted"),
                (f"{row.label:<11}", "key"),
                (f" {len(row.layers)} layers", "muted"),
            )
            return (name, ((size_text(row.size), "muted"),), (), (), (), ())
        if isinstance(row, NodeRow):
            return self._node_cells(row, pad)
        layer = row.layer
        openable = self._provider is not None
        fold = ("▾ " if row.unfolded else "▸ ") if openable else "  "
        title = clean(layer.name or "") or clean(layer.path or "")
        extra = clean(layer.path) if layer.name and layer.path and layer.name != layer.path else ""
        name = [(pad + fold, "muted")]
        if row.alone:
            name.append((f"{row.label:<11} ", "key"))
        name.append((title or "(no path)", "text"))
        if extra:
            name.append((f"  {extra}", "muted"))
        if row.loading:
            name.append((f"  {WAITING}", "faint"))
        if layer.problem:
            name.append((" ▲", "warn"))
        held = layer.digest in self._shown.held
        packing = layer.format if layer.compression == "none" else f"{layer.format}+{layer.compression}"
        return (
            name,
            ((size_text(layer.size), "text"),),
            (("●" if held else " ", "good"),),
            ((bar_text(layer.size, self._shown.largest, BAR), "bar"),),
            ((packing, "muted"),),
            ((layer.digest.short, "muted"),),
        )

    def _node_cells(self, row: NodeRow, pad: str) -> Sequence[Spans]:
        node = row.node
        fold = "  " if node.children is None else "▾ " if row.unfolded else "▸ "
        if node.kind == "note":
            role = "bad" if node.problem else "faint"
            return (((f"{pad}  ", "text"), (clean(node.name), role)), (), (), (), (), ())
        role = "bad" if node.problem else "muted" if node.kind in ("dir", "tensor") else "text"
        name = [(pad + fold, "muted"), (clean(node.name), role)]
        if node.detail:
            name.append((f"  {clean(node.detail)}", "faint"))
        if row.loading:
            name.append((f"  {WAITING}", "faint"))
        if node.problem:
            name.append((" ✗", "bad"))
        return (name, ((size_text(node.size), "muted"),), (), (), (), ())


def _with(row: LayerRow | NodeRow, needle: str) -> list[TreeRow]:
    """The row and what is unfolded below it; with a filter only what holds it, and all above."""
    below: list[TreeRow] = []
    if row.children and (row.unfolded or needle):
        for child in row.children:
            below.extend(_with(child, needle))
    if not needle or below:
        return [row, *below]
    texts: tuple[Any, ...]
    if isinstance(row, NodeRow):
        texts = (row.node.name,)
    else:
        texts = (row.label, row.layer.name, row.layer.path, row.layer.digest)
    return [row] if any(needle in text.casefold() for text in texts if text) else []

"""The layers tree as values: Kitfile parts, layers, and the content found below layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kittui.terminal import clean, counted, size_text
from kittui.tui.frame.selection import Node
from kittui.tui.panes.queries import Query, parse
from kittui.tui.style.sizes import bar_text
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.modelkit.kitfile import Remote

BAR = 10
WAITING = "reading …"
COLUMNS = (
    Column("layer", 22, sticky=True, flex=True),
    Column("size", 7, "right"),
    Column("", 1),
    Column("", BAR),
    Column("packing", 8),
    Column("digest", 12),
)


FOUND = 500
"""Maximum rows that a filter finds below rows that were not opened."""
NAME = 30
"""Minimum cells for names before columns are added beside the sizes."""


def fitting(width: int) -> Sequence[Column]:
    """The columns that fit."""
    used, count = 2 + NAME - COLUMNS[0].width, 0
    for column in COLUMNS:
        used += column.width + 1
        if count > 1 and used - 1 > width:
            break
        count += 1
    return COLUMNS[:count]


@dataclass(slots=True, eq=False)
class PartRow:
    """A Kitfile part with more than one layer."""

    label: str
    layers: list[LayerRow]
    size: int
    unfolded: bool = True
    depth: int = 0


@dataclass(slots=True, eq=False)
class RemoteRow:
    """A Kitfile entry whose content is stored elsewhere: nothing can be opened below it."""

    remote: Remote
    unfolded: bool = False
    depth: int = 0

    @property
    def text(self) -> str:
        """The text that a filter searches, casefolded."""
        return " ".join((self.remote.section, self.remote.path, self.remote.name, self.remote.location)).casefold()


@dataclass(slots=True, eq=False)
class LayerRow:
    """A layer; alone in its part it carries the part's name too. `progress` is what is being read, if anything is."""

    label: str
    layer: Layer
    depth: int
    alone: bool
    unfolded: bool = False
    children: list[NodeRow] | None = None
    progress: str = ""
    badge: str = ""


@dataclass(slots=True, eq=False)
class NodeRow:
    """A node found in a layer; `found` are rows below that a filter found although they were never loaded."""

    node: Node
    parent: LayerRow | NodeRow
    depth: int
    unfolded: bool = False
    children: list[NodeRow] | None = None
    progress: str = ""
    found: tuple[str, list[NodeRow]] | None = None

    @property
    def layer_row(self) -> LayerRow:
        """The layer it is in."""
        row: LayerRow | NodeRow = self
        while isinstance(row, NodeRow):
            row = row.parent
        return row


OpenRow = LayerRow | NodeRow
TreeRow = PartRow | RemoteRow | LayerRow | NodeRow


def row_key(row: TreeRow) -> tuple[str, ...]:
    """The identity of a row within one ModelKit."""
    if isinstance(row, PartRow):
        return (row.label,)
    if isinstance(row, RemoteRow):
        return ("remote", row.remote.section, row.remote.path, row.remote.location)
    if isinstance(row, LayerRow):
        return (row.label, row.layer.digest, row.layer.path or "")
    return (*row_key(row.parent), row.node.key)


def part_rows(modelkit: ModelKit) -> list[PartRow | LayerRow]:
    """A ModelKit's layers by the parts of its Kitfile."""
    groups: dict[str, list[Layer]] = {}
    for layer in modelkit.layers:
        groups.setdefault(layer.part, []).append(layer)
    parts: list[PartRow | LayerRow] = []
    for label, members in groups.items():
        if len(members) == 1:
            parts.append(LayerRow(label, members[0], 0, alone=True))
        else:
            rows = [LayerRow(label, layer, 1, alone=False) for layer in members]
            parts.append(PartRow(label, rows, sum(layer.size for layer in members)))
    return parts


def layer_rows(parts: Sequence[PartRow | LayerRow]) -> Iterator[LayerRow]:
    """All layers."""
    for part in parts:
        if isinstance(part, LayerRow):
            yield part
        else:
            yield from part.layers


def merged(row: OpenRow, nodes: Sequence[Node]) -> list[NodeRow]:
    """Create rows for new nodes; existing rows stay as they are, including folds."""
    before = {child.node.key: child for child in row.children or ()}
    rows: list[NodeRow] = []
    for node in nodes:
        known = before.get(node.key)
        if known is None:
            known = NodeRow(node, row, row.depth + 1)
        known.node, known.found = node, None
        rows.append(known)
    return rows


def visible(parts: Sequence[PartRow | LayerRow], needle: str) -> list[TreeRow]:
    """The rows to show: the unfolded ones or, with a casefolded filter, matching ones with their parents."""
    shown: list[TreeRow] = []
    search = _Search(needle, parse(needle))
    needle = needle.strip()
    for part in parts:
        if isinstance(part, LayerRow):
            shown.extend(_with(part, search))
            continue
        below = [each for row in part.layers for each in _with(row, search)]
        if not needle or below or search.query.matches(part.label):
            shown.append(part)
            if part.unfolded or needle:
                shown.extend(below)
    return shown


@dataclass(slots=True)
class _Search:
    """A casefolded filter, and how many unloaded rows it may still find."""

    needle: str
    query: Query
    left: int = FOUND

    def below(self, row: NodeRow) -> list[NodeRow]:
        if row.node.search is None or not self.left or not self.query.seed:
            return []
        if row.found is None or row.found[0] != self.needle:
            nodes = row.node.search(self.query.seed, self.left)
            if len(self.query.terms) > 1:
                nodes = [node for node in nodes if self.query.matches(node.path or node.name)]
            row.found = (self.needle, [NodeRow(node, row, row.depth + 1) for node in nodes])
        found = row.found[1][: self.left]
        self.left -= len(found)
        return found


def _with(row: OpenRow, search: _Search) -> list[TreeRow]:
    """The row and what is unfolded below it; with a filter only matches with their parents."""
    needle = search.needle.strip()
    below: list[TreeRow] = []
    if needle and row.children is None and isinstance(row, NodeRow):
        below.extend(search.below(row))
    elif row.children and (row.unfolded or needle):
        for child in row.children:
            below.extend(_with(child, search))
    if not needle or below:
        return [row, *below]
    if isinstance(row, NodeRow):
        texts: tuple[str | None, ...] = (row.node.name,)
    else:
        texts = (row.label, row.layer.name, row.layer.path, row.layer.digest)
    return [row] if search.query.matches(" ".join(text for text in texts if text)) else []


def cells(row: TreeRow, openable: bool, held: bool, largest: int, roomy: bool) -> Sequence[Spans]:
    """A row's cells.

    `held` marks a layer that is in the local store, `largest` is what its bar compares with; `roomy` says that there
    are columns after the sizes.
    """
    pad = "  " * row.depth
    if isinstance(row, RemoteRow):
        remote = row.remote
        name: Spans = (
            ("↗ ", "muted"),
            (f"{remote.section:<11} ", "key"),
            (clean(remote.path or remote.name), "text"),
            (f"  {clean(remote.location)}  {clean(remote.hash) or 'no hash'}", "muted"),
        )
        return (name, (), (), (), (), ())
    if isinstance(row, PartRow):
        name = (
            (pad + ("▾ " if row.unfolded else "▸ "), "muted"),
            (f"{row.label:<11}", "key"),
            (f" {counted(len(row.layers), 'layer')}", "muted"),
        )
        return (name, ((size_text(row.size), "muted"),), (), (), (), ())
    if isinstance(row, NodeRow):
        return _node_cells(row, pad, roomy)
    return _layer_cells(row, pad, openable, held, largest, roomy)


def _layer_cells(row: LayerRow, pad: str, openable: bool, held: bool, largest: int, roomy: bool) -> Sequence[Spans]:
    layer = row.layer
    fold = ("▾ " if row.unfolded else "▸ ") if openable else "  "
    title = clean(layer.name or "") or clean(layer.path or "")
    extra = clean(layer.path) if roomy and layer.name and layer.path and layer.name != layer.path else ""
    name = [(pad + fold, "muted")]
    if row.alone:
        name.append((f"{row.label:<{11 if roomy else 8}} ", "key"))
    name.append((title or "(no path)", "text"))
    if row.progress:
        return ([*name, (f"  {row.progress}", "accent")], (), (), (), (), ())
    if row.badge:
        name.append((f"  {clean(row.badge)}", "warn"))
    if extra:
        name.append((f"  {extra}", "muted"))
    if layer.problem:
        name.append((" ▲", "warn"))
    packing = layer.format if layer.compression == "none" else f"{layer.format}+{layer.compression}"
    return (
        name,
        ((size_text(layer.size), "text"),),
        (("●" if held else " ", "good"),),
        ((bar_text(layer.size, largest, BAR), "bar"),),
        ((packing, "muted"),),
        ((layer.digest.short, "muted"),),
    )


def _node_cells(row: NodeRow, pad: str, roomy: bool) -> Sequence[Spans]:
    node = row.node
    fold = "  " if node.children is None else "▾ " if row.unfolded else "▸ "
    if node.kind == "note":
        role = "bad" if node.problem else "faint"
        return (((f"{pad}  ", "text"), (clean(node.name), role)), (), (), (), (), ())
    if node.kind == "ask":
        return (((f"{pad}↵ ", "accent"), (clean(node.name), "text")), (), (), (), (), ())
    role = "bad" if node.problem else "muted" if node.kind in ("dir", "tensor") else "text"
    name = [(pad + fold, "muted"), (clean(node.name), role)]
    if row.progress:
        return ([*name, (f"  {row.progress}", "accent")], (), (), (), (), ())
    if node.problem:
        name.append((" ✗", "bad"))
    behind: list[tuple[str, str]] = []
    badge = clean(node.badge()) if node.badge is not None else ""
    if badge:
        behind.append((badge, "warn" if badge.startswith("▲") else "faint"))
    if node.detail:
        behind.append(("  " if badge else "", "faint"))
        behind.append((clean(node.detail), "faint"))
    if not roomy and behind:
        name += [("  ", "faint"), *behind]
        behind = []
    return (name, ((size_text(node.size), "muted"),), (), behind, (), ())

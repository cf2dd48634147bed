"""Builds the rows below a layer: its files by folder, and below a model file its tensors by module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from time import monotonic
from typing import TYPE_CHECKING

from kittui.errors import Refused
from kittui.formats.model_file import is_model_file
from kittui.formats.tar import FileEntry
from kittui.formats.weights import Weights
from kittui.oci.traffic import metered
from kittui.terminal import counted, size_text
from kittui.tui.frame.asking import STREAMED, instead, why
from kittui.tui.frame.selection import FileHere, Node, Report, TensorHere
from kittui.tui.inspect.badges import Badges, known_by
from kittui.tui.inspect.tensors import ModuleRow, Row, TensorRow, module_tree, shape_text

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.tui.frame.ports import Ports
    from kittui.usecases.inspect.indexes import LayerListing
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask, Price

FLAT = 60
"""Layers with at most this many files are shown flat, with full paths; others as folders."""
FOLD = 1000
"""Maximum files of a folder with rows of their own; more are folded into runs of as many."""
DEEP = 64
"""Folders within folders at most; what is deeper stays in the name."""
NOTE = 42
"""Columns of the screen that a note has at least."""
TICK = 0.1
"""Seconds between two drawings of a listing that is still growing."""


@dataclass(slots=True)
class _Place:
    """Data shared by all rows of one layer."""

    inspector: Inspector
    repository: Repository
    layer: Layer
    modelkit: ModelKit
    badges: Badges
    verified: bool = False


@dataclass(slots=True)
class _Folder:
    """A folder's files and folders, in the order of the archive; grows while the layer is listed."""

    path: str = ""
    folders: dict[str, _Folder] = field(default_factory=dict)
    files: list[tuple[int, FileEntry]] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def add(self, number: int, entry: FileEntry) -> None:
        """Put an entry where its path says."""
        folder = self
        *above, name = entry.path.split("/") if entry.type != "dir" else [*entry.path.split("/"), ""]
        for part in above[:DEEP]:
            folder.size += entry.size
            folder.count += entry.type != "dir"
            inside = folder.folders.get(part)
            if inside is None:
                inside = folder.folders[part] = _Folder(f"{folder.path}{part}/")
            folder = inside
        folder.size += entry.size
        folder.count += entry.type != "dir"
        if name or entry.type != "dir":
            folder.files.append((number, entry))

    def all_files(self) -> list[tuple[int, FileEntry]]:
        """Every file in it and below."""
        found, waiting = [], [self]
        while waiting:
            folder = waiting.pop()
            found += folder.files
            waiting += folder.folders.values()
        return found


class LayerTree:
    """Gives the rows below layers, as they are read, and what is known of their risk."""

    async def rows(
        self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer, report: Report
    ) -> Sequence[Node]:
        """The files of a layer; `report` is given what is there while it grows.

        A layer that is damaged shows what was found and why it ends there; one that costs much shows the price first.
        """
        inspector = ports.inspector()
        place = _Place(inspector, repository, layer, modelkit, known_by(inspector).of(repository, layer))
        prices: list[Price] = []

        async def note(price: Price) -> bool:
            prices.append(price)
            return False

        try:
            return await self._listed(place, report, note)
        except Refused:
            if not prices:
                raise
        return self._price(place, prices[0])

    def _price(self, place: _Place, price: Price) -> list[Node]:
        """A row with the price of listing, and what works instead; Enter agrees, unless it is too much to stream."""

        async def agreed(_: Price) -> bool:
            return True

        async def read(report: Report) -> Sequence[Node]:
            return await self._listed(place, report, agreed)

        size = size_text(price.bytes)
        notes = _wrapped("why", why(price)) + _wrapped("or", f"Or: {instead(price)}")
        if price.bytes > STREAMED:
            text = f"{size} would be read: too much to stream"
            return [Node("!", text, "note", problem=f"{text}. {why(price)}"), *notes]
        return [Node("ask", f"Enter reads {size} to list it", "ask", children=read), *notes]

    async def _listed(self, place: _Place, report: Report, ask: Ask) -> list[Node]:
        growing = _Folder()
        shown_at, taken = monotonic(), 0
        with metered() as traffic:

            def progress(entries: list[FileEntry], position: int, size: int) -> None:
                nonlocal shown_at, taken
                if monotonic() - shown_at < TICK and taken:
                    return
                for number in range(taken, len(entries)):
                    growing.add(number, entries[number])
                taken = len(entries)
                read = f" · {size_text(traffic.bytes)} read" if traffic.bytes else ""
                part = f" · {position * 100 // max(1, size)} %"
                report(_rows(place, growing), f"{counted(growing.count, 'file')}{read}{part}")
                shown_at = monotonic()

            listing = await place.inspector.listing(place.repository, place.layer, on_progress=progress, ask=ask)
        return self._whole(place, listing, growing, taken)

    def _whole(self, place: _Place, listing: LayerListing, growing: _Folder, taken: int) -> list[Node]:
        place.verified = listing.verified
        for number in range(taken, len(listing.files)):
            growing.add(number, listing.files[number])
        nodes: list[Node] = []
        if listing.problem:
            nodes.append(Node("!", listing.problem, "note", problem=listing.problem))
        if not listing.verified:
            nodes.append(
                Node("?", f"{counted(growing.count, 'file')}, not verified: read by ranges; V verifies", "note")
            )
        return nodes + _rows(place, growing)

    async def assess(self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer) -> str:
        """Look at the layer's files for risks, a few kilobytes each; returns the layer's badge, empty for none."""
        inspector = ports.inspector()
        return await known_by(inspector).of(repository, layer).assess(inspector, repository, modelkit, layer)


def _wrapped(key: str, text: str) -> list[Node]:
    """A sentence over as many rows as it needs where it is narrow."""
    return [Node(f"{key} {number}", line, "note") for number, line in enumerate(wrap(text, NOTE))]


def _rows(place: _Place, folder: _Folder) -> list[Node]:
    """One level: flat where the whole layer is small, else folders, then files, folded where they are many."""
    if not folder.path and folder.count <= FLAT:
        files = sorted(folder.all_files())
        return [_file(place, number, entry, entry.path) for number, entry in files]
    nodes = [_folder(place, name, inside) for name, inside in folder.folders.items()]
    if len(nodes) > FOLD:
        nodes = [_run(place, nodes[start : start + FOLD]) for start in range(0, len(nodes), FOLD)]
    files = folder.files
    skip = len(folder.path)
    if len(files) <= FOLD:
        return nodes + [_file(place, number, entry, entry.path[skip:]) for number, entry in files]
    return nodes + [_files_run(place, files, start, skip) for start in range(0, len(files), FOLD)]


def _folder(place: _Place, name: str, folder: _Folder) -> Node:
    async def children(_: Report) -> Sequence[Node]:
        return _rows(place, folder)

    files = "file" if folder.count == 1 else "files"
    return Node(
        f"/{name}",
        f"{name}/",
        "dir",
        folder.size,
        f"{folder.count:,} {files}",
        children if folder.files or folder.folders else None,
        search=lambda needle, most: _found(place, folder.all_files(), needle, most),
    )


def _run(place: _Place, folders: list[Node]) -> Node:
    """Some of very many folders."""
    size = sum(node.size or 0 for node in folders)
    name = f"{folders[0].name} … {folders[-1].name}"
    return Node(f"run {folders[0].name}", name, "dir", size, counted(len(folders), "folder"), folders)


def _files_run(place: _Place, files: list[tuple[int, FileEntry]], start: int, skip: int) -> Node:
    """Some of very many files: `first … last`."""
    inside = files[start : start + FOLD]

    async def children(_: Report) -> Sequence[Node]:
        return [_file(place, number, entry, entry.path[skip:]) for number, entry in inside]

    first, last = inside[0][1].path[skip:], inside[-1][1].path[skip:]
    size = sum(entry.size for _, entry in inside)
    return Node(
        f"run {start}",
        f"{first} … {last}",
        "dir",
        size,
        f"{len(inside):,} files",
        children,
        search=lambda needle, most: _found(place, inside, needle, most),
    )


def _found(place: _Place, files: Sequence[tuple[int, FileEntry]], needle: str, most: int) -> list[Node]:
    """The first files whose path holds a text, by their paths."""
    found: list[Node] = []
    for number, entry in files:
        if needle in entry.path.casefold():
            found.append(_file(place, number, entry, entry.path))
            if len(found) >= most:
                break
    return found


def _file(place: _Place, number: int, entry: FileEntry, name: str) -> Node:
    plain = entry.note or ("" if entry.mode & 0o111 == 0 else "executable")
    detail = f"→ {entry.link}" if entry.link else plain
    here = FileHere(place.repository, place.layer, entry, place.verified, place.modelkit)
    node = Node(f"{number} {entry.path}", name, entry.type, entry.size, detail, payload=here, problem=entry.problem)
    node.path = entry.path
    if place.badges.may_concern(entry):
        node.badge = lambda: place.badges.of(entry.path)
    if entry.type == "file" and not entry.problem and not entry.oid and is_model_file(entry.path):

        async def tensors(_: Report) -> Sequence[Node]:
            return weights_nodes(await place.inspector.weights(place.repository, place.layer, entry), here)

        node.children = tensors
    return node


def weights_nodes(weights: Weights, here: FileHere) -> list[Node]:
    """A line of totals, then tensors grouped by module."""
    kinds = ", ".join(list(weights.dtypes)[:4])
    total = f"{weights.counts}  {kinds}"
    nodes = [Node("", total, "note")]
    if weights.problem:
        nodes.append(Node("!", weights.problem, "note", problem=weights.problem))
    nodes += [Node(f"note {number}", note, "note") for number, note in enumerate(weights.notes)]
    return nodes + _modules(module_tree(weights.tensors), here)


def _modules(rows: Sequence[Row], here: FileHere) -> list[Node]:
    return [_module(row, here) if isinstance(row, ModuleRow) else _tensor(row, here) for row in rows]


def _module(row: ModuleRow, here: FileHere) -> Node:
    async def children(_: Report) -> Sequence[Node]:
        return _modules(row.children, here)

    detail = f"{row.count:,} tensors, {row.parameters:,} parameters"
    return Node(f"module {row.name}", row.name, "dir", row.nbytes, detail, children)


def _tensor(row: TensorRow, here: FileHere) -> Node:
    tensor = row.tensor
    detail = f"{tensor.dtype} {shape_text(tensor.shape)}"
    payload = TensorHere(here, tensor)
    key = f"tensor {tensor.name}"
    return Node(
        key, row.name, "tensor", tensor.nbytes, detail, payload=payload, problem=tensor.problem, path=tensor.name
    )

"""The rows below a layer: its files, and below a model file its tensors by module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kittui.errors import Refused
from kittui.formats.model_file import is_model_file
from kittui.formats.tar import FileEntry
from kittui.formats.weights import Tensor, Weights
from kittui.terminal import size_text
from kittui.tui.selection import Node

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.tui.ports import Ports
    from kittui.usecases.layer_index import LayerListing
    from kittui.usecases.look import Inspector, Price

FLAT = 60
"""Files up to which a layer is shown flat, with full paths; more are shown as folders."""


@dataclass(frozen=True, slots=True)
class FileHere:
    """What a file's row carries: where it is."""

    repository: Repository
    layer: Layer
    entry: FileEntry
    verified: bool


def inspector_of(ports: Ports) -> Inspector:
    """The inspector that the program was started with, or one without a cache."""
    from kittui.usecases.look import Inspector

    found = ports.services.get("inspector")
    if isinstance(found, Inspector):
        return found
    return Inspector()


async def layer_nodes(ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer) -> Sequence[Node]:
    """The files of a layer; a layer that is damaged shows what was found and why it ends there."""
    inspector = inspector_of(ports)
    prices: list[Price] = []

    async def note(price: Price) -> bool:
        prices.append(price)
        return False

    async def agreed(_: Price) -> bool:
        return True

    async def read() -> Sequence[Node]:
        return _listed(inspector, repository, layer, await inspector.listing(repository, layer, ask=agreed))

    try:
        return _listed(inspector, repository, layer, await inspector.listing(repository, layer, ask=note))
    except Refused:
        if not prices:
            raise
        price = prices[0]
        text = f"{size_text(price.bytes)} to read: {price.reason}. Enter reads it."
        return [Node("price", text, "price", children=read)]


def _listed(inspector: Inspector, repository: Repository, layer: Layer, listing: LayerListing) -> list[Node]:
    count = sum(entry.type == "file" for entry in listing.files)
    trust = "verified" if listing.verified else "not verified: read by ranges; V verifies"
    nodes: list[Node] = []
    if listing.problem:
        nodes.append(Node("!", listing.problem, "note", problem=listing.problem))
    if not listing.verified:
        nodes.append(Node("?", f"{count} files, {trust}", "note"))
    if len(listing.files) <= FLAT:
        folders = {entry.path.rpartition("/")[0] for entry in listing.files}
        for number, entry in enumerate(listing.files):
            if entry.type != "dir" or not any(f == entry.path or f.startswith(entry.path + "/") for f in folders):
                here = FileHere(repository, layer, entry, listing.verified)
                nodes.append(_file(inspector, here, f"{number} {entry.path}", entry.path))
        return nodes
    return nodes + _folder(inspector, repository, layer, listing.files, listing.verified, "")


def _folder(
    inspector: Inspector, repository: Repository, layer: Layer, files: Sequence[FileEntry], verified: bool, prefix: str
) -> list[Node]:
    """One level of folders; the levels below are made when they are opened."""
    below: dict[str, list[FileEntry]] = {}
    here: list[Node] = []
    for number, entry in enumerate(files):
        name, slash, _ = entry.path[len(prefix) :].partition("/")
        if slash:
            below.setdefault(name, []).append(entry)
        elif entry.type != "dir":
            place = FileHere(repository, layer, entry, verified)
            here.append(_file(inspector, place, f"{number} {entry.path}", name))
        else:
            below.setdefault(name, [])

    def opener(name: str, inside: list[FileEntry]) -> Node:
        async def children() -> Sequence[Node]:
            return _folder(inspector, repository, layer, inside, verified, f"{prefix}{name}/")

        total = sum(entry.size for entry in inside)
        return Node(f"/{name}", f"{name}/", "dir", total, f"{len(inside)} entries", children if inside else None)

    return [opener(name, inside) for name, inside in below.items()] + here


def _file(inspector: Inspector, here: FileHere, key: str, name: str) -> Node:
    entry = here.entry
    detail = f"→ {entry.link}" if entry.link else "" if entry.mode & 0o111 == 0 else "executable"
    node = Node(key, name, entry.type, entry.size, detail, payload=here, problem=entry.problem)
    if entry.type == "file" and not entry.problem and is_model_file(entry.path):

        async def tensors() -> Sequence[Node]:
            return weights_nodes(await inspector.weights(here.repository, here.layer, entry))

        node.children = tensors
    return node


def weights_nodes(weights: Weights) -> list[Node]:
    """A line of totals, then tensors grouped by module."""
    kinds = ", ".join(list(weights.dtypes)[:4])
    total = f"{len(weights.tensors)} tensors, {weights.parameters:,} parameters, {size_text(weights.nbytes)}  {kinds}"
    nodes = [Node("", f"{weights.format}: {total}", "note")]
    if weights.problem:
        nodes.append(Node("!", weights.problem, "note", problem=weights.problem))
    nodes += [Node(f"note {number}", note, "note") for number, note in enumerate(weights.notes)]
    return nodes + _modules(list(weights.tensors), "")


def _modules(tensors: list[Tensor], prefix: str) -> list[Node]:
    if len(tensors) <= FLAT:
        return [_tensor(tensor, tensor.name[len(prefix) :]) for tensor in tensors]
    groups: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault(tensor.name[len(prefix) :].partition(".")[0], []).append(tensor)
    nodes: list[Node] = []
    for name, inside in groups.items():
        if len(inside) == 1:
            nodes.append(_tensor(inside[0], inside[0].name[len(prefix) :]))
        else:
            nodes.append(_module(name, inside, prefix))
    return nodes


def _module(name: str, inside: list[Tensor], prefix: str) -> Node:
    async def children() -> Sequence[Node]:
        deeper = f"{prefix}{name}."
        if all(tensor.name.startswith(deeper) for tensor in inside):
            return _modules(inside, deeper)
        return [_tensor(tensor, tensor.name[len(prefix) :]) for tensor in inside]

    parameters = sum(tensor.parameters for tensor in inside)
    size = sum(tensor.nbytes or 0 for tensor in inside)
    return Node(f"module {name}", name, "dir", size, f"{len(inside)} tensors, {parameters:,} parameters", children)


def _tensor(tensor: Tensor, name: str) -> Node:
    shape = ",".join(str(size) for size in tensor.shape)
    detail = f"{tensor.dtype} [{shape}]"
    return Node(f"tensor {tensor.name}", name or tensor.name, "tensor", tensor.nbytes, detail, problem=tensor.problem)

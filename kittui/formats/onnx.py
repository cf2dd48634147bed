"""Reads ONNX models field by field, without their weights (onnx.proto; protobuf, "Encoding").

Weights are initializers of the graph, and of the graphs in its nodes (If, Loop) and functions; sparse ones; what
Constant nodes hold; and long lists in a node's attributes, as tree ensembles have them. Those that are not the main
graph's initializers are listed under the path to them: `node.attribute/name`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed
from kittui.formats.need import Cursor, Steps
from kittui.formats.weights import Tensor, Weights, bytes_of, distinct

TEXT_LIMIT = 64 * 1024
"""Bytes of one text at most."""
DIMENSIONS_LIMIT = 64
"""Dimensions of a tensor at most."""
LIST_FROM = 33
"""An attribute with this many numbers counts as weights: shapes, pads and axes are shorter."""

DTYPES = {
    1: ("F32", 32), 2: ("U8", 8), 3: ("I8", 8), 4: ("U16", 16), 5: ("I16", 16), 6: ("I32", 32), 7: ("I64", 64),
    8: ("STRING", 0), 9: ("BOOL", 8), 10: ("F16", 16), 11: ("F64", 64), 12: ("U32", 32), 13: ("U64", 64),
    14: ("C64", 64), 15: ("C128", 128), 16: ("BF16", 16), 17: ("F8_E4M3", 8), 18: ("F8_E4M3FNUZ", 8),
    19: ("F8_E5M2", 8), 20: ("F8_E5M2FNUZ", 8), 21: ("U4", 4), 22: ("I4", 4), 23: ("F4", 4), 24: ("F8_E8M0", 8),
    25: ("U2", 2), 26: ("I2", 2), 27: ("F6_E2M3", 6), 28: ("F6_E3M2", 6),
}  # fmt: skip
"""TensorProto.DataType: name and bits of one number."""
_TYPED = {4: "F32", 10: "F64"}
"""Fields of a tensor that hold its numbers as in memory, if they are of this type."""
_LISTS = {7: ("F32", 32), 8: ("I64", 64), 9: ("STRING", 0)}
"""Fields of an attribute that are lists."""


class _Walk:
    def __init__(self, size: int, budget: Budget) -> None:
        self.cursor = Cursor(size, "the ONNX file", budget)
        self.budget = budget
        self.metadata: dict[str, Any] = {}
        self.tensors: list[Tensor] = []
        self.operators: Counter[str] = Counter()

    def varint(self) -> Steps[int]:
        cursor = self.cursor
        if not cursor.held(10):
            yield from cursor.fill(min(10, max(1, cursor.left)))
        value = shift = 0
        for count, byte in enumerate(cursor.peek(10), 1):
            value |= (byte & 0x7F) << shift
            if byte < 128:
                cursor.grab(count)
                return value & (1 << 64) - 1
            shift += 7
        raise Malformed(f"the ONNX file has an endless number at byte {cursor.position}")

    def field(self, end: int) -> Steps[tuple[int, int, int]]:
        """Read the next field's number, wire type, and value or length; content with a length follows."""
        self.budget.spend("items")
        tag = yield from self.varint()
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            return number, wire, (yield from self.varint())
        if wire == 2:
            length = yield from self.varint()
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise Malformed(f"not an ONNX file: a field of unknown kind at byte {self.cursor.position}")
        if self.cursor.position + length > end or number == 0:
            raise Malformed(f"the ONNX file has a field that leads out of its message at byte {self.cursor.position}")
        return number, wire, length

    def text(self, length: int) -> Steps[str]:
        kept = min(length, TEXT_LIMIT)
        self.budget.spend("names", kept)
        raw = yield from self.cursor.take(kept)
        self.cursor.skip(length - len(raw))
        return raw.decode("utf-8", "replace")

    def pass_field(self, wire: int, length: int) -> None:
        if wire != 0:
            self.cursor.skip(length)

    def model(self, end: int) -> Steps[None]:
        words = {2: "producer_name", 3: "producer_version", 4: "domain", 6: "doc_string"}
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            stop = self.cursor.position + value
            if number in (1, 5) and wire == 0:
                self.metadata["ir_version" if number == 1 else "model_version"] = value
            elif number in words and wire == 2:
                self.metadata[words[number]] = yield from self.text(value)
            elif number == 7 and wire == 2:
                yield from self.main_graph(stop)
            elif number in (8, 14) and wire == 2:
                yield from self.pair(stop, number)
            elif number == 20 and wire == 2:
                yield from self.training(stop)
            elif number == 25 and wire == 2:
                self.keep((yield from self.graph(stop, 0, nodes=7, name=1, word="function")))
            else:
                self.pass_field(wire, value)

    def keep(self, found: Iterable[Tensor]) -> None:
        for tensor in found:
            self.tensors.append(tensor)

    def pair(self, end: int, kind: int) -> Steps[None]:
        """Read an operator set (domain, version) or a metadata property (key, value)."""
        key = ""
        content: int | str = ""
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number == 1 and wire == 2:
                key = yield from self.text(value)
            elif number == 2:
                content = value if wire == 0 else (yield from self.text(value))
            else:
                self.pass_field(wire, value)
        if kind == 8:
            self.metadata[f"opset {key or 'ai.onnx'}"] = content if isinstance(content, int) else 0
        else:
            self.metadata[key] = content if isinstance(content, str) else ""

    def training(self, end: int) -> Steps[None]:
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            stop = self.cursor.position + value
            if number in (1, 2) and wire == 2:
                word = "initialization" if number == 1 else "algorithm"
                self.keep((yield from self.graph(stop, 0, word=f"training.{word}")))
            else:
                self.pass_field(wire, value)

    def main_graph(self, end: int) -> Steps[None]:
        inputs: list[str] = []
        outputs: list[str] = []
        # Append this graph's tensors directly, so that those found before a fault are kept.
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            stop = self.cursor.position + value
            if number == 2 and wire == 2:
                self.metadata["graph"] = yield from self.text(value)
            elif number in (11, 12) and wire == 2:
                (inputs if number == 11 else outputs).append((yield from self.one_text(stop, 1)))
            else:
                self.keep((yield from self.part(number, wire, value, 0)))
        weights = {tensor.name for tensor in self.tensors}
        self.metadata["inputs"] = [name for name in inputs if name not in weights]
        self.metadata["outputs"] = outputs
        self.metadata["operators"] = dict(self.operators.most_common(200))

    def graph(self, end: int, depth: int, *, nodes: int = 1, name: int = 2, word: str = "") -> Steps[list[Tensor]]:
        """Read the tensors of an inner graph, or of a function, whose field numbers differ."""
        self.budget.descend(depth)
        found: list[Tensor] = []
        title = ""
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number == name and wire == 2:
                title = yield from self.text(value)
            elif nodes == 7:
                found += yield from self.part(1 if number == 7 else 0, wire, value, depth)
            else:
                found += yield from self.part(number, wire, value, depth)
        return self.below(f"{word} {title}".strip() + "/" if nodes == 7 else f"{word}/" if word else "", found)

    def below(self, path: str, found: list[Tensor]) -> list[Tensor]:
        """Prefix tensors' names with a path."""
        self.budget.spend("names", len(path) * len(found))
        return [tensor._replace(name=path + tensor.name) for tensor in found] if path else found

    def part(self, number: int, wire: int, value: int, depth: int) -> Steps[list[Tensor]]:
        """Read the tensors in one field of a graph."""
        stop = self.cursor.position + value
        if number == 1 and wire == 2:
            return (yield from self.node(stop, depth))
        if number == 5 and wire == 2:
            return [(yield from self.tensor(stop))]
        if number == 15 and wire == 2:
            return (yield from self.sparse(stop))
        self.pass_field(wire, value)
        return []

    def node(self, end: int, depth: int) -> Steps[list[Tensor]]:
        found: list[tuple[str, Tensor]] = []
        words = {2: "", 3: "", 4: "", 7: ""}
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number in words and wire == 2:
                text = yield from self.text(value)
                words[number] = words[number] or text
            elif number == 5 and wire == 2:
                found += yield from self.attribute(self.cursor.position + value, depth)
            else:
                self.pass_field(wire, value)
        output, title, kind = words[2], words[3], words[4]
        self.operators[kind] += 1
        if kind == "Constant":
            return [tensor._replace(name=output or tensor.name) for _, tensor in found]
        self.budget.spend("names", sum(len(title or kind) + len(path) for path, _ in found))
        return [tensor._replace(name=f"{title or kind}.{path}{tensor.name}") for path, tensor in found]

    def attribute(self, end: int, depth: int) -> Steps[list[tuple[str, Tensor]]]:
        """Read the tensors of an attribute, each with its path from the node."""
        name = ""
        found: list[Tensor] = []
        inner: list[Tensor] = []
        counts: Counter[int] = Counter()
        places: dict[int, int] = {}
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            stop = self.cursor.position + value
            if number == 1 and wire == 2:
                name = yield from self.text(value)
            elif number in (5, 10) and wire == 2:
                found.append((yield from self.tensor(stop))._replace(name=""))
            elif number in (22, 23) and wire == 2:
                found += yield from self.sparse(stop)
            elif number in (6, 11) and wire == 2:
                inner += yield from self.graph(stop, depth + 1)
            else:
                if number in _LISTS:
                    whole = number == 7 and wire == 2
                    places[number] = self.cursor.position if whole and not counts[number] else -1
                    counts[number] += value // 4 if whole else 1
                self.pass_field(wire, value)
        for number, count in counts.items():
            if count >= LIST_FROM:
                dtype, bits = _LISTS[number]
                place = places[number] if places[number] >= 0 else None
                found.append(Tensor("", dtype, (count,), place, bytes_of((count,), bits) if bits else None))
        several = len(found) > 1
        named = [(f"{name}.{n}" if several else name, one._replace(name="")) for n, one in enumerate(found)]
        return [*named, *((f"{name}/", one) for one in inner)]

    def one_text(self, end: int, wanted: int) -> Steps[str]:
        """Read one text field of a message, and skip the others."""
        found = ""
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number == wanted and wire == 2:
                found = yield from self.text(value)
            else:
                self.pass_field(wire, value)
        return found

    def sparse(self, end: int) -> Steps[list[Tensor]]:
        """Read a sparse tensor's values and indices as two tensors, so that a change in either shows."""
        found: list[Tensor] = []
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number in (1, 2) and wire == 2:
                tensor = yield from self.tensor(self.cursor.position + value)
                found.append(tensor if number == 1 else tensor._replace(name=".indices"))
            else:
                self.pass_field(wire, value)
        title = next((tensor.name for tensor in found if tensor.name != ".indices"), "")
        return [one._replace(name=title + ".indices") if one.name == ".indices" else one for one in found]

    def tensor(self, end: int) -> Steps[Tensor]:
        self.budget.spend("tensors")
        name, kind, dims = "", 0, []
        raw: tuple[int, int, str] | None = None
        external: dict[str, str] = {}
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number == 1 and wire == 0:
                dims.append(value)
            elif number == 1:
                stop = self.cursor.position + value
                while self.cursor.position < stop and len(dims) <= DIMENSIONS_LIMIT:
                    dims.append((yield from self.varint()))
            elif number == 2 and wire == 0:
                kind = value
            elif number == 8 and wire == 2:
                name = yield from self.text(value)
            elif number in (9, *_TYPED) and wire == 2:
                raw = self.cursor.position, value, _TYPED.get(number, "")
                self.cursor.skip(value)
            elif number == 13 and wire == 2:
                yield from self.external(self.cursor.position + value, external)
            else:
                self.pass_field(wire, value)
            if len(dims) > DIMENSIONS_LIMIT:
                raise Malformed(f"the tensor {name[:100]} has more than {DIMENSIONS_LIMIT} dimensions")
        dtype, bits = DTYPES.get(kind, (f"TYPE_{kind}", 0))
        wanted = bytes_of(dims, bits) if bits else None
        if external:
            place, length = external.get("offset", "0"), external.get("length", "")
            offset = int(place) if place.isdecimal() and len(place) < 20 else None
            nbytes = int(length) if length.isdecimal() and len(length) < 20 else wanted
            return Tensor(name, dtype, tuple(dims), offset, nbytes, None, external.get("location", "?"))
        if any(dim >= 1 << 63 for dim in dims):
            return Tensor(name, dtype, tuple(dims), None, wanted, "its shape has negative numbers")
        if raw is None or raw[2] not in ("", dtype):
            # Numbers written as varints have no fixed place.
            return Tensor(name, dtype, tuple(dims), None, wanted)
        problem = "its bytes do not fit its shape" if bits and raw[1] != wanted else None
        return Tensor(name, dtype, tuple(dims), raw[0], raw[1], problem)

    def external(self, end: int, into: dict[str, str]) -> Steps[None]:
        key = content = ""
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if wire == 2 and number in (1, 2):
                text = yield from self.text(value)
                key, content = (text, content) if number == 1 else (key, text)
            else:
                self.pass_field(wire, value)
        if len(into) < 16:
            into[key] = content


def read_onnx(size: int, budget: Budget) -> Steps[Weights]:
    """Read the header of a file of `size` bytes. Raises Malformed if it is not ONNX; what precedes a fault is kept."""
    walk = _Walk(size, budget)
    problem = None
    try:
        yield from walk.model(size)
    except ContentError as error:
        if not walk.metadata:
            raise
        problem = error.message
    if "graph" not in walk.metadata and not walk.tensors and not walk.operators:
        raise Malformed(problem or "not an ONNX file: it has no graph")
    if problem is None and any(tensor.problem for tensor in walk.tensors):
        problem = "the header does not fit the file: some tensors are marked"
    notes = () if walk.tensors or problem else (f"no weights are in it: {sum(walk.operators.values())} operators",)
    return Weights("onnx", tuple(distinct(walk.tensors)), walk.metadata, problem, notes)

"""ONNX headers, walked field by field without reading weights (onnx.proto; protobuf, "Encoding")."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kittui.errors import Malformed
from kittui.formats.need import Cursor, Steps
from kittui.formats.weights import TENSORS_LIMIT, Tensor, Weights, bytes_of

TEXT_LIMIT = 64 * 1024
"""Bytes of one text at most."""
FIELDS_LIMIT = 5_000_000
"""Fields walked at most."""
DIMENSIONS_LIMIT = 64
"""Dimensions of a tensor at most."""

DTYPES = {
    1: ("F32", 32), 2: ("U8", 8), 3: ("I8", 8), 4: ("U16", 16), 5: ("I16", 16), 6: ("I32", 32), 7: ("I64", 64),
    8: ("STRING", 0), 9: ("BOOL", 8), 10: ("F16", 16), 11: ("F64", 64), 12: ("U32", 32), 13: ("U64", 64),
    14: ("C64", 64), 15: ("C128", 128), 16: ("BF16", 16), 17: ("F8_E4M3", 8), 18: ("F8_E4M3FNUZ", 8),
    19: ("F8_E5M2", 8), 20: ("F8_E5M2FNUZ", 8), 21: ("U4", 4), 22: ("I4", 4), 23: ("F4", 4), 24: ("F8_E8M0", 8),
}  # fmt: skip
"""TensorProto.DataType: name and bits of one number."""


class _Walk:
    def __init__(self, size: int) -> None:
        self.cursor = Cursor(size, "the ONNX file")
        self.fields = 0
        self.metadata: dict[str, Any] = {}
        self.tensors: list[Tensor] = []
        self.operators: Counter[str] = Counter()

    def varint(self) -> Steps[int]:
        value = 0
        for shift in range(0, 70, 7):
            (byte,) = yield from self.cursor.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 128:
                return value & (1 << 64) - 1
        raise Malformed(f"the ONNX file has an endless number at byte {self.cursor.position}")

    def field(self, end: int) -> Steps[tuple[int, int, int]]:
        """The next field's number, wire type, and value or length; the content of a length comes next."""
        self.fields += 1
        if self.fields > FIELDS_LIMIT:
            raise Malformed("the ONNX file has too many fields")
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
        raw = yield from self.cursor.take(min(length, TEXT_LIMIT))
        self.cursor.skip(length - len(raw))
        return raw.decode("utf-8", "replace")

    def pass_field(self, wire: int, length: int) -> None:
        if wire != 0:
            self.cursor.skip(length)

    def model(self, end: int) -> Steps[None]:
        words = {2: "producer_name", 3: "producer_version", 4: "domain", 6: "doc_string"}
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number in (1, 5) and wire == 0:
                self.metadata["ir_version" if number == 1 else "model_version"] = value
            elif number in words and wire == 2:
                self.metadata[words[number]] = yield from self.text(value)
            elif number == 7 and wire == 2:
                yield from self.graph(self.cursor.position + value)
            elif number in (8, 14) and wire == 2:
                yield from self.pair(self.cursor.position + value, number)
            else:
                self.pass_field(wire, value)

    def pair(self, end: int, kind: int) -> Steps[None]:
        """An operator set (domain, version) or a metadata property (key, value)."""
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

    def graph(self, end: int) -> Steps[None]:
        inputs: list[str] = []
        outputs: list[str] = []
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            stop = self.cursor.position + value
            if number == 2 and wire == 2:
                self.metadata["graph"] = yield from self.text(value)
            elif number == 1 and wire == 2:
                self.operators[(yield from self.one_text(stop, 4))] += 1
            elif number == 5 and wire == 2:
                if len(self.tensors) >= TENSORS_LIMIT:
                    raise Malformed(f"the ONNX file lists more than {TENSORS_LIMIT} tensors")
                self.tensors.append((yield from self.tensor(stop)))
            elif number in (11, 12) and wire == 2:
                (inputs if number == 11 else outputs).append((yield from self.one_text(stop, 1)))
            else:
                self.pass_field(wire, value)
        weights = {tensor.name for tensor in self.tensors}
        self.metadata["inputs"] = [name for name in inputs if name not in weights]
        self.metadata["outputs"] = outputs
        self.metadata["operators"] = dict(self.operators.most_common(200))

    def one_text(self, end: int, wanted: int) -> Steps[str]:
        """One text field of a message, the rest passed over."""
        found = ""
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if number == wanted and wire == 2:
                found = yield from self.text(value)
            else:
                self.pass_field(wire, value)
        return found

    def tensor(self, end: int) -> Steps[Tensor]:
        name, kind, dims = "", 0, []
        offset: int | None = None
        nbytes: int | None = None
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
            elif number == 9 and wire == 2:
                offset, nbytes = self.cursor.position, value
                self.cursor.skip(value)
            elif number == 13 and wire == 2:
                yield from self.external(self.cursor.position + value, external)
            else:
                self.pass_field(wire, value)
            if len(dims) > DIMENSIONS_LIMIT:
                raise Malformed(f"the tensor {name[:100]} has more than {DIMENSIONS_LIMIT} dimensions")
        dtype, bits = DTYPES.get(kind, (f"TYPE_{kind}", 0))
        wanted = bytes_of(dims, bits) if bits else None
        problem = None
        if external:
            place, length = external.get("offset", "0"), external.get("length", "")
            offset = int(place) if place.isdecimal() and len(place) < 20 else None
            nbytes = int(length) if length.isdecimal() and len(length) < 20 else wanted
            return Tensor(name, dtype, tuple(dims), offset, nbytes, None, external.get("location", "?"))
        if any(dim >= 1 << 63 for dim in dims):
            problem = "its shape has negative numbers"
        elif nbytes is not None and bits and nbytes != wanted:
            problem = "its bytes do not fit its shape"
        return Tensor(name, dtype, tuple(dims), offset, nbytes if nbytes is not None else wanted, problem)

    def external(self, end: int, into: dict[str, str]) -> Steps[None]:
        key = content = ""
        while self.cursor.position < end:
            number, wire, value = yield from self.field(end)
            if wire == 2 and number in (1, 2):
                text = yield from self.text(value)
                key, content = (text, content) if number == 1 else (key, text)
            else:
                self.pass_field(wire, value)
        into[key] = content


def read_onnx(size: int) -> Steps[Weights]:
    """The header of a file of `size` bytes. Raises Malformed where it is no ONNX; what comes before a fault is kept."""
    walk = _Walk(size)
    problem = None
    try:
        yield from walk.model(size)
    except Malformed as error:
        if not walk.metadata:
            raise
        problem = error.message
    if "graph" not in walk.metadata and not walk.tensors and not walk.operators:
        raise Malformed(problem or "not an ONNX file: it has no graph")
    if problem is None and any(tensor.problem for tensor in walk.tensors):
        problem = "the header does not fit the file: some tensors are marked"
    return Weights("onnx", tuple(walk.tensors), walk.metadata, problem)

"""PyTorch checkpoints: the zip of torch.save (1.6 and later), and the row of pickles before it; never unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from kittui.errors import Malformed, TooLarge
from kittui.formats.need import Steps, fetch
from kittui.formats.pickle import DEPTH_LIMIT, Call, Global, Persistent, Program, read_pickle
from kittui.formats.weights import TENSORS_LIMIT, Tensor, Weights
from kittui.formats.zip import Member, read_member, read_zip

PICKLE_LIMIT = 64 * 1024 * 1024
"""Bytes of a pickle read at most."""
LEGACY_START = 4 * 1024 * 1024
"""Bytes at the start of an old checkpoint, or of a bare pickle, that are looked at."""
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

STORAGES = {
    "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1), "UntypedStorage": ("U8", 1), "QInt8Storage": ("I8", 1),
    "QUInt8Storage": ("U8", 1), "QInt32Storage": ("I32", 4), "ComplexFloatStorage": ("C64", 8),
    "ComplexDoubleStorage": ("C128", 16), "Float8_e4m3fnStorage": ("F8_E4M3", 1),
    "Float8_e5m2Storage": ("F8_E5M2", 1),
}  # fmt: skip
_REBUILD = frozenset({"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor"})
_WRAP = frozenset({"_rebuild_parameter", "_rebuild_parameter_with_state"})


def read_pytorch(size: int) -> Steps[tuple[Weights, tuple[Program, ...]]]:
    """The tensors of a checkpoint, and the pickles in it with what they import; raises Malformed where it is none."""
    first = yield from fetch(0, 4)
    if first == b"PK\3\4":
        members = yield from read_zip(size)
        pickles = [member for member in members if member.path.endswith("data.pkl")]
        if not pickles:
            raise Malformed("a zip archive without data.pkl: no PyTorch checkpoint")
        return (yield from _from_zip(members, pickles[0]))
    return (yield from _legacy(size))


def _from_zip(members: tuple[Member, ...], pickle: Member) -> Steps[tuple[Weights, tuple[Program, ...]]]:
    try:
        content = yield from read_member(pickle, PICKLE_LIMIT)
    except TooLarge as error:
        raise Malformed(error.message) from None
    program = read_pickle(content)
    folder = pickle.path.removesuffix("data.pkl")
    storages = {member.path.removeprefix(f"{folder}data/"): member for member in members}
    found = _tensors(program)
    tensors: list[Tensor] = []
    for name, dtype, width, key, shape, offset in found:
        member = storages.get(key)
        nbytes = prod(shape) * width
        if member is None:
            tensors.append(Tensor(name, dtype, shape, None, nbytes, "its storage is missing"))
            continue
        problem = "its storage is too small for its shape" if offset * width + nbytes > member.size else None
        tensors.append(Tensor(name, dtype, shape, None, nbytes, problem, member.path))
    return Weights("pytorch", tuple(tensors), _metadata(program), program.problem), (program,)


def _legacy(size: int) -> Steps[tuple[Weights, tuple[Program, ...]]]:
    content = yield from fetch(0, min(size, LEGACY_START))
    if not content or (content[:1] != b"\x80" and content[:1] not in b"(}])cIlN"):
        raise Malformed("neither a PyTorch checkpoint nor a pickle")
    programs: list[Program] = []
    at = 0
    # An old checkpoint is five pickles: magic number, protocol, system, object, storage keys.
    for _ in range(5):
        program = read_pickle(content, at)
        programs.append(program)
        at += program.length
        if program.problem or at >= len(content) or programs[0].value != LEGACY_MAGIC:
            break
    is_torch = programs[0].value == LEGACY_MAGIC and len(programs) >= 4
    main = programs[3] if is_torch else programs[0]
    if main.problem and not main.imports and main.opcodes < 3:
        raise Malformed("neither a PyTorch checkpoint nor a pickle")
    tensors = tuple(
        Tensor(name, dtype, shape, None, prod(shape) * width) for name, dtype, width, _, shape, _ in _tensors(main)
    )
    problem = main.problem
    if problem and size > len(content):
        problem = f"only its first {len(content)} bytes were looked at"
    return Weights("pytorch" if is_torch else "pickle", tensors, _metadata(main), problem), tuple(programs)


def _metadata(program: Program) -> dict[str, Any]:
    metadata: dict[str, Any] = {"imports": [str(found) for found in program.imports]}
    if isinstance(program.value, dict):
        for key, value in program.value.items():
            if isinstance(key, str) and isinstance(value, str | int | float | bool) and len(metadata) < 200:
                metadata[key] = value[:1000] if isinstance(value, str) else value
    return metadata


_Found = tuple[str, str, int, str, tuple[int, ...], int]


def _tensors(program: Program) -> Iterator[_Found]:
    """Name, dtype, bytes of a number, storage key, shape, offset in numbers of each tensor that would be built."""
    count = 0
    seen: set[int] = set()
    stack: list[tuple[str, Any, int]] = [("", program.value, 0)]
    while stack:
        name, value, depth = stack.pop()
        if depth > DEPTH_LIMIT:
            continue
        if isinstance(value, Call):
            function = value.function.name if isinstance(value.function, Global) else ""
            arguments = value.arguments if isinstance(value.arguments, tuple) else ()
            if function in _REBUILD and (found := _tensor(name, arguments)) is not None:
                count += 1
                if count > TENSORS_LIMIT:
                    return
                yield found
            elif function in _WRAP and arguments:
                stack.append((name, arguments[0], depth + 1))
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((name, value.state, depth + 1))
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            children = [(f"{name}.{key}" if name else str(key), child, depth + 1) for key, child in pairs]
            stack.extend(reversed(children))


def _tensor(name: str, arguments: tuple[Any, ...]) -> _Found | None:
    if len(arguments) < 3 or not isinstance(arguments[0], Persistent):
        return None
    key, offset, shape = arguments[0].key, arguments[1], arguments[2]
    if not (isinstance(key, tuple) and len(key) >= 3 and isinstance(key[1], Global) and isinstance(offset, int)):
        return None
    if not isinstance(key[2], str | int):
        return None
    if not isinstance(shape, tuple) or len(shape) > 64 or not all(_is_size(size) for size in shape):
        return None
    dtype, width = STORAGES.get(key[1].name, (key[1].name[:40], 0))
    return name, dtype, width, str(key[2]), shape, max(0, offset)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 63

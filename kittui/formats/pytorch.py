"""PyTorch checkpoints: the zip of torch.save (1.6 and later), and the row of pickles before it; never unpickled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kittui.errors import Malformed, TooLarge
from kittui.formats.need import Steps, fetch
from kittui.formats.pickle import DEPTH_LIMIT, Call, Global, Persistent, Program, read_pickle
from kittui.formats.weights import LOOKUPS, TENSORS_LIMIT, Tensor, Weights, bytes_of
from kittui.formats.zip import Member, member_offsets, read_member, read_zip

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


def read_pytorch(size: int, *, lookups: int = LOOKUPS) -> Steps[tuple[Weights, tuple[Program, ...]]]:
    """The tensors of a checkpoint, and the pickles in it with what they import; raises Malformed where it is none.

    Where a storage's bytes start takes a short read for each: with more than `lookups` storages it is left out.
    """
    first = yield from fetch(0, 4)
    if first == b"PK\3\4":
        members = yield from read_zip(size)
        pickles = [member for member in members if member.path.endswith("data.pkl")]
        if not pickles:
            raise Malformed("a zip archive without data.pkl: no PyTorch checkpoint")
        return (yield from _from_zip(members, pickles[0], lookups))
    return (yield from _legacy(size))


def _from_zip(members: tuple[Member, ...], pickle: Member, lookups: int) -> Steps[tuple[Weights, tuple[Program, ...]]]:
    try:
        content = yield from read_member(pickle, PICKLE_LIMIT)
    except TooLarge as error:
        raise Malformed(error.message) from None
    program = read_pickle(content)
    folder = f"{pickle.path.removesuffix('data.pkl')}data/"
    storages = {member.path.removeprefix(folder): member for member in members if member.path.startswith(folder)}
    found = list(_tensors(program))
    plain = {one.key: member for one in found if (member := storages.get(one.key)) and _is_plain(member)}
    notes: tuple[str, ...] = ()
    starts: dict[str, int | None] = {}
    if len(plain) <= lookups:
        starts = dict(zip(plain, (yield from member_offsets(list(plain.values()))), strict=True))
    elif lookups:
        notes = (f"where the bytes of its {len(plain)} storages start was not looked up",)
    tensors = tuple(_stored(one, storages.get(one.key), starts.get(one.key)) for one in found)
    return Weights("pytorch", tensors, _metadata(program), program.problem, notes), (program,)


def _is_plain(member: Member) -> bool:
    return member.method == 0 and not member.encrypted


def _stored(one: _Found, member: Member | None, start: int | None) -> Tensor:
    """A tensor in its storage, which is a member of the zip archive that starts at byte `start` of the file."""
    if member is None:
        return Tensor(one.name, one.dtype, one.shape, None, one.nbytes, "its storage is missing")
    problem = None
    if one.width and (one.nbytes is None or one.first * one.width + one.nbytes > member.size):
        problem = "its storage is too small for its shape"
    offset = start + one.first * one.width if start is not None and one.plain and problem is None else None
    return Tensor(one.name, one.dtype, one.shape, offset, one.nbytes, problem, member=member.path)


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
        raise Malformed(f"neither a PyTorch checkpoint nor a pickle: {main.problem}")
    found = list(_tensors(main))
    starts = _legacy_starts(found, programs[4].value, at, size) if len(programs) == 5 else {}
    tensors: list[Tensor] = []
    for one in found:
        start = starts.get(one.key)
        offset = start + one.first * one.width if start is not None and one.plain else None
        tensors.append(Tensor(one.name, one.dtype, one.shape, offset, one.nbytes))
    problem = main.problem
    if problem and size > len(content):
        problem = f"only its first {len(content)} bytes were looked at"
    return Weights("pytorch" if is_torch else "pickle", tuple(tensors), _metadata(main), problem), tuple(programs)


def _legacy_starts(found: Sequence[_Found], keys: Any, at: int, size: int) -> dict[str, int]:
    """Where each storage's numbers start: a count of 8 bytes, then they, in the order of the keys from byte `at` on.

    Empty where they don't fill the file to its last byte.
    """
    widths = {one.key: one.numbers * one.width for one in found}
    starts: dict[str, int] = {}
    for key in keys if isinstance(keys, list) else ():
        if str(key) not in widths or len(starts) > TENSORS_LIMIT:
            return {}
        starts[str(key)] = at + 8
        at += 8 + widths[str(key)]
    return starts if at == size else {}


def _metadata(program: Program) -> dict[str, Any]:
    metadata: dict[str, Any] = {"imports": [str(found) for found in program.imports]}
    if isinstance(program.value, dict):
        for key, value in program.value.items():
            if isinstance(key, str) and isinstance(value, str | int | float | bool) and len(metadata) < 200:
                metadata[key] = value[:1000] if isinstance(value, str) else value
    return metadata


class _Found(NamedTuple):
    """A tensor that would be built: bytes of a number, its storage's key and numbers, its first number's place in it.

    `plain`: its numbers lie behind each other in the order of its shape.
    """

    name: str
    dtype: str
    width: int
    key: str
    numbers: int
    shape: tuple[int, ...]
    first: int
    plain: bool

    @property
    def nbytes(self) -> int | None:
        return bytes_of(self.shape, self.width * 8) if self.width else None


def _tensors(program: Program) -> Iterator[_Found]:
    """Each tensor that would be built."""
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
    numbers = key[4] if len(key) > 4 and _is_size(key[4]) else 0
    strides = arguments[3] if len(arguments) > 3 else None
    plain = bool(width) and offset >= 0 and (strides is None or _is_plain_order(shape, strides))
    return _Found(name, dtype, width, str(key[2]), numbers, shape, max(0, offset), plain)


def _is_plain_order(shape: tuple[int, ...], strides: Any) -> bool:
    """Whether the numbers of a tensor lie behind each other, the last dimension's next to each other."""
    if not isinstance(strides, tuple) or len(strides) != len(shape):
        return False
    if 0 in shape:
        return True
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size > 1 and stride != step:
            return False
        step *= size
    return True


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 63

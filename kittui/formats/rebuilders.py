"""Reads what a call in a pickle rebuilds: a tensor or array of PyTorch, NumPy or joblib.

PyTorch's functions are in torch/_utils.py and torch/_tensor.py, NumPy's in numpy/_core/multiarray.py and numeric.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kittui.formats.arrays import array_bytes, from_call, is_shape, is_size
from kittui.formats.joblib import is_wrapper
from kittui.formats.pickled import Blob, Call, Global, Map, Persistent
from kittui.formats.weights import bytes_of

STORAGES = {
    "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1), "UntypedStorage": ("U8", 1), "QInt8Storage": ("I8", 1),
    "QUInt8Storage": ("U8", 1), "QInt32Storage": ("I32", 4), "ComplexFloatStorage": ("C64", 8),
    "ComplexDoubleStorage": ("C128", 16), "Float8_e4m3fnStorage": ("F8_E4M3", 1),
    "Float8_e5m2Storage": ("F8_E5M2", 1),
}  # fmt: skip
"""Types of storages: the name of their numbers here, and bytes per number."""
DTYPES = {
    "float64": ("F64", 8), "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2), "int64": ("I64", 8),
    "int32": ("I32", 4), "int16": ("I16", 2), "int8": ("I8", 1), "uint64": ("U64", 8), "uint32": ("U32", 4),
    "uint16": ("U16", 2), "uint8": ("U8", 1), "bool": ("BOOL", 1), "complex64": ("C64", 8), "complex128": ("C128", 16),
    "complex32": ("C32", 4), "qint8": ("I8", 1), "quint8": ("U8", 1), "qint32": ("I32", 4),
    "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1), "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1), "float8_e8m0fnu": ("F8_E8M0", 1), "half": ("F16", 2), "float": ("F32", 4),
    "double": ("F64", 8), "long": ("I64", 8), "int": ("I32", 4), "short": ("I16", 2),
}  # fmt: skip
"""torch's dtypes, in the same way."""
_ARGUMENTS = 16
"""Maximum arguments of an unknown call that are searched for a storage."""
_WRAPPED = 20
"""Maximum depth of nested calls for one tensor."""


class Found(NamedTuple):
    """A tensor that would be built.

    `width`: bytes of a number, 0 if unknown. `key` and `numbers` are of its storage, `first` is its first
    number's place in it, `plain` whether its numbers are contiguous there. `place`: where its numbers start in
    the pickle itself. `nbytes` is their size if they are not in one storage.
    """

    name: str
    dtype: str
    width: int
    shape: tuple[int, ...]
    key: str | None = None
    numbers: int = 0
    first: int = 0
    plain: bool = False
    place: int | None = None
    nbytes: int | None = None
    problem: str | None = None


class Storage(NamedTuple):
    """A storage that a pickle refers to: its key, type, bytes of a number (0: not known), and numbers in it.

    `part`: the reference is to a part of it, whose start is not followed; versions before 0.4 did that.
    """

    key: str
    dtype: str
    width: int
    numbers: int
    part: bool = False


def storage_of(reference: Any) -> Storage | None:
    """Read a reference of torch's: ("storage", type, key, place, numbers)."""
    key = reference.key if isinstance(reference, Persistent) else None
    if not (isinstance(key, tuple) and len(key) >= 3 and isinstance(key[1], Global) and isinstance(key[2], str | int)):
        return None
    dtype, width = STORAGES.get(key[1].name, (key[1].name[:40], 0))
    numbers = key[4] if len(key) > 4 and is_size(key[4]) else 0
    return Storage(key_text(key[2]), dtype, width, numbers, len(key) > 5 and key[5] is not None)


def key_text(key: Any) -> str:
    """A key as part of a name."""
    if isinstance(key, str):
        return key
    if isinstance(key, int) and abs(key) >= 1 << 64:
        return "…"
    if isinstance(key, tuple) and len(key) < 9:
        return f"({', '.join(key_text(part) if not isinstance(part, tuple) else '…' for part in key)})"
    return str(key)[:100] if isinstance(key, int | float | bytes | Global) or key is None else "…"


def tensor_of(value: Any) -> Found | None:
    """Read a value as a tensor without a name; a storage by itself is one row of numbers."""
    if isinstance(value, Persistent) and (alone := storage_of(value)) is not None:
        dtype, width, numbers = alone.dtype, alone.width, alone.numbers
        return Found("", dtype, width, (numbers,), alone.key, numbers, plain=bool(width) and not alone.part)
    if not isinstance(value, Call):
        return None
    for _ in range(_WRAPPED):
        if not isinstance(value, Call):
            return None
        if value.name in _INNER:
            value = value.argument(0)
        elif value.name in TYPED:
            value = Call(value.argument(0), value.argument(2))
        else:
            break
    if is_wrapper(value):
        return _joblib(value)
    known = _KNOWN.get(value.name)
    found = known(value) if known is not None else None
    if found is not None:
        return found
    arguments = value.arguments[:_ARGUMENTS] if isinstance(value.arguments, tuple) else ()
    held = [one for part in arguments if (one := storage_of(part)) is not None]
    problem = f"not understood: it is rebuilt by {str(value.function)[:100] if value.name else 'no plain function'}"
    if held:
        one = held[0]
        return Found("", one.dtype, one.width, (one.numbers,), one.key, one.numbers, problem=problem)
    return Found("", "?", 0, (), problem=problem) if known in _TORCH else None


def _strided(call: Call) -> Found | None:
    """(storage, first number, shape, strides, requires_grad, hooks, dtype or metadata)."""
    storage, first, shape = storage_of(call.argument(0)), call.argument(1), call.argument(2)
    if isinstance(call.argument(2), Call) and call.argument(2).name == "Size":
        shape = call.argument(2).argument(0)
    if storage is None or not isinstance(first, int) or not is_shape(shape):
        return None
    dtype, width, numbers = storage.dtype, storage.width, storage.numbers
    extra = call.argument(6)
    if call.name == "_rebuild_tensor_v3":
        dtype, width = _dtype(extra)
        numbers = numbers // width if width else 0
        extra = call.argument(7)
    # A conjugated or negated view holds different numbers than its bytes say.
    turned = isinstance(extra, Map) and any(value is True for _, value in extra.items())
    strides = call.argument(3)
    plain = (
        bool(width)
        and first >= 0
        and not turned
        and not storage.part
        and (strides is None or _in_order(shape, strides))
    )
    return Found("", dtype, width, shape, storage.key, numbers, max(0, first), plain)


def _dtype(value: Any) -> tuple[str, int]:
    name = value.name if isinstance(value, Global) else "?"
    return DTYPES.get(name, (name[:40], 0))


def _sparse(call: Call) -> Found | None:
    """(layout, (indices, values, shape, coalesced) or (compressed indices, plain indices, values, shape))."""
    data = call.argument(1)
    if not isinstance(data, tuple) or len(data) > 5:
        return None
    tensors = [one for part in data if (one := tensor_of(part)) is not None]
    shapes = [_plain_shape(part) for part in data if _plain_shape(part) is not None]
    if len(tensors) < 2 or not shapes or shapes[0] is None:
        return None
    values = tensors[-1]
    nbytes = sum(bytes_of(one.shape, one.width * 8) or 0 for one in tensors)
    return Found("", values.dtype, 0, shapes[0], nbytes=nbytes)


def _plain_shape(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, Call) and value.name == "Size":
        value = value.argument(0)
    value = tuple(value) if isinstance(value, list) else value
    return value if is_shape(value) else None


def _without_numbers(call: Call) -> Found | None:
    """(dtype, shape, ...) of a tensor on the meta device, (class, dtype, shape, ...) of one that wraps others."""
    start = 1 if call.name == "_rebuild_wrapper_subclass" else 0
    shape = _plain_shape(call.argument(start + 1))
    dtype, _ = _dtype(call.argument(start))
    return Found("", dtype, 0, shape, nbytes=0) if shape is not None else None


def _nested(call: Call) -> Found | None:
    """(numbers, sizes, strides, offsets): a tensor without a single shape."""
    numbers = tensor_of(call.argument(0)) if call.argument(0) is not call else None
    return Found("", numbers.dtype if numbers else "?", 0, (), problem="a nested tensor: it has no single shape")


def _array(call: Call) -> Found | None:
    """NumPy's _reconstruct, whose state is (version, shape, dtype, columns first, bytes)."""
    state = call.state
    if not isinstance(state, tuple) or len(state) < 5 or not is_shape(state[1]):
        return None
    return _numbers(state[1], state[2], state[4], turned=bool(state[3]))


def _buffer(call: Call) -> Found | None:
    """NumPy's _frombuffer (bytes, dtype, shape, order)."""
    shape = call.argument(2)
    return _numbers(shape, call.argument(1), call.argument(0), call.argument(3) == "F") if is_shape(shape) else None


def _joblib(call: Call) -> Found | None:
    state = call.state
    if not isinstance(state, Map) or not is_shape(shape := state.get("shape")):
        return None
    return _numbers(shape, state.get("dtype"), call.items[0] if call.items else None, state.get("order") == "F")


def _numbers(shape: tuple[int, ...], dtype: Any, content: Any, turned: bool) -> Found:
    number = from_call(dtype)
    nbytes = array_bytes(shape, number)
    turned = turned and sum(size > 1 for size in shape) > 1
    place = content.position if isinstance(content, Blob) and content.length == nbytes and not turned else None
    problem = "it holds pickled objects" if number.objects else None
    return Found("", number.name, 0, shape, place=place, nbytes=nbytes, problem=problem)


def is_rebuilder(call: Call) -> bool:
    """Whether a call is one that is known to rebuild a tensor or array."""
    return call.name in _KNOWN or call.name in _INNER or call.name in TYPED or is_wrapper(call)


_INNER = frozenset(
    {
        "_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_device_tensor_from_numpy",
        "_rebuild_device_tensor_from_cpu_tensor",
    }
)  # fmt: skip
"""Functions whose first argument is the tensor."""
TYPED = ("_rebuild_from_type_v2", "_rebuild_from_type")
"""Functions whose first argument rebuilds the tensor from the third, for a subclass."""
_KNOWN: dict[str, Callable[[Call], Found | None]] = {
    "_rebuild_tensor": _strided,
    "_rebuild_tensor_v2": _strided,
    "_rebuild_tensor_v3": _strided,
    "_rebuild_qtensor": _strided,
    "_rebuild_sparse_tensor": _sparse,
    "_rebuild_sparse_csr_tensor": _sparse,
    "_rebuild_meta_tensor_no_storage": _without_numbers,
    "_rebuild_wrapper_subclass": _without_numbers,
    "_rebuild_nested_tensor": _nested,
    "_reconstruct": _array,
    "_frombuffer": _buffer,
}
_TORCH = (_strided, _sparse, _without_numbers)


def _in_order(shape: tuple[int, ...], strides: Any) -> bool:
    """Whether a tensor is contiguous and row-major."""
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

"""Reads joblib's arrays: their numbers lie inside the pickle, after the instruction that builds their description.

(joblib.numpy_pickle.NumpyArrayWrapper, joblib 0.10 and later; the pad before the numbers since 1.3.)
"""

from __future__ import annotations

from typing import Any

from kittui.errors import Malformed
from kittui.formats.arrays import array_bytes, from_call, is_shape
from kittui.formats.need import Cursor, Steps
from kittui.formats.pickled import Blob, Call, Global, Map

WRAPPER = "NumpyArrayWrapper"


def is_wrapper(value: Any) -> bool:
    """Whether a call creates joblib's description of an array."""
    if not isinstance(value, Call):
        return False
    parts = (value.function, *(value.arguments if isinstance(value.arguments, tuple) else ()))
    return any(isinstance(part, Global) and part.name.rpartition(".")[2] == WRAPPER for part in parts)


def pass_array(call: Call, cursor: Cursor) -> Steps[bool]:
    """Skip the array that follows its description, and note its place in `call.items`.

    True if a pickle follows in its place, for an array of objects. Raises Malformed.
    """
    state = call.state if isinstance(call.state, Map) else Map()
    shape, number = state.get("shape"), from_call(state.get("dtype"))
    if number.objects:
        return True
    nbytes = array_bytes(shape, number) if is_shape(shape) else None
    if nbytes is None:
        raise Malformed(f"an array of unknown size at byte {cursor.position}")
    if state.get("numpy_array_alignment_bytes") is not None:
        (pad,) = yield from cursor.take(1)
        cursor.skip(pad)
    call.items.append(Blob(cursor.position, nbytes))
    cursor.skip(nbytes)
    return False

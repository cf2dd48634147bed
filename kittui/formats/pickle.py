"""Reads pickles as a list of instructions, and never runs them (CPython's pickletools has the list).

A small machine follows what the instructions would build, with calls left as descriptions of calls, so that the tensors
of a PyTorch file and the functions that loading it would call are known without calling anything. It reads forward and
skips long strings of bytes, as well as joblib's arrays between two instructions, so that it follows a pickle with
gigabytes of arrays to its end from a few kilobytes.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.need import Cursor, Steps
from kittui.formats.pickle_machine import Machine
from kittui.formats.pickled import Blob, Program

BYTES_KEPT = 16 * 1024
"""Longer byte strings are skipped: they are an array's numbers."""
LINE_LIMIT = 1024 * 1024
"""Bytes of an argument that ends with its line at most."""


def _long(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _quoted(raw: bytes) -> str:
    """Read a quoted text, without resolving its escapes."""
    raw = raw.strip()
    if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b"'", b'"'):
        raise ValueError("no quotes")
    return raw[1:-1].decode("latin-1")


def _decimal(raw: bytes) -> int:
    if raw in (b"00", b"01"):
        return raw == b"01"
    raw = raw.removesuffix(b"L")
    return int(raw, 0) if raw[:2].lower() in (b"0x", b"0o", b"0b") else int(raw)


_FIXED: dict[str, Callable[[bytes], Any]] = {
    "uint1": lambda raw: raw[0],
    "uint2": lambda raw: int.from_bytes(raw, "little"),
    "int4": lambda raw: int.from_bytes(raw, "little", signed=True),
    "uint4": lambda raw: int.from_bytes(raw, "little"),
    "uint8": lambda raw: int.from_bytes(raw, "little"),
    "float8": lambda raw: struct.unpack(">d", raw)[0],
}
"""Arguments of fixed length, by pickletools' names."""
_PREFIXED: dict[str, tuple[int, Callable[[bytes], Any] | None]] = {
    "string1": (1, lambda raw: raw.decode("latin-1")),
    "string4": (4, lambda raw: raw.decode("latin-1")),
    "bytes1": (1, None),
    "bytes4": (4, None),
    "bytes8": (8, None),
    "bytearray8": (8, None),
    "long1": (1, _long),
    "long4": (4, _long),
    "unicodestring1": (1, lambda raw: raw.decode("utf-8", "surrogatepass")),
    "unicodestring4": (4, lambda raw: raw.decode("utf-8", "surrogatepass")),
    "unicodestring8": (8, lambda raw: raw.decode("utf-8", "surrogatepass")),
}
"""Length-prefixed arguments: bytes of the length, and how they are decoded (None for bytes)."""
_LINES: dict[str, Callable[[bytes], Any]] = {
    "decimalnl_short": _decimal,
    "decimalnl_long": _decimal,
    "floatnl": float,
    "stringnl": _quoted,
    "stringnl_noescape": _text,
    "unicodestringnl": lambda raw: raw.decode("raw-unicode-escape"),
}
"""Arguments that end with their line."""
_OPCODES = {
    ord(opcode.code): (opcode.name, opcode.arg.name if opcode.arg else "", opcode.arg.n if opcode.arg else 0)
    for opcode in pickletools.opcodes
}


def _argument(cursor: Cursor, kind: str, fixed: int) -> Steps[Any]:
    if fixed > 0:
        return _FIXED[kind]((yield from cursor.take(fixed)))
    if kind in _PREFIXED:
        width, decode = _PREFIXED[kind]
        length = int.from_bytes((yield from cursor.take(width)), "little", signed=kind in ("string4", "long4"))
        if length < 0:
            raise Malformed(f"the pickle is damaged behind byte {cursor.position}")
        if length > BYTES_KEPT and (decode is None or kind == "string4"):
            found = Blob(cursor.position, length)
            cursor.skip(length)
            return found
        raw = yield from cursor.take(length)
        return raw if decode is None else decode(raw)
    line = (yield from _line(cursor))[:-1]
    if kind == "stringnl_noescape_pair":
        # Separate the two by a space, as pickletools does.
        return f"{_text(line)} {_text((yield from _line(cursor))[:-1])}"
    return _LINES[kind](line)


def _line(cursor: Cursor) -> Steps[bytes]:
    length = 64
    while True:
        length = min(length, cursor.left)
        if not cursor.held(length):
            yield from cursor.fill(length)
        end = cursor.find(b"\n", length)
        if end >= 0:
            return cursor.grab(end + 1)
        if length > LINE_LIMIT or length == cursor.left:
            raise Malformed(f"the pickle has a line without end at byte {cursor.position}")
        length *= 2


def follow_pickle(cursor: Cursor, budget: Budget, depth: int = 0) -> Steps[Program]:
    """Follow one pickle from the cursor; a fault ends it with `problem` set. `depth` counts the enclosing pickles."""
    machine = Machine(budget)
    start, problem = cursor.position, ""
    try:
        budget.descend(depth)
        yield from _run(machine, cursor, depth)
    except (Malformed, TooLarge) as error:
        problem = error.message
    except (ValueError, OverflowError, TypeError, IndexError, UnicodeError):
        problem = f"it is damaged behind byte {cursor.position}"
    value = machine.stack[-1] if machine.stack and not problem else None
    length = cursor.position - start
    return Program(value, tuple(machine.imports), tuple(machine.storages), machine.opcodes, length, problem or None)


def _run(machine: Machine, cursor: Cursor, depth: int) -> Steps[None]:
    from kittui.formats.joblib import is_wrapper, pass_array

    frame = 0
    while True:
        if not cursor.held(1):
            if not cursor.left:
                raise Malformed("it ends before its STOP")
            yield from cursor.fill(1)
        known = _OPCODES.get(cursor.grab(1)[0])
        if known is None:
            raise Malformed(f"it is damaged behind byte {cursor.position - 1}")
        name, kind, fixed = known
        machine.opcodes += 1
        machine.budget.spend("items")
        argument = (yield from _argument(cursor, kind, fixed)) if kind else None
        machine.step(name, argument)
        if name == "STOP":
            machine.top()
            return
        if name == "FRAME":
            frame = cursor.position + int(argument or 0)
        elif name == "BUILD" and is_wrapper(array := machine.stack[-1]):
            if cursor.position < frame:
                # A loader would read the array after the frame, then continue inside the frame.
                raise Malformed(f"an array in the middle of a frame at byte {cursor.position}")
            if (yield from pass_array(array, cursor)):
                inner = yield from follow_pickle(cursor, machine.budget, depth + 1)
                machine.imports.update(dict.fromkeys(inner.imports))
                machine.storages += inner.storages
                array.items.append(inner.value)
                if inner.problem:
                    raise Malformed(inner.problem)

"""Pickles, read as a list of instructions and never run (Python's pickletools).

A small machine follows what the instructions would build, with calls left as descriptions of calls, so that the tensors
of a PyTorch file and the functions that loading it would call are known without calling anything.
"""

from __future__ import annotations

import io
import pickletools
from dataclasses import dataclass, field
from typing import Any

from kittui.errors import Malformed

OPCODES_LIMIT = 2_000_000
"""Instructions followed at most."""
DEPTH_LIMIT = 100
"""Nesting that is followed at most when tensors are looked for."""


@dataclass(frozen=True, slots=True)
class Global:
    """A function or class that loading the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Call:
    """A call that loading the pickle would make."""

    function: Any
    arguments: Any
    state: Any = None
    extended: list[Any] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Persistent:
    """A reference to something outside of the pickle, as PyTorch's storages are."""

    key: Any


@dataclass(slots=True)
class Program:
    """What a pickle holds: `value` as described above, `imports` in their order, each once, and its length in bytes.

    `problem` says why the reading stopped early; the imports up to there are listed.
    """

    value: Any
    imports: tuple[Global, ...]
    opcodes: int
    length: int
    problem: str | None = None


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.imports: dict[Global, None] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise Malformed("the pickle takes more from its stack than it put there")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack:
            raise Malformed("the pickle takes more from its stack than it put there")
        return self.stack[-1]

    def to_mark(self) -> list[Any]:
        if not self.marks:
            raise Malformed("the pickle goes back to a mark that it never set")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def take_import(self, module: Any, name: Any) -> Global:
        # Anything but text is not put into words: a structure may hold itself a billion times.
        found = Global(module[:500] if isinstance(module, str) else "?", name[:500] if isinstance(name, str) else "?")
        self.imports[found] = None
        return found

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.push(_CONSTANTS[name])
        elif name in _FRESH:
            self.push(_FRESH[name]())
        elif name in _LITERALS:
            self.push(argument)
        elif name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            found = self.take_import(module, attribute)
            self.push(Call(found, tuple(self.to_mark())) if name == "INST" else found)
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            self.push(self.take_import(module, attribute))
        elif name in ("EXT1", "EXT2", "EXT4"):
            self.push(self.take_import("copyreg extension", str(argument)))
        elif name in _METHODS:
            _METHODS[name](self, argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise Malformed(f"the pickle has an instruction {name} that is not known")

    def put(self, argument: Any) -> None:
        self.memo[len(self.memo) if argument is None else argument] = self.top()

    def get(self, argument: Any) -> None:
        if argument not in self.memo:
            raise Malformed("the pickle asks for something that it never kept")
        self.push(self.memo[argument])

    def mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def extend(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Call):
            target.extended.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Call):
            if not isinstance(target.state, dict):
                target.state = {}
            target = target.state
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=False):
                target[_key(key)] = value

    def build(self, _: Any) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Call) and target.state is None:
            target.state = state

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(Call(function, arguments))

    def call_with_names(self, _: Any) -> None:
        self.pop()
        self.call(_)

    def instance(self, _: Any) -> None:
        items = self.to_mark()
        self.push(Call(items[0] if items else None, tuple(items[1:])))

    def append(self, _: Any) -> None:
        item = self.pop()
        self.extend([item])

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def mapping(self, _: Any) -> None:
        items = self.to_mark()
        self.push({_key(key): value for key, value in zip(items[::2], items[1::2], strict=False)})

    def persistent(self, _: Any) -> None:
        self.push(Persistent(self.pop()))


def _key(key: Any) -> Any:
    return key if isinstance(key, str | int | bool | bytes | float | Global) or key is None else id(key)


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_FRESH: dict[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}
_LITERALS = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
        "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "FLOAT", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES",
        "BINBYTES8", "BYTEARRAY8", "NEXT_BUFFER",
    }
)  # fmt: skip
_METHODS: dict[str, Any] = {
    "MARK": _Machine.mark,
    "POP": lambda machine, _: machine.pop() if machine.stack else machine.to_mark(),
    "POP_MARK": lambda machine, _: machine.to_mark(),
    "DUP": lambda machine, _: machine.push(machine.top()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": lambda machine, _: machine.push(machine.to_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.to_mark()),
    "DICT": _Machine.mapping,
    "APPEND": _Machine.append,
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "NEWOBJ_EX": _Machine.call_with_names,
    "OBJ": _Machine.instance,
    "BUILD": _Machine.build,
    "PERSID": lambda machine, argument: machine.push(Persistent(argument)),
    "BINPERSID": _Machine.persistent,
    "READONLY_BUFFER": lambda machine, _: machine.top(),
}


def read_pickle(content: bytes, start: int = 0) -> Program:
    """Follow one pickle in `content` from byte `start`; a fault ends it with `problem` set, nothing is raised."""
    machine = _Machine()
    count, position = 0, start
    problem = "it ends before its STOP"
    stream = io.BytesIO(content)
    stream.seek(start)
    try:
        for opcode, argument, place in pickletools.genops(stream):
            count += 1
            position = place if place is not None else position
            if count > OPCODES_LIMIT:
                problem = f"it has more than {OPCODES_LIMIT} instructions; the rest was not looked at"
                break
            machine.step(opcode.name, argument)
            if opcode.name == "STOP":
                problem = ""
                position += 1
    except Malformed as error:
        problem = error.message
    except (ValueError, OverflowError, MemoryError, AttributeError, TypeError, KeyError, IndexError, UnicodeError):
        problem = f"it is damaged behind byte {position}"
    value = machine.stack[-1] if machine.stack and not problem else None
    return Program(value, tuple(machine.imports), count, position - start, problem or None)

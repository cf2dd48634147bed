"""The stack machine for a pickle's instructions; it builds descriptions of values instead of the values."""

from __future__ import annotations

from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.pickled import Call, Global, Map, Persistent

_NAME_KEPT = 500
"""Characters of a module's or function's name that are kept."""


class Machine:
    """A stack, marks and a memo as in the pickle module; raises Malformed if what an instruction needs is missing."""

    def __init__(self, budget: Budget) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int | str, Any] = {}
        self.imports: dict[Global, None] = {}
        self.storages: list[Persistent] = []
        self.opcodes = 0
        self.budget = budget

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
        # Describe only text: a structure may hold itself a billion times.
        found = Global(*(part[:_NAME_KEPT] if isinstance(part, str) else "?" for part in (module, name)))
        if found not in self.imports:
            self.budget.spend("names", len(found.module) + len(found.name))
            self.imports[found] = None
        return found

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.push(argument)
        elif name in _METHODS:
            _METHODS[name](self, argument)
        elif name in _CONSTANTS:
            self.push(_CONSTANTS[name])
        elif name in _FRESH:
            self.push(_FRESH[name]())
        elif name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            found = self.take_import(module, attribute)
            self.push(Call(found, tuple(self.to_mark())) if name == "INST" else found)
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            self.push(self.take_import(module, attribute))
        elif name in ("EXT1", "EXT2", "EXT4"):
            self.push(self.take_import("copyreg extension", str(argument)))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise Malformed(f"the pickle has an instruction {name} that is not known")

    def put(self, argument: Any) -> None:
        self.memo[len(self.memo) if argument is None else _place(argument)] = self.top()

    def get(self, argument: Any) -> None:
        place = _place(argument)
        if place not in self.memo:
            raise Malformed("the pickle asks for something that it never kept")
        self.push(self.memo[place])

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
            target.items.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        target = target.pairs if isinstance(target, Call) else target
        if isinstance(target, Map):
            target.pairs += _paired(items)

    def build(self, _: Any) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Call) and target.state is None:
            target.state = state

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(Call(function, arguments))

    def call_with_names(self, _: Any) -> None:
        named = self.pop()
        self.call(_)
        if isinstance(named, Map):
            self.top().pairs = Map(list(named.pairs))

    def instance(self, _: Any) -> None:
        items = self.to_mark()
        self.push(Call(items[0] if items else None, tuple(items[1:])))

    def append(self, _: Any) -> None:
        self.extend([self.pop()])

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def mapping(self, _: Any) -> None:
        self.push(Map(_paired(self.to_mark())))

    def refer(self, key: Any) -> None:
        found = Persistent(key)
        self.storages.append(found)
        self.push(found)


def _place(argument: Any) -> int | str:
    """A key in the memo; large numbers become text, since hostile numbers can collide."""
    return argument if isinstance(argument, int) and -1 < argument < 1 << 40 else str(argument)


def _paired(items: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(items[::2], items[1::2], strict=False))


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_FRESH: dict[str, Any] = {"EMPTY_DICT": Map, "EMPTY_LIST": list, "EMPTY_SET": list}
_LITERALS = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
        "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "FLOAT", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES",
        "BINBYTES8", "BYTEARRAY8", "NEXT_BUFFER",
    }
)  # fmt: skip
_METHODS: dict[str, Any] = {
    "MARK": Machine.mark,
    "POP": lambda machine, _: machine.pop() if machine.stack else machine.to_mark(),
    "POP_MARK": lambda machine, _: machine.to_mark(),
    "DUP": lambda machine, _: machine.push(machine.top()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": lambda machine, _: machine.push(machine.to_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.to_mark()),
    "DICT": Machine.mapping,
    "APPEND": Machine.append,
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": Machine.set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": Machine.put,
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "REDUCE": Machine.call,
    "NEWOBJ": Machine.call,
    "NEWOBJ_EX": Machine.call_with_names,
    "OBJ": Machine.instance,
    "BUILD": Machine.build,
    "PERSID": Machine.refer,
    "BINPERSID": lambda machine, _: machine.refer(machine.pop()),
    "READONLY_BUFFER": lambda machine, _: machine.top(),
}

"""Finds the tensors and arrays that loading a pickle would build, by the calls that would rebuild them.

A storage used by an unknown call becomes a marked row, so that nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kittui.budget import Budget
from kittui.errors import TooLarge
from kittui.formats.joblib import is_wrapper
from kittui.formats.pickled import Call, Map, Persistent, Program
from kittui.formats.rebuilders import TYPED, Found, is_rebuilder, key_text, tensor_of

_PARTS = ("_parameters", "_buffers", "_modules")
"""Attributes in which torch.nn.Module keeps its parts; state_dict leaves these words out of names."""


def find_tensors(program: Program, budget: Budget) -> tuple[list[Found], str | None]:
    """List the tensors that would be built, named as in torch's state_dict, and say why some are missing."""
    found: list[Found] = []
    try:
        for one in _walk(program.value, budget):
            budget.spend("tensors")
            found.append(one)
    except TooLarge as error:
        return found, error.message
    return found, None


class _Step(NamedTuple):
    """A value on the way down, with its key in its parent."""

    parent: _Step | None
    key: Any
    length: int

    def name(self, budget: Budget) -> str:
        """Join the keys from the top; their length is checked first."""
        budget.spend("names", self.length)
        parts: list[str] = []
        step: _Step | None = self
        while step is not None and step.parent is not None:
            parts.append(key_text(step.key))
            step = step.parent
        return ".".join(reversed(parts))


def _walk(top: Any, budget: Budget) -> Iterator[Found]:
    """Walk depth first. Containers without tensors are left out; others are entered at each reference."""
    holding = _holding(top, budget)
    inside: set[int] = set()
    stack: list[tuple[_Step, Any]] = [(_Step(None, "", 0), top)]
    while stack:
        step, value = stack.pop()
        if value is _LEAVE:
            inside.discard(step.key)
            continue
        budget.spend("items")
        if (tensor := tensor_of(value)) is not None:
            yield tensor._replace(name=step.name(budget))
        if id(value) in inside or id(value) not in holding:
            continue
        inside.add(id(value))
        stack.append((_Step(None, id(value), 0), _LEAVE))
        children = [(_Step(step, key, step.length + 1 + len(key_text(key))), child) for key, child in _children(value)]
        stack.extend(reversed(children))


_LEAVE = object()


def _holding(top: Any, budget: Budget) -> set[int]:
    """The ids of containers that hold a tensor at any depth, each visited once."""
    holding: set[int] = set()
    seen: set[int] = set()
    stack: list[tuple[Any, list[Any] | None]] = [(top, None)]
    while stack:
        value, children = stack.pop()
        if children is not None:
            if any(id(child) in holding or tensor_of(child) is not None for child in children):
                holding.add(id(value))
        elif id(value) not in seen:
            seen.add(id(value))
            children = [
                child for _, child in _children(value) if isinstance(child, Map | list | tuple | Call | Persistent)
            ]
            budget.spend("items", 1 + len(children))
            stack.append((value, children))
            stack.extend((child, None) for child in children)
    return holding


def _children(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Map):
        return value.items()
    if isinstance(value, list | tuple):
        return enumerate(value)
    return _parts(value) if isinstance(value, Call) else ()


def _parts(call: Call) -> Iterator[tuple[Any, Any]]:
    """The arguments from which a call would build its result."""
    if not is_rebuilder(call):
        first = call.argument(0)
        if call.name in ("OrderedDict", "dict", "defaultdict", "Counter") and isinstance(first, list):
            # Python 2 rebuilds an ordered dict from a list of pairs.
            yield from ((pair[0], pair[1]) for pair in first if isinstance(pair, list | tuple) and len(pair) == 2)
        elif call.name in ("set", "frozenset", "list", "tuple", "deque") and isinstance(first, list | tuple):
            yield from enumerate(first)
        elif isinstance(call.arguments, tuple):
            # Mark a storage that an unknown function uses.
            yield from ((n, part) for n, part in enumerate(call.arguments) if not isinstance(part, Persistent))
    yield from enumerate(call.items if not is_wrapper(call) else ())
    yield from call.pairs.items()
    state = call.state
    if call.name == "_reconstruct":
        # An object array holds a list; any other one holds only bytes.
        state = state[4] if isinstance(state, tuple) and len(state) > 4 and isinstance(state[4], list) else None
    for part in state if isinstance(state, tuple) else (state,):
        if isinstance(part, Map) and part.get("_modules") is not None:
            for key, child in part.items():
                yield from child.items() if key in _PARTS and isinstance(child, Map) else _children_of(key, child)
        elif isinstance(part, Map):
            yield from part.items()
        elif part is not None:
            yield "state", part
    if call.name in (*TYPED, "_rebuild_parameter_with_state"):
        yield from _children(call.argument(3))


def _children_of(key: Any, child: Any) -> Iterator[tuple[Any, Any]]:
    if key in _PARTS and isinstance(child, Call):
        yield from _parts(child)
    else:
        yield key, child

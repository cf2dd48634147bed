"""What a pickle would build, as values: calls and imports are described, never performed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Global:
    """A function or class that loading the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Map:
    """A dict as its pairs: keys are never hashed, since hostile keys can collide."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def items(self) -> Iterable[tuple[Any, Any]]:
        """The pairs; if a text key was set several times, the last one."""
        last = {key: n for n, (key, _) in enumerate(self.pairs) if isinstance(key, str)}
        return (pair for n, pair in enumerate(self.pairs) if last.get(pair[0], n) == n or not isinstance(pair[0], str))

    def get(self, wanted: str) -> Any:
        """The value of a text key, None if there is none."""
        return next((value for key, value in reversed(self.pairs) if isinstance(key, str) and key == wanted), None)


@dataclass(eq=False, slots=True)
class Call:
    """A call that loading the pickle would make; `items` and `pairs` are later added to its result."""

    function: Any
    arguments: Any
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: Map = field(default_factory=Map)

    @property
    def name(self) -> str:
        """The function's name without its module; empty if it is not a plain function."""
        return self.function.name if isinstance(self.function, Global) else ""

    def argument(self, number: int) -> Any:
        """One of its arguments, None if it has fewer."""
        arguments = self.arguments
        return arguments[number] if isinstance(arguments, tuple) and len(arguments) > number else None


@dataclass(eq=False, slots=True)
class Persistent:
    """A reference to something outside the pickle, such as PyTorch's storages."""

    key: Any


class Blob(NamedTuple):
    """Bytes that were skipped: their offset in the content, and their number."""

    position: int
    length: int


@dataclass(slots=True)
class Program:
    """What a pickle holds: `value` as described above, `imports` in their order, each once, and its length in bytes.

    `storages` are the references to outside. `problem` says why the reading stopped early; what was met up to there is
    listed, and `value` is None.
    """

    value: Any
    imports: tuple[Global, ...]
    storages: tuple[Persistent, ...]
    opcodes: int
    length: int
    problem: str | None = None

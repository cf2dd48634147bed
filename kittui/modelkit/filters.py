"""Which parts of a ModelKit to unpack: kit's filters, `TYPES[:NAMES]`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kittui.errors import UsageError
from kittui.modelkit.layers import Layer
from kittui.modelkit.roles import LayerType

TYPES: Final = ("kitfile", "model", "datasets", "code", "docs", "prompts", "mcpServers")
"""The types that a filter may name; only newer kits pack the last two."""

_COVERED: Final[dict[LayerType, str]] = {
    "model": "model",
    "modelpart": "model",
    "datasets": "datasets",
    "code": "code",
    "docs": "docs",
    "prompts": "prompts",
    "mcpServers": "mcpServers",
}
_NAMED: Final = frozenset({"model", "modelpart", "datasets", "mcpServers"})


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: the types it covers and, unless empty, the names or paths it is limited to."""

    types: frozenset[str]
    names: frozenset[str] = frozenset()

    def matches(self, layer: Layer) -> bool:
        """Whether the layer's type and, if there are names, its name or Kitfile path match.

        Code, docs and prompts have only paths.
        """
        if _COVERED.get(layer.type) not in self.types:
            return False
        if not self.names:
            return True
        path = layer.entry.get("path")
        written = path if isinstance(path, str) else ""
        return written in self.names or (layer.type in _NAMED and (layer.name or "") in self.names)


def parse_filter(text: str) -> Filter:
    """Parse one filter; raises UsageError listing the types."""
    types, colon, names = text.partition(":")
    if ":" in names:
        raise UsageError(f"{text!r} is not a filter", hint="A filter is TYPES[:NAMES], as datasets:validation.")
    words = types.split(",")
    for word in words:
        if word not in TYPES:
            raise UsageError(
                f"{word!r} is not a part of a ModelKit that can be filtered by",
                hint=f"One of {', '.join(TYPES)}, separated by commas and no blanks.",
            )
    return Filter(frozenset(words), frozenset(names.split(",")) if colon else frozenset())


def parse_filters(texts: Iterable[str]) -> tuple[Filter, ...]:
    """Parse filters; whatever matches any of them is selected. Raises UsageError."""
    return tuple(parse_filter(text) for text in texts)


@dataclass(frozen=True, slots=True)
class Selection:
    """What to unpack: whether the Kitfile, and which layers, in the manifest's order."""

    kitfile: bool
    layers: tuple[Layer, ...]


def select(layers: Sequence[Layer], filters: Sequence[Filter]) -> Selection:
    """Apply filters: without any, select everything; with some, leave out the Kitfile unless they name it."""
    if not filters:
        return Selection(True, tuple(layers))
    return Selection(
        any("kitfile" in one.types for one in filters),
        tuple(layer for layer in layers if any(one.matches(layer) for one in filters)),
    )

"""Compares documents of nested maps and lists, such as Kitfiles and JSON, by structure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kittui.compare.changes import ValueChange
from kittui.compare.lines import matching_blocks
from kittui.formats.exact_json import Number, canonical_json

_PLAIN_KEY = re.compile(r"[^\s.\[\]\"]+\Z")
_IDENTITIES = ("name", "path", "id")
_DEPTH = 200


def compare_documents(a: Any, b: Any, path: str = "") -> tuple[ValueChange, ...]:
    """Compare two documents; results are in a's order, then b's additions.

    Maps are compared by key; lists of maps by `name`, else `path`, else `id` if that is unique, other lists by their
    values. Paths read `model.parameters.lr`, `datasets[training].path`, `authors[0]`. Numbers of equal value and other
    type (1 and 1.0) differ, as do true and 1. Below 200 levels, documents are compared whole.
    """
    found: list[ValueChange] = []
    _compare(path, a, b, found, 0)
    return tuple(found)


def same_value(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal, distinguishing true from 1 and 1 from 1.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same_value(value, b[key]) for key, value in a.items())
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, float) and a != a:
        return bool(b != b)
    return bool(a == b)


def change_in_percent(a: Any, b: Any) -> float | None:
    """The change of a number in percent of the first; None if meaningless (no numbers, from zero)."""
    for value in (a, b):
        if isinstance(value, bool) or not isinstance(value, int | float | Number):
            return None
    try:
        percent = (float(b) - float(a)) / abs(float(a)) * 100
    except (ZeroDivisionError, OverflowError):
        return None
    return percent if abs(percent) < float("inf") else None


def _join(path: str, key: str) -> str:
    if not _PLAIN_KEY.match(key):
        quoted = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{quoted}"]'
    return f"{path}.{key}" if path else key


def _compare(path: str, a: Any, b: Any, found: list[ValueChange], depth: int) -> None:
    if depth < _DEPTH and isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            where = _join(path, str(key))
            if not (key in a and key in b) and _is_entries(a.get(key, b.get(key))):
                _compare(where, a.get(key, []), b.get(key, []), found, depth + 1)
            elif key not in b:
                found.append(ValueChange(where, "removed", a[key], None))
            elif key not in a:
                found.append(ValueChange(where, "added", None, b[key]))
            else:
                _compare(where, a[key], b[key], found, depth + 1)
    elif depth < _DEPTH and isinstance(a, list | tuple) and isinstance(b, list | tuple):
        _lists(path, a, b, found, depth)
    else:
        try:
            same = same_value(a, b)
        except RecursionError:
            same = False
        if not same:
            found.append(ValueChange(path, "changed", a, b))


def _is_entries(value: Any) -> bool:
    """Whether these are lists of maps: if one side is missing, the other's entries are still shown by name."""
    return isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _lists(path: str, a: Sequence[Any], b: Sequence[Any], found: list[ValueChange], depth: int) -> None:
    identity = _identity(a, b)
    if identity:
        names_a = _names(a, identity)
        names_b = _names(b, identity)
        first: dict[str, Any] = dict(zip(names_a, a, strict=True))
        second: dict[str, Any] = dict(zip(names_b, b, strict=True))
        for name in [*first, *(name for name in second if name not in first)]:
            where = f"{path}[{name}]"
            if name not in second:
                found.append(ValueChange(where, "removed", first[name], None))
            elif name not in first:
                found.append(ValueChange(where, "added", None, second[name]))
            else:
                _compare(where, first[name], second[name], found, depth + 1)
        common_a = [name for name in names_a if name in second]
        common_b = [name for name in names_b if name in first]
        if common_a != common_b:
            found.append(ValueChange(path, "moved", common_a, common_b))
        return
    if len(a) == len(b) and all(isinstance(x, Mapping | list | tuple) for x in (*a, *b)):
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            _compare(f"{path}[{number}]", x, y, found, depth + 1)
        return
    _values(path, a, b, found)


def _values(path: str, a: Sequence[Any], b: Sequence[Any], found: list[ValueChange]) -> None:
    """Compare lists of plain values by aligning them, so that one more at the front is one addition."""
    start_a = start_b = 0
    keys_a, keys_b = [_key(x) for x in a], [_key(x) for x in b]
    for block_a, block_b, size in [*matching_blocks(keys_a, keys_b), (len(a), len(b), 0)]:
        while start_a < block_a and start_b < block_b:
            found.append(ValueChange(f"{path}[{start_b}]", "changed", a[start_a], b[start_b]))
            start_a, start_b = start_a + 1, start_b + 1
        found += [ValueChange(f"{path}[{at}]", "removed", a[at], None) for at in range(start_a, block_a)]
        found += [ValueChange(f"{path}[{at}]", "added", None, b[at]) for at in range(start_b, block_b)]
        start_a, start_b = block_a + size, block_b + size


def _key(value: Any) -> str:
    try:
        return canonical_json(value)
    except TypeError:
        # YAML has dates, and keys of several types.
        return f"{type(value).__name__}:{value!r}"
    except RecursionError:
        return f"deep:{id(value)}"


def _identity(a: Sequence[Any], b: Sequence[Any]) -> str | None:
    """The field that identifies the maps of both lists; entries without it fall back to the next field."""
    if not (a or b) or not all(isinstance(x, Mapping) for x in (*a, *b)):
        return None
    for field in _IDENTITIES:
        if all(_text(x, field) for x in (*a, *b)) and all(
            len({_text(x, field) for x in side}) == len(side) for side in (a, b)
        ):
            return field
    if all(any(_text(x, field) for field in _IDENTITIES) for x in (*a, *b)):
        return "name"
    return None


def _names(side: Sequence[Any], identity: str) -> list[str]:
    names: list[str] = []
    seen: dict[str, int] = {}
    for entry in side:
        name = _text(entry, identity) or next(filter(None, (_text(entry, field) for field in _IDENTITIES)), "")
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def _text(entry: Any, field: str) -> str:
    value = entry.get(field)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def values_by_path(document: Any) -> dict[str, Any]:
    """Every value of a document, including inner ones, by its path in a comparison."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any, int]] = [("", document, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if path:
            found[path] = value
        if depth >= _DEPTH:
            continue
        if isinstance(value, Mapping):
            waiting += [(_join(path, str(key)), inner, depth + 1) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            identity = _identity(value, value)
            names = _names(value, identity) if identity else [str(number) for number in range(len(value))]
            waiting += [(f"{path}[{name}]", inner, depth + 1) for name, inner in zip(names, value, strict=True)]
    return found

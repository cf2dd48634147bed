"""Compares the metadata of two model files, long arrays by their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from kittui.compare.changes import ValueChange
from kittui.compare.documents import compare_documents, same_value

NAMED = 10
"""Maximum differing values that are listed of a long array."""
_LONG = 64


def compare_metadata(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    arrays_a: Mapping[str, Sequence[Any]] | None = None,
    arrays_b: Mapping[str, Sequence[Any]] | None = None,
) -> tuple[ValueChange, ...]:
    """Compare metadata, in a's order; arrays with all their values are compared value by value."""
    whole_a, whole_b = arrays_a or {}, arrays_b or {}
    apart = whole_a.keys() & whole_b.keys()
    changes = compare_documents(
        {key: _plain(value) for key, value in a.items() if key not in apart},
        {key: _plain(value) for key, value in b.items() if key not in apart},
    )
    return (
        *changes,
        *(change for key in a if key in apart for change in compare_arrays(key, whole_a[key], whole_b[key])),
    )


def compare_arrays(key: str, a: Sequence[Any], b: Sequence[Any]) -> list[ValueChange]:
    """List the first differing values by position, and count them if there are more."""
    places = [n for n, (old, new) in enumerate(zip(a, b, strict=False)) if not same_value(old, new)]
    found = [ValueChange(f"{key}[{n}]", "changed", a[n], b[n]) for n in places[:NAMED]]
    if len(a) != len(b):
        found.append(ValueChange(key, "changed", f"{len(a)} values", f"{len(b)} values"))
    if len(places) > NAMED:
        found.append(ValueChange(key, "changed", f"{len(a)} values", f"{len(b)} values, {len(places)} of them others"))
    return found


def _plain(value: Any) -> Any:
    """Replace long lists by their length and a digest, and bytes by text."""
    if isinstance(value, list | tuple) and len(value) > _LONG:
        return f"{len(value)} values, sha256 {sha256(repr(value).encode()).hexdigest()[:12]}"
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value

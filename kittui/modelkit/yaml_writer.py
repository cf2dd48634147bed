"""Writes Kitfiles as `kit info` and `kit unpack` do: regenerated YAML, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from typing import Any, Final, Protocol, runtime_checkable

from kittui.modelkit.yaml_scalars import analyse, key_order, number_text, scalar

_KEY_LIMIT: Final = 128
"""Keys of up to this many bytes are written before a colon; longer ones after a question mark."""

_PACKAGE = ("name", "version", "description", "license", "authors")
_PART = ("name", "path", "license", "type")
_MODEL = ("name", "path", "license", "framework", "format", "version", "description", "parts", "parameters")
_ENTRIES: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("path", "description", "license"),
    "datasets": ("name", "path", "remotePath", "remoteHash", "description", "license", "parameters"),
    "docs": ("path", "description"),
    "prompts": ("path", "description"),
    "mcpServers": ("name", "path", "description"),
}
_KEPT_EMPTY: Final = frozenset({("docs", "path")})


@runtime_checkable
class Written(Protocol):
    """A number shown as in the config, which kit would round."""

    text: str


class _Flow(list[str]):
    """A list that is written on one line."""


def kitfile_yaml(kitfile: Mapping[str, Any], *, exact: bool = False) -> str:
    """Write a Kitfile's fields in order, without empty and unknown ones, and with sorted parameters.

    Fields of newer kits (prompts, mcpServers) follow kit's own; values of unexpected types are written unchanged.
    Numbers are written as kit does, or, with `exact`, unchanged.
    """
    fields: dict[str, Any] = {"manifestVersion": _text(kitfile.get("manifestVersion", ""))}
    package = _package(kitfile.get("package"))
    if package:
        fields["package"] = package
    model = kitfile.get("model")
    if model is not None:
        fields["model"] = _model(model)
    for section, keys in _ENTRIES.items():
        found = kitfile.get(section)
        if found:
            fields[section] = [_entry(section, keys, one) for one in found] if isinstance(found, list) else found
    return yaml_text(fields, ordered=True, exact=exact)


def _package(package: Any) -> Any:
    if not isinstance(package, dict):
        return package
    fields: dict[str, Any] = {key: _text(package[key]) for key in _PACKAGE[:-1] if package.get(key)}
    authors = package.get("authors")
    if authors:
        fields["authors"] = _Flow(_text(one) for one in authors) if isinstance(authors, list) else authors
    return fields


def _model(model: Any) -> Any:
    if not isinstance(model, dict):
        return model
    fields = {key: _text(model[key]) for key in _MODEL[:-2] if model.get(key)}
    parts = model.get("parts")
    if parts:
        fields["parts"] = [_entry("parts", _PART, part) for part in parts] if isinstance(parts, list) else parts
    if model.get("parameters") is not None:
        fields["parameters"] = _Sorted(model["parameters"])
    return fields


def _entry(section: str, keys: Sequence[str], entry: Any) -> Any:
    if not isinstance(entry, dict):
        return {} if entry is None else entry
    fields: dict[str, Any] = {}
    for key in keys:
        value = entry.get(key)
        if key == "parameters":
            if value is not None:
                fields[key] = _Sorted(value)
        elif value or (section, key) in _KEPT_EMPTY:
            fields[key] = _text(value)
    return fields


def _text(value: Any) -> Any:
    return "" if value is None else value


class _Sorted:
    """Marks a value whose maps are sorted by key."""

    def __init__(self, value: Any) -> None:
        self.value = value


def yaml_text(value: Any, *, ordered: bool = False, exact: bool = False) -> str:
    """Write any JSON value as YAML, as kit does; maps are sorted by key unless `ordered`."""
    writer = _Writer(exact)
    writer.value(value, 0, ordered=ordered)
    return writer.ended()


class _Writer:
    """Writes block style: a nested block starts at the column it is given."""

    def __init__(self, exact: bool) -> None:
        self._written: list[str] = []
        self._exact = exact

    def ended(self) -> str:
        """The text written, ending with a line break."""
        self._break(0)
        return "".join(self._written)

    def value(self, value: Any, indent: int, *, ordered: bool) -> None:
        if isinstance(value, _Sorted):
            value, ordered = value.value, False
        if isinstance(value, _Flow):
            self._written.append("[" + ", ".join(_scalar(one, indent, flow=True) for one in value) + "]")
        elif isinstance(value, dict) and value:
            self._map(value, indent, ordered)
        elif isinstance(value, list) and value:
            for number, one in enumerate(value):
                if number:
                    self._break(indent)
                self._written.append("- ")
                self.value(one, indent + 2, ordered=ordered)
        else:
            own = self._exact and isinstance(value, int) and not isinstance(value, bool)
            self._written.append(str(value) if own else _scalar(value, indent))

    def _map(self, value: dict[str, Any], indent: int, ordered: bool) -> None:
        for number, key in enumerate(value if ordered else sorted(value, key=cmp_to_key(key_order))):
            if number:
                self._break(indent)
            inner = value[key]
            if analyse(key).multiline or len(key.encode("utf-8", "replace")) > _KEY_LIMIT:
                self._written.append("? " + _scalar(key, indent + 2))
                self._break(indent)
                self._written.append(": ")
            else:
                self._written.append(_scalar(key, indent + 2, key=True) + ":")
                if _is_block(inner):
                    self._break(indent + 2)
                else:
                    self._written.append(" ")
            self.value(inner, indent + 2, ordered=ordered)

    def _break(self, indent: int) -> None:
        if not self._written[-1].endswith("\n"):
            self._written.append("\n")
        self._written.append(" " * indent)


def _is_block(value: Any) -> bool:
    inner = value.value if isinstance(value, _Sorted) else value
    return isinstance(inner, dict | list) and bool(inner) and not isinstance(inner, _Flow)


def _scalar(value: Any, indent: int, *, flow: bool = False, key: bool = False) -> str:
    if isinstance(value, str):
        return scalar(value, indent, flow=flow, key=key)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, Written):
        return value.text
    return "[]" if isinstance(value, list) else "{}"

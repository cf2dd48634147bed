"""Reads Kitfiles from a config's JSON or a file's YAML, treating both as hostile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kittui.budget import Budget
from kittui.errors import BadReference, Malformed
from kittui.oci.documents import check_document, load_json
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.reference import Reference, parse_reference

NAMES: Final = ("Kitfile", "kitfile", ".kitfile")
"""The names that kit looks for in a folder, in this order."""
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("code",),
    "datasets": ("datasets",),
    "docs": ("docs",),
    "prompts": ("prompts",),
    "mcpServers": ("mcpServers",),
}
"""The Kitfile's lists of entries that are layers, in the order of its fields."""


def load_config(raw: bytes) -> dict[str, Any]:
    """Parse the Kitfile in a config blob (JSON); raises Malformed, and TooLarge over 4 MiB or too many values.

    Bytes that are not UTF-8 become surrogates (`surrogateescape`), so that names stay exact.
    """
    budget = _budget("the config")
    text = raw.decode("utf-8", "surrogateescape")
    return _checked(load_json(text, budget, parse_constant=_no_constant, parse_float=_finite), budget.what)


def load_kitfile(text: str | bytes) -> dict[str, Any]:
    """Parse a Kitfile as written by people: YAML or JSON.

    Unquoted scalars keep their source text if kit reads a string there. Raises Malformed and TooLarge.
    """
    budget = _budget("the Kitfile")
    budget.spend("input", len(text))
    # Importing YAML is slow, and seldom needed, since configs are JSON.
    from kittui.modelkit.yaml_reader import read_yaml

    document = read_yaml(text, budget)
    check_document(document, budget)
    return _checked(document, budget.what)


def _budget(what: str) -> Budget:
    return Budget(what, input=CONFIG_LIMIT, items=200_000, seconds=10)


def _checked(document: Any, what: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise Malformed(f"{what} is not a map of fields")
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise Malformed(f"{what} has a field whose name is not text")
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif not (value is None or isinstance(value, str | int | float)):
            raise Malformed(f"{what} holds a value of a kind that JSON has not")
    return document


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def entries(kitfile: Mapping[str, Any], section: str) -> list[Any]:
    """The entries of one of the Kitfile's lists, or of `parts` below `model`; empty if it is not a list."""
    if section == "parts":
        model = kitfile.get("model")
        found = model.get("parts") if isinstance(model, dict) else None
    else:
        found = kitfile.get(section)
    return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Remote:
    """An entry whose content is stored elsewhere, such as a dataset in S3: it has no layer.

    `section` is the Kitfile's list that it is in, `location` where the content is, `hash` what it must hash to.
    """

    section: str
    name: str
    path: str
    location: str
    hash: str


def is_remote(entry: Any) -> bool:
    """Whether an entry's content is stored elsewhere."""
    return isinstance(entry, dict) and isinstance(entry.get("remotePath"), str) and bool(entry["remotePath"])


def remotes(kitfile: Mapping[str, Any]) -> tuple[Remote, ...]:
    """The entries whose content is stored elsewhere."""
    return tuple(
        Remote(section, *(_said(entry, key) for key in ("name", "path", "remotePath", "remoteHash")))
        for section in SECTIONS
        for entry in entries(kitfile, section)
        if is_remote(entry) and not _said(entry, "digest")
    )


def _said(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def model_reference(kitfile: Mapping[str, Any]) -> Reference | None:
    """The ModelKit that `model.path` refers to, where it is a reference and not a path: it then has no layer."""
    model = kitfile.get("model")
    path = model.get("path") if isinstance(model, dict) else None
    if not isinstance(path, str) or not (":" in path or "@" in path):
        return None
    try:
        reference = parse_reference(path)
    except BadReference:
        return None
    return reference if reference.kind is None else None


def shape_problems(kitfile: Mapping[str, Any]) -> Iterator[str]:
    """What in a Kitfile is of another type than kit reads, one sentence each."""
    for key in ("package", "model"):
        if kitfile.get(key) is not None and not isinstance(kitfile[key], dict):
            yield f"the Kitfile's {key} is not a map"
    for key in SECTIONS:
        value = kitfile.get(key)
        if value is None:
            continue
        if not isinstance(value, list):
            yield f"the Kitfile's {key} is not a list"
        elif not all(isinstance(entry, dict) for entry in value):
            yield f"the Kitfile's {key} has an entry that is not a map"

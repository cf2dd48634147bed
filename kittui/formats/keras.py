"""Reads Keras archives: their metadata, and the weights that they hold in HDF5."""

from __future__ import annotations

from typing import Any

from kittui.budget import Budget
from kittui.errors import ContentError
from kittui.formats.hdf5 import read_hdf5
from kittui.formats.long_json import decode_json
from kittui.formats.need import Steps, run_bytes, shifted
from kittui.formats.weights import Tensor, Weights
from kittui.formats.zip import Member, member_offset, open_member, read_member, read_zip

WEIGHTS = "model.weights.h5"
NAME = "(all of it)"
"""The name of the row that stands for all tensors."""
_CONFIG = 4 * 1024 * 1024


def read_keras(size: int, budget: Budget) -> Steps[Weights]:
    """The tensors of a Keras archive. Raises Malformed if it is not a zip archive."""
    metadata: dict[str, Any] = {}
    held: Member | None = None
    for member in (yield from read_zip(size, budget)):
        if member.path == WEIGHTS:
            held = member
        elif member.path in ("metadata.json", "config.json") and member.size <= _CONFIG:
            raw = yield from read_member(member, budget)
            try:
                document = decode_json(raw.decode(), budget=budget)
            except (ValueError, RecursionError):
                continue
            if member.path == "metadata.json" and isinstance(document, dict):
                metadata |= {str(key): value for key, value in document.items() if isinstance(value, str)}
            elif member.path == "config.json":
                metadata["layers"] = sorted(set(class_names(document)))[:200]
    if held is None:
        row = Tensor(NAME, "?", (), None, None, f"not understood: the archive has no {WEIGHTS}")
        return Weights("keras", (row,), metadata)
    try:
        found = yield from _weights(held, budget)
    except ContentError as error:
        row = Tensor(NAME, "?", (), None, held.size, f"not understood: {error.message}")
        return Weights("keras", (row,), metadata)
    return Weights("keras", found.tensors, {**found.metadata, **metadata}, found.problem, found.notes)


def _weights(member: Member, budget: Budget) -> Steps[Weights]:
    """Read the member's HDF5 file, in place if it is stored uncompressed."""
    if member.method or member.encrypted:
        content = (yield from open_member(member, budget)).content
        found = run_bytes(read_hdf5(len(content), budget), content)
        tensors = [one._replace(offset=None, member=member.path) for one in found.tensors]
    else:
        start = yield from member_offset(member)
        found = yield from shifted(read_hdf5(member.size, budget), start)
        tensors = [
            one._replace(offset=None if one.offset is None else one.offset + start, member=member.path)
            for one in found.tensors
        ]
    return Weights("keras", tuple(tensors), found.metadata, found.problem, found.notes)


def class_names(document: Any) -> list[str]:
    """The classes that a Keras configuration names."""
    found: list[str] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("class_name")
            if isinstance(name, str):
                found.append(name[:200])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found

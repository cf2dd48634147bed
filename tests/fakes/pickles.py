"""Following pickles that are in memory."""

from __future__ import annotations

from typing import Any

from kittui.budget import Budget
from kittui.formats.need import Cursor, run_bytes
from kittui.formats.pickle import follow_pickle
from kittui.formats.pickled import Map, Program


def follow(content: bytes, budget: Budget | None = None) -> Program:
    """The first pickle in `content`."""
    budget = budget or Budget("the pickle", items=5_000_000)
    return run_bytes(follow_pickle(Cursor(len(content), "the pickle", budget), budget), content)


def plain(value: Any) -> Any:
    """A followed value with dicts in place of their pairs."""
    if isinstance(value, Map):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value

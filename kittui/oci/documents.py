"""Parses hostile JSON: bounded in bytes, values and depth."""

from __future__ import annotations

import json
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed


def load_json(raw: bytes | str, budget: Budget, **hooks: Any) -> Any:
    """Parse a document within the budget.

    Raises TooLarge, and Malformed naming what the budget is for. It is parsed in one go, so parse large ones in a
    thread. `hooks` are json.loads's.
    """
    budget.spend("input", len(raw))
    text = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    if (values := sum(map(text.count, ",[{"))) > budget.left("items"):
        budget.spend("items", values)
    try:
        document = json.loads(raw, **hooks)
    except (ValueError, RecursionError):
        raise Malformed(f"{budget.what} is not valid JSON") from None
    check_document(document, budget)
    return document


def check_document(document: Any, budget: Budget) -> None:
    """Count the values of a parsed document, and check its depth; raises TooLarge."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        budget.descend(depth)
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        budget.spend("items", 1 + len(children))
        waiting.extend((child, depth + 1) for child in children if isinstance(child, dict | list))

"""JSON from hostile hands: bounded in bytes, values and depth."""

from __future__ import annotations

import json
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed


def load_json(raw: bytes | str, budget: Budget, **hooks: Any) -> Any:
    """A document of no more than the budget has. Raises TooLarge, and Malformed naming what the budget is for.

    It is parsed in one go: for what has a few megabytes at most. `hooks` are json.loads's.
    """
    budget.spend("input", len(raw))
    try:
        document = json.loads(raw, **hooks)
    except (ValueError, RecursionError):
        raise Malformed(f"{budget.what} is not valid JSON") from None
    check_document(document, budget)
    return document


def check_document(document: Any, budget: Budget) -> None:
    """Count the values of a document that was built, and look how deep it goes; raises TooLarge."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        budget.spend("items")
        budget.descend(depth)
        if isinstance(value, dict):
            waiting.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, list):
            waiting.extend((child, depth + 1) for child in value)

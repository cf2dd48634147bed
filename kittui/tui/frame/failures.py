"""Failed rows as text: a reason that several share is given once, with all their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kittui.errors import KittuiError

    Failures = Sequence[tuple[str, KittuiError]]
    """References as a user would type them, with why they failed."""

NAMED = 8
"""Rows with one reason that are named; more are counted."""


def reasons(failed: Failures) -> list[str]:
    """A line for each reason: `registry.test/fraud:v1, v2 and 3 more: it can't be reached`."""
    found: dict[str, dict[str, None]] = {}
    for reference, error in failed:
        found.setdefault(error.message, {})[reference] = None
    return [": ".join(filter(None, (_names(list(names)), message))) for message, names in found.items()]


def left_out(failed: Failures) -> list[str]:
    """The same as notes of a plan, in sentences."""
    return [f"Left out: {line.removesuffix('.')}." for line in reasons(failed)]


def _names(references: Sequence[str]) -> str:
    """The references, a repository's name once."""
    shown: list[str] = []
    before = ""
    for reference in references[:NAMED]:
        head, _, tail = reference.rpartition(":")
        # A colon before a slash is that of a port.
        head = "" if "/" in tail else head
        shown.append(tail if head and head == before else reference)
        before = head
    more = len(references) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")

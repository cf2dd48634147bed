"""The rules for comparing texts by line: what each key changes, and the message about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kittui.compare.text import CONTEXT, LineRules
from kittui.terminal import counted

CONTEXTS: Final = (0, 1, 3, 6, 12, 25, 50, 100)
"""Lines around changes that more and less context go through."""
WHOLE: Final = 1_000_000_000
"""More lines around changes than any text has."""


def with_context(rules: LineRules, step: int) -> tuple[LineRules, str]:
    """More (`step` 1) or fewer (-1) unchanged lines around changes."""
    at = min(range(len(CONTEXTS)), key=lambda place: abs(CONTEXTS[place] - rules.context))
    wanted = CONTEXTS[max(0, min(len(CONTEXTS) - 1, at + step))]
    ends = {CONTEXTS[0]: ", the minimum", CONTEXTS[-1]: ", the most"}
    return replace(rules, context=wanted), f"Context: {counted(wanted, 'line')}{ends.get(wanted, '')}."


def with_folds_turned(rules: LineRules) -> tuple[LineRules, str]:
    """Texts whole where unchanged parts were folded, else folded."""
    if rules.context < WHOLE:
        return replace(rules, context=WHOLE), "Unchanged parts are shown."
    return replace(rules, context=CONTEXT), "Unchanged parts are folded."


def with_spaces_turned(rules: LineRules) -> tuple[LineRules, str]:
    """White space ignored where it was compared, else compared."""
    said = "White space is ignored in texts." if rules.spaces else "White space is compared."
    return replace(rules, spaces=not rules.spaces), said

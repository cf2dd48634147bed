"""Gates in a dialog: what each answers, or what it reads while it has not answered yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content

from kittui.terminal import clean
from kittui.tui.widgets.bars import shorten

if TYPE_CHECKING:
    from kittui.usecases.change.policy import Announced, Verdict

MARKS: Final = {"pass": ("✓", "$kit-good"), "fail": ("✗", "$kit-bad"), "unknown": ("?", "$kit-warn")}
WIDTH: Final = 66
"""Columns of a line."""
SHORTEST: Final = 12
"""Columns that the name of a gate keeps."""
FIRST: Final = ("fail", "unknown", "", "pass")
"""What is shown first where there is no room for all: what stops the move, then what is still asked."""


def gate_parts(gates: Sequence[Announced], verdicts: Sequence[Verdict], room: int) -> list[Content]:
    """A line that counts them, then one for each in the order they are asked; the most important where it is tight."""
    answers = {(one.rule, one.moved): one for one in verdicts}
    count = {state: sum(one.state == state for one in verdicts) for state in MARKS}
    waiting = len(gates) - len(verdicts)
    head: list[tuple[str, str]] = [("Gates", "$kit-muted")]
    head += [(f"  {MARKS[state][0]} {count[state]}", MARKS[state][1]) for state in MARKS if count[state]]
    head += [(f"  … {waiting} still asked", "$kit-muted")] if waiting > 0 else []
    lines = []
    for number, gate in enumerate(gates):
        found = answers.get((gate.rule, gate.moved))
        lines.append((FIRST.index(found.state if found else ""), number, _line(gate, found)))
    shown = len(lines) if len(lines) < room else room - 2
    kept = sorted(sorted(lines)[: max(0, shown)], key=lambda line: line[1])
    parts = [Content.assemble(*head), *(line for _, _, line in kept)]
    if len(kept) < len(lines) and len(parts) < room:
        parts.append(Content.assemble((f"  and {len(lines) - len(kept)} more", "$kit-muted")))
    return parts


def _line(gate: Announced, found: Verdict | None) -> Content:
    name = clean(gate.rule.removeprefix("gate "), limit=100)
    if found is None:
        return Content.assemble(
            ("· ", "$kit-muted"), (name, "$kit-text"), (f"  reads {clean(gate.price)}", "$kit-muted")
        )
    mark, style = MARKS[found.state]
    wish = "" if found.enforced or found.state == "pass" else " (advisory)"
    reason = f"{clean(found.reason, limit=300)}{wish}"
    if found.state != "pass":
        # Where there is no room for both, what stops the move is worth more than how the gate is called.
        name = shorten(name, max(SHORTEST, WIDTH - 4 - len(reason)))
    parts = (f"{mark} ", style), (name, "$kit-text"), (f"  {reason}", "$kit-muted")
    return Content.assemble(*parts).truncate(WIDTH, ellipsis=True)

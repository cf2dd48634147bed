"""Gates in a dialog: each gate's verdict, or what it is reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content

from kittui.terminal import clean

if TYPE_CHECKING:
    from kittui.usecases.change.policy import Announced, Verdict

MARKS: Final = {"pass": ("✓", "$kit-good"), "fail": ("✗", "$kit-bad"), "unknown": ("?", "$kit-warn")}
FIRST: Final = ("fail", "unknown", "", "pass")
"""The order of gates: those that stop the move, then those still pending."""


def gate_parts(gates: Sequence[Announced], verdicts: Sequence[Verdict], width: int) -> list[Content]:
    """A line with counts, then each gate in full, those that stop the move first."""
    answers = {(one.rule, one.moved): one for one in verdicts}
    count = {state: sum(one.state == state for one in verdicts) for state in MARKS}
    waiting = len(gates) - len(verdicts)
    head: list[tuple[str, str]] = [("Gates", "$kit-muted")]
    head += [(f"  {MARKS[state][0]} {count[state]}", MARKS[state][1]) for state in MARKS if count[state]]
    head += [(f"  … {waiting} pending", "$kit-muted")] if waiting > 0 else []
    found = [(gate, answers.get((gate.rule, gate.moved))) for gate in gates]
    found.sort(key=lambda pair: FIRST.index(pair[1].state if pair[1] else ""))
    return [Content.assemble(*head), *(line for gate, answer in found for line in _lines(gate, answer, width))]


def _lines(gate: Announced, found: Verdict | None, width: int) -> list[Content]:
    mark, style = MARKS[found.state] if found is not None else ("·", "$kit-muted")
    if found is None:
        said = f"reads {clean(gate.price)}"
    else:
        said = clean(found.reason, limit=2000) + ("" if found.enforced or found.state == "pass" else " (advisory)")
    name = clean(gate.rule.removeprefix("gate "), limit=200)
    whole = Content.assemble((name, "$kit-text"), (f"  {said}", "$kit-muted"))
    return hanging(Content.assemble((f"{mark} ", style)), whole, width)


def hanging(mark: Content, text: Content, width: int) -> list[Content]:
    """Wrap a text into lines of at most `width` cells, indented after the mark."""
    margin = mark.cell_length
    lines = text.wrap(max(10, width - margin))
    return [(mark if not number else Content(" " * margin)) + line for number, line in enumerate(lines)]

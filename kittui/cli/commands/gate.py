"""`kittui gate`: evaluate the gates of a promotion without promoting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from kittui.cli import run
from kittui.cli.moving import parse_tag, repository_of
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.usecases.change.policy import State, Verdict
from kittui.usecases.change.promote import plan_promote

_STYLES: Final[dict[State, str]] = {"pass": "bold green", "fail": "bold red", "unknown": "yellow"}
_WORDS: Final[dict[State, str]] = {"pass": "pass", "fail": "FAIL", "unknown": "cannot tell"}


@run.command("gate")
@click.argument("repository", metavar="REPO")
@click.option("--from", "origin", metavar="TAG", help="The tag to promote (challenger).")
@click.option("--to", "target", metavar="TAG", help="The tag that would move (champion).")
async def command(call: Call, repository: str, origin: str | None, target: str | None) -> int:
    """Evaluate the gates of a promotion and change nothing. Exit status 0 if every gate passes, 1 otherwise.

    Advisory gates count here too, although a promotion proceeds without them.
    """
    composition = call.composition
    found = await repository_of(call, repository, changing=False)
    stages = composition.config.moves
    plan = await plan_promote(found, parse_tag(origin), parse_tag(target), stages=stages, shown=False)
    call.printer.status(f"evaluating the gates of {plan.place}")
    verdicts = [one async for one in composition.policy.gates(plan)]
    document = {
        "repository": plan.place,
        "changes": [change.to_json() for change in plan.changes],
        "gates": [one.to_json() for one in verdicts],
        "passed": all(one.state == "pass" for one in verdicts),
    }

    def show() -> None:
        if not plan.changes:
            call.printer.line("nothing to promote: both tags point to the same digest")
        elif not verdicts:
            call.printer.line("no gates apply to this move: set them with `gates` in config.yaml")
        else:
            call.printer.table(("GATE", "ANSWER", "ENFORCED", "REASON"), gate_rows(verdicts))

    call.printer.result(document, show)
    return 0 if document["passed"] else 1


def gate_rows(verdicts: Sequence[Verdict]) -> list[Sequence[Styled]]:
    """A row for each verdict: the gate, what it says, whether it is enforced, why and what to do."""
    return [
        (
            one.rule,
            (_WORDS[one.state], _STYLES[one.state]),
            ("yes" if one.enforced else "no, advisory", "dim"),
            f"{one.reason}; {one.remedy}" if one.remedy and one.state != "pass" else one.reason,
        )
        for one in verdicts
    ]

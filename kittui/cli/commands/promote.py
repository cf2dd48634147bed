"""`kittui promote`: champion -> rollback, challenger -> champion."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import change_lines, plan_lines, repository_of
from kittui.cli.run import Call
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.tags import apply_changes


@run.command("promote")
@click.argument("repository", metavar="REPO")
@click.option("--from", "origin", metavar="TAG", help="The tag to promote (challenger).")
@click.option("--to", "target", metavar="TAG", help="The tag that it gets (champion).")
@click.option("--retire", is_flag=True, help="Tag what rollback held until now as retired.")
@click.option("--reason", default="", help="Why; kept in the history.")
async def command(
    call: Call, repository: str, origin: str | None, target: str | None, retire: bool, reason: str
) -> None:
    """Make the challenger the champion, and the champion the rollback. Run again, it finishes what was interrupted."""
    composition = call.composition
    stages = composition.config.moves
    found = await repository_of(call, repository)
    plan = await plan_promote(found, origin, target, stages=stages, retire=retire)
    if plan.changes:
        composition.rules.check_write(plan.place)
        lines = plan_lines(plan, "Promote in")
        if plan.orphans:
            lines.append(f"  --retire tags it {stages.retired}")
        call.printer.confirm(lines, "Promote?")
    done = await apply_changes(plan, composition.ledger, composition.rules, reason=reason, typed=None)

    def show() -> None:
        for line in change_lines(done.changes):
            call.printer.line(line.strip())
        if not done.changes:
            call.printer.line("nothing to do: it is promoted already")

    call.printer.result(done.to_json(), show)

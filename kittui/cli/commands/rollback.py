"""`kittui rollback`: champion back to what rollback holds."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import change_lines, plan_lines, repository_of
from kittui.cli.run import Call
from kittui.usecases.change.promote import plan_rollback
from kittui.usecases.change.tags import apply_changes


@run.command("rollback")
@click.argument("repository", metavar="REPO")
@click.option("--reason", default="", help="Why; kept in the history.")
async def command(call: Call, repository: str, reason: str) -> None:
    """Make the ModelKit that rollback points to the champion again; rollback stays."""
    composition = call.composition
    found = await repository_of(call, repository)
    plan = await plan_rollback(found, stages=composition.config.moves)
    if plan.changes:
        composition.rules.check_write(plan.place)
        call.printer.confirm(plan_lines(plan, "Roll back in"), "Roll back?")
    done = await apply_changes(plan, composition.ledger, composition.rules, reason=reason, typed=None)

    def show() -> None:
        for line in change_lines(done.changes):
            call.printer.line(line.strip())
        if not done.changes:
            call.printer.line("nothing to do: it is rolled back already")

    call.printer.result(done.to_json(), show)

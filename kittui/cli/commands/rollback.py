"""`kittui rollback`: champion back to what rollback holds."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import agree, note_unseen, repository_of, typed_names
from kittui.cli.run import Call
from kittui.usecases.change.promote import plan_rollback
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.words import change_lines, nothing_to_do


@run.command("rollback", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="The name of a protected tag that may be moved.")
@click.option("--override", default="", metavar="REASON", help="Go ahead although a rule says no; recorded.")
async def command(call: Call, repository: str, reason: str, confirm: tuple[str, ...], override: str) -> None:
    """Make the ModelKit that rollback points to the champion again; rollback stays."""
    composition = call.composition
    found = await repository_of(call, repository)
    plan = await plan_rollback(found, stages=composition.config.moves, told=call.told)
    await agree(call, plan, "Roll back in", "Roll back?", override)
    typed = typed_names(call, plan.overwritten, confirm, plan.action)
    done = await apply_changes(
        plan,
        composition.ledger,
        composition.policy,
        reason=reason,
        typed=typed,
        override=override,
        asked=call.printer.asked,
    )

    def show() -> None:
        for line in change_lines(done.changes):
            call.printer.line(line)
        if not done.changes:
            call.printer.line(nothing_to_do(plan))

    call.printer.result(done.to_json(), show)
    note_unseen(call, done.unseen)

"""`kittui rollback`: champion back to what rollback holds."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import agree, answers_of, repository_of, show_changed
from kittui.cli.run import Call
from kittui.usecases.change.promote import plan_rollback
from kittui.usecases.change.tags import apply_changes


@run.command("rollback", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="The name of a protected tag that may be moved.")
@click.option("--override", default="", metavar="REASON", help="Go ahead although a rule says no; recorded.")
async def command(call: Call, repository: str, reason: str, confirm: tuple[str, ...], override: str) -> None:
    """Make the ModelKit that rollback points to the champion again; rollback stays."""
    composition = call.composition
    found = await repository_of(call, repository)
    plan = await plan_rollback(found, stages=composition.config.moves, shown=call.plan_is_shown)
    await agree(call, plan, "Roll back in", "Roll back?", override)
    answers = answers_of(call, plan.overwritten, confirm, reason, override, plan.action)
    done = await apply_changes(plan, composition.ledger, composition.policy, answers)
    show_changed(call, plan, done)

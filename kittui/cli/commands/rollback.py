"""`kittui rollback`: move champion back to what rollback holds."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import repository_of
from kittui.cli.promoting import carry_out
from kittui.cli.run import Call
from kittui.usecases.change.promote import plan_rollback


@run.command("rollback", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
async def command(call: Call, repository: str, reason: str, confirm: tuple[str, ...], override: str) -> None:
    """Make the ModelKit that rollback points to the champion again; rollback stays."""
    stages = call.composition.config.moves
    found = await repository_of(call, repository)
    plan = await plan_rollback(found, stages=stages, shown=call.plan_is_shown)
    await carry_out(call, plan, stages.champion, ("Roll back in", "Roll back?"), reason, confirm, override)

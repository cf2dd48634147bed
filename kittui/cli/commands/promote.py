"""`kittui promote`: move champion to rollback, then challenger to champion."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import parse_tag, repository_of
from kittui.cli.promoting import carry_out
from kittui.cli.run import Call
from kittui.usecases.change.promote import plan_promote


@run.command("promote", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--from", "origin", metavar="TAG", help="The tag to promote (challenger).")
@click.option("--to", "target", metavar="TAG", help="The tag that moves (champion).")
@click.option("--retire", is_flag=True, help="Tag the previous rollback as retired.")
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
async def command(
    call: Call,
    repository: str,
    origin: str | None,
    target: str | None,
    retire: bool,
    reason: str,
    confirm: tuple[str, ...],
    override: str,
) -> None:
    """Make the challenger the champion, and the champion the rollback. Run again to finish an interrupted promotion."""
    stages = call.composition.config.moves
    found = await repository_of(call, repository)
    wanted = parse_tag(target) or stages.champion
    plan = await plan_promote(found, parse_tag(origin), wanted, stages=stages, retire=retire, shown=call.plan_is_shown)
    more = [f"  --retire tags it {stages.retired}"] if plan.orphans else []
    await carry_out(call, plan, wanted, ("Promote in", "Promote?"), reason, confirm, override, more)

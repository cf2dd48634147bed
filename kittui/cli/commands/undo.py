"""`kittui undo`: undo the last tag change."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import agree, answers_of, repository_of, show_changed
from kittui.cli.run import Call
from kittui.usecases.change.redo import apply_redo, plan_redo
from kittui.usecases.change.undo import apply_undo, plan_undo


@run.command("undo", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--redo", is_flag=True, help="Redo the last undone change.")
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
async def command(
    call: Call, repository: str, redo: bool, reason: str, confirm: tuple[str, ...], override: str
) -> None:
    """Undo the last tag change that kittui made in a repository, unless its tags have moved since."""
    composition = call.composition
    found = await repository_of(call, repository)
    call.check_write(found.reference())
    plan, apply, verb = (plan_redo, apply_redo, "Redo") if redo else (plan_undo, apply_undo, "Undo")
    undo = await plan(found, composition.ledger)
    for error in undo.left:
        call.printer.warning(f"left out: {error.reference or found.reference()}: {error.message}")
    heading = f"{verb} {undo.entry.action} of {undo.entry.time} in"
    await agree(call, undo.plan, heading, f"{verb} it?", override)
    answers = answers_of(call, undo.plan.overwritten, confirm, reason, override)
    done = await apply(undo, composition.ledger, composition.policy, answers)
    show_changed(call, undo.plan, done)

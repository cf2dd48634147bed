"""`kittui undo`: take the last tag change back."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import agree, note_unseen, repository_of, typed_names
from kittui.cli.run import Call
from kittui.usecases.change.undo import apply_redo, apply_undo, plan_redo, plan_undo
from kittui.usecases.change.words import change_lines, nothing_to_do


@run.command("undo", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--redo", is_flag=True, help="Do again what undo took back last.")
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="The name of a protected tag that may be moved.")
@click.option("--override", default="", metavar="REASON", help="Go ahead although a rule says no; recorded.")
async def command(
    call: Call, repository: str, redo: bool, reason: str, confirm: tuple[str, ...], override: str
) -> None:
    """Take back the last tag change that kittui made in a repository, if no tag of it has moved since."""
    composition = call.composition
    found = await repository_of(call, repository)
    call.check_write(found.reference())
    plan, apply, verb = (plan_redo, apply_redo, "Redo") if redo else (plan_undo, apply_undo, "Undo")
    undo = await plan(found, composition.ledger)
    heading = f"{verb} {undo.entry.action} of {undo.entry.time} in"
    await agree(call, undo.plan, heading, f"{verb} it?", override)
    typed = typed_names(call, undo.plan.overwritten, confirm)
    done = await apply(
        undo,
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
            call.printer.line(nothing_to_do(undo.plan))

    call.printer.result(done.to_json(), show)
    note_unseen(call, done.unseen)

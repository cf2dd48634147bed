"""`kittui prune`: delete old records of tag moves from a registry."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import repository_of
from kittui.cli.run import Call
from kittui.terminal import counted
from kittui.usecases.trust.prune import old_records, prune


@run.command("prune", changes=True)
@click.argument("repository", metavar="REPO")
@click.option("--keep", type=click.IntRange(1), default=20, show_default=True, help="Records to keep for each tag.")
async def command(call: Call, repository: str, keep: int) -> None:
    """Delete old records of tag moves from the registry; the newest of each tag always stay.

    The history on this machine keeps them. Signatures, statements and unsigned records are left alone.
    """
    found = await repository_of(call, repository)
    call.check_write(found.reference())
    call.printer.status(f"reading the records of {found.reference()}")
    *_, history = [known async for known in call.composition.history(found)]
    old = old_records(history, keep)
    lines = [f"{event.time}  {event.action} {event.tag}  {event.record[7:19]}" for event in old]
    document = {"repository": found.reference(), "records": [event.record for event in old]}
    call.preview([*lines, f"{counted(len(old), 'record')} of {found.reference()} would be deleted"], document)
    if old:
        call.printer.confirm(lines, f"Delete {counted(len(old), 'record')}?")
    done = await prune(found, old)

    def show() -> None:
        call.printer.line(f"{counted(len(done), 'record')} deleted; at most {keep} of each tag are kept")

    call.printer.result(document, show)

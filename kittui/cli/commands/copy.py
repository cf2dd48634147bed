"""`kittui copy`: between any two sources."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import move_lines, reporting, tuning, typed_names
from kittui.cli.run import Call
from kittui.oci.traffic import metered
from kittui.terminal import size_text
from kittui.transfer.progress import Progress
from kittui.usecases.transfer import apply_move, plan_move


@run.command("copy")
@click.argument("origin", metavar="FROM")
@click.argument("destination", metavar="TO")
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="The name of a protected tag that may be moved.")
async def command(call: Call, origin: str, destination: str, reason: str, confirm: tuple[str, ...]) -> None:
    """Copy a ModelKit, or an index with what it lists, between any two sources.

    TO without a tag keeps the one of FROM. A layout that is not there yet is made.
    """
    composition = call.composition
    with metered() as traffic:
        found = await composition.places.locate(origin)
        target = found.target or "latest"
        to = await composition.places.locate(destination, changing=True, default=None)
        wanted = to.target or target
        plan = await plan_move("copy", found.repository, target, to.repository, None if ":" in wanted else wanted)
        for line in move_lines(plan):
            call.printer.note(line)
        typed = typed_names(call, plan.changes.overwritten, confirm)
        progress = Progress()
        async with reporting(call, progress, f"copy to {plan.place}"):
            moved = await apply_move(
                plan,
                composition.ledger,
                composition.rules,
                progress,
                tuning=tuning(call),
                reason=reason,
                typed=typed,
            )
    document = moved.to_json()
    document["traffic"] = {"requests": traffic.requests, "bytes": traffic.bytes, "sent": traffic.sent}

    def show() -> None:
        call.printer.line((document["reference"], "bold"), f"  {document['digest']}")
        call.printer.line(
            f"  {traffic.requests} requests, {size_text(traffic.bytes)} received, {size_text(traffic.sent)} sent"
        )

    call.printer.result(document, show)

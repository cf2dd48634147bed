"""`kittui copy`: between any two sources."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.moving import carry, referrers_option, show_moved
from kittui.cli.run import Call
from kittui.oci.traffic import metered
from kittui.usecases.browse.places import DEFAULT_TAG


@run.command("copy", changes=True)
@click.argument("origin", metavar="FROM")
@click.argument("destination", metavar="TO")
@click.option("--reason", default="", help="Why; kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="The name of a protected tag that may be moved.")
@referrers_option
@click.option("--override", default="", metavar="REASON", help="Go ahead although a rule says no; recorded.")
async def command(
    call: Call,
    origin: str,
    destination: str,
    reason: str,
    confirm: tuple[str, ...],
    referrers: bool | None,
    override: str,
) -> None:
    """Copy a ModelKit, or an index with what it lists, between any two sources.

    TO without a tag keeps the one of FROM. A layout that is not there yet is made.
    """
    places = call.composition.places
    with metered() as traffic:
        found = await places.locate(origin)
        target = found.target or DEFAULT_TAG
        to = await places.locate(destination, changing=True, default=None)
        ends = (found.repository, target), (to.repository, to.target or target)
        moved = await carry(call, "copy", *ends, reason=reason, confirm=confirm, override=override, referrers=referrers)
    show_moved(call, moved, traffic)

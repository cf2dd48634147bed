"""`kittui copy`: copy a ModelKit between any two sources."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.carrying import carry, referrers_option, show_moved
from kittui.cli.run import Call
from kittui.oci.traffic import metered
from kittui.usecases.browse.places import DEFAULT_TAG


@run.command("copy", changes=True)
@click.argument("origin", metavar="FROM")
@click.argument("destination", metavar="TO")
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@referrers_option
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
async def command(
    call: Call,
    origin: str,
    destination: str,
    reason: str,
    confirm: tuple[str, ...],
    referrers: bool | None,
    override: str,
) -> None:
    """Copy a ModelKit, or an index with all it lists, between any two sources.

    TO without a tag keeps FROM's tag. A missing layout is created.
    """
    places = call.composition.places
    with metered() as traffic:
        found = await places.locate(origin)
        target = found.target or DEFAULT_TAG
        to = await places.locate(destination, changing=True, default=None)
        ends = (found.repository, target), (to.repository, to.target or target)
        moved = await carry(call, "copy", *ends, reason=reason, confirm=confirm, override=override, referrers=referrers)
    show_moved(call, moved, traffic)

"""`kittui history`: who moved which tag, when."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.oci.reference import check_tag
from kittui.usecases.change.history import TagHistory, read_history


@run.command("history")
@click.argument("repository", metavar="REPO")
@click.argument("tag", required=False)
async def command(call: Call, repository: str, tag: str | None) -> None:
    """Show which tags of a repository kittui moved on this machine: who, when, from which digest to which.

    Without a prefix, the store's and the registry's repository of that name are shown together.
    """
    places = call.composition.places
    reference = places.parse(repository)
    if reference.digest or (tag and reference.tag):
        raise UsageError(
            f"{repository} is no repository", hint="Write kittui history REPO [TAG].", reference=repository
        )
    tag = tag or reference.tag
    if tag is not None:
        check_tag(tag)
    reference = reference.at(None)
    wanted = [reference]
    if reference.kind is None:
        wanted = [reference.in_kind("local"), *([reference.in_kind("remote")] if reference.names_host else [])]
    found = [await read_history(places.repository(one), call.composition.ledger, tag) for one in wanted]
    told = [one for one in found if one.events] or found[-1:]
    events = sorted((event for one in told for event in one.events), key=lambda event: event.time, reverse=True)
    history = TagHistory(told[0].repository, tuple(events))

    def show() -> None:
        rows = [
            (
                event.time,
                event.actor,
                event.action,
                event.tag,
                _short(event.before),
                _short(event.after),
                event.reason,
            )
            for event in events
        ]
        if rows:
            call.printer.table(("TIME", "ACTOR", "ACTION", "TAG", "BEFORE", "AFTER", "REASON"), rows)
        else:
            call.printer.note(f"kittui on this machine has moved no tag of {history.repository}")

    call.printer.result(history.to_json(), show)


def _short(digest: str | None) -> str:
    return digest.partition(":")[2][:12] if digest else "none"

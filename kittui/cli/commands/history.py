"""`kittui history`: who moved which tag, and when."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kittui.cli import run
from kittui.cli.moving import parse_tag
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.trust.documents import read_moment
from kittui.usecases.trust.chain import TagEvent
from kittui.usecases.trust.held import Held, held_at
from kittui.usecases.trust.history import MergedHistory


@run.command("history")
@click.argument("repository", metavar="REPO")
@click.argument("tag", required=False)
@click.option(
    "--at", "at", metavar="DATE", help="Show what the tag pointed to then: 2026-09-01, or a time with its zone."
)
async def command(call: Call, repository: str, tag: str | None, at: str | None) -> int:
    """Show who moved the tags of a repository, when, from which digest to which, and why.

    It joins what kittui did on this machine with the records in the registry from any machine. PROOF shows
    what a record proves. A tag that moved without a record was moved outside kittui. --at shows what a tag (champion
    by default) pointed to at a time, and how certain that is; the exit status is 1 if that is unknown.
    """
    composition = call.composition
    reference = composition.places.parse(repository)
    if reference.digest or (tag and reference.tag):
        raise UsageError(
            f"{repository} is not a repository", hint="Write kittui history REPO [TAG].", reference=repository
        )
    moment = read_moment(at) if at is not None else None
    if at is not None and moment is None:
        raise UsageError(f"{at!r} is not a time", hint="Write --at 2026-09-01, or a time with its zone.")
    named = parse_tag(tag) or reference.tag or (composition.config.moves.champion if moment is not None else None)
    found = composition.places.repository(reference.at(None))
    call.printer.status(f"reading the records of {found.reference()}")
    *_, history = [known async for known in composition.history(found, named)]
    if moment is not None and named is not None:
        held = held_at(history, named, moment)
        call.printer.result({"repository": history.repository, **held.to_json()}, lambda: _print_held(call, held))
        return 0 if held.certainty != "unknown" else 1
    call.printer.result(history.to_json(), lambda: _print(call, history))
    return 0


def _print_held(call: Call, held: Held) -> None:
    call.printer.line((f"{held.tag} at {held.at}", "bold"), "  ", held.digest or "none")
    call.printer.line(f"  {held.certainty}: {held.why}")


def _print(call: Call, history: MergedHistory) -> None:
    if history.events:
        header = ("TIME", "ACTOR", "ACTION", "TAG", "BEFORE", "AFTER", "PROOF", "REASON")
        call.printer.table(header, [_row(event) for event in history.events])
    else:
        call.printer.note(f"no tag moves are known for {history.repository}")
    for note in history.notes:
        call.printer.warning(note)


def _row(event: TagEvent) -> Sequence[Styled]:
    overridden = f"overridden: {'; '.join(event.overridden)}" if event.overridden else ""
    return (
        event.when,
        event.actor,
        event.action,
        event.tag,
        _short(event.before),
        _short(event.after),
        (event.vouched, "" if event.counted else "yellow"),
        "; ".join(filter(None, (event.reason, overridden))),
    )


def _short(digest: str | None) -> str:
    return digest.partition(":")[2][:12] if digest else "none"

"""`kittui timeline`: one value, file or tensor across a repository's versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from kittui.cli import run
from kittui.cli.inspecting import agreed
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.compare.as_json import plain
from kittui.compare.words import value_words
from kittui.oci.traffic import metered
from kittui.terminal import counted
from kittui.usecases.diff.timeline import Following, Moment, Subject, TimelineUseCase


@run.command("timeline")
@click.argument("repository")
@click.argument("subject")
async def command(call: Call, repository: str, subject: str) -> None:
    """Follow one value, file or tensor across all versions of a repository, oldest first.

    SUBJECT is a Kitfile path (model.parameters.learning_rate, datasets[training].path), file:PATH or tensor:FILE:NAME.
    """
    followed = Subject.parse(subject)
    composition = call.composition
    located = await composition.places.locate(repository, default=None)
    call.printer.status(f"reading the versions of {located}")
    case = TimelineUseCase(composition.modelkits.open, composition.inspector(agreed(call)))

    def report(now: Following) -> None:
        call.printer.status(f"{now.done} of {counted(now.total, 'version')} of {located} read")

    with metered() as traffic:
        timeline = await case.follow(located.repository, followed, report)
    document = {
        "repository": located.repository.reference(),
        "subject": subject,
        "versions": [_moment(moment) for moment in timeline.moments],
        "complete": timeline.incomplete is None,
        "traffic": {"requests": traffic.requests, "bytes": traffic.bytes},
    }
    call.printer.result(document, lambda: _print(call, timeline.moments))
    if timeline.incomplete is not None:
        raise timeline.incomplete.at(repository)


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "tags": list(moment.tags),
        "digest": moment.digest or None,
        "created": moment.created,
        "found": moment.found,
        "value": plain(moment.value),
        "changed": moment.changed,
        "maybe": moment.maybe,
        "problem": moment.problem,
    }


def _print(call: Call, moments: Sequence[Moment]) -> None:
    rows: list[Sequence[Styled]] = []
    for moment in moments:
        value = moment.problem or (value_words(moment.value) if moment.found else "not there")
        style = "red" if moment.problem else "yellow" if moment.changed else "dim" if not moment.found else ""
        rows.append(
            (
                ("~" if moment.changed else "!" if moment.problem else "?" if moment.maybe else " ", style),
                ", ".join(moment.tags),
                (moment.digest.short if moment.digest else "", "dim"),
                (moment.created or "", "dim"),
                (value, style),
            )
        )
    call.printer.table(("", "TAGS", "DIGEST", "CREATED", "VALUE"), rows)

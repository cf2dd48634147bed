"""`kittui remove`: untag or delete ModelKits."""

from __future__ import annotations

from typing import Any

import click

from kittui.cli import run
from kittui.cli.moving import answers_of, for_each, one_or_many, warn_unseen
from kittui.cli.removing import removal_document, removal_lines, tags_of_batch
from kittui.cli.run import Call
from kittui.errors import NotFound, UsageError
from kittui.usecases.browse.places import DEFAULT_TAG
from kittui.usecases.change.removal import Mode, RemovePlan, plan_remove
from kittui.usecases.change.removals import without_duplicates
from kittui.usecases.change.remove import apply_remove, finish_removal


@run.command("remove", changes=True)
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@click.option("--delete", is_flag=True, help="Delete the ModelKit with all its tags.")
@click.option("--placeholder", is_flag=True, help="Untag with a placeholder if the registry can't untag.")
@click.option(
    "--referrers", is_flag=True, help="With --delete: also delete the signatures and statements that refer to it."
)
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm removing the protected tag TAG.")
async def command(
    call: Call,
    references: tuple[str, ...],
    delete: bool,
    placeholder: bool,
    referrers: bool,
    reason: str,
    confirm: tuple[str, ...],
) -> int:
    """Untag ModelKits; with --delete, delete them with all their tags. It shows the plan and asks first."""
    if delete and placeholder:
        raise UsageError("--delete and --placeholder exclude each other", hint="Give one of them.")
    if referrers and not delete:
        raise UsageError("--referrers works only with --delete", hint="Add --delete, or leave --referrers out.")
    mode: Mode = "delete" if delete else "placeholder" if placeholder else "untag"
    composition = call.composition

    finished: list[dict[str, Any]] = []

    async def plan(text: str) -> RemovePlan | None:
        located = await composition.places.locate(text, changing=True)
        call.check_write(str(located))
        target = located.target or DEFAULT_TAG
        try:
            return await plan_remove(located.repository, target, mode, referrers=referrers)
        except NotFound:
            if call.options.dry_run:
                raise
            done = await finish_removal(located.repository, target, composition.ledger)
            if done is None:
                raise
            finished.append(done.to_json())
            return None

    planned, status = await for_each(call, references, plan)
    plans = without_duplicates([each for each in planned if each is not None])
    if not plans and not finished:
        return status
    if plans:
        lines = [line for each in plans for line in removal_lines(each)]
        call.preview(lines, *map(removal_document, plans), status=status)
        call.printer.confirm(lines, "Go on?")
    answers = answers_of(call, [tag for each in plans for tag in each.tags], confirm, reason)
    tags = tags_of_batch(composition, plans)
    by_reference = {each.repository.reference(each.tag or each.manifest.digest): each for each in plans}

    async def apply(text: str) -> dict[str, Any]:
        each = by_reference[text]
        done = await apply_remove(each, composition.ledger, composition.policy, answers, tags=tags[each.place])
        return done.to_json()

    done, failed = await for_each(call, list(by_reference), apply) if by_reference else ([], 0)
    done = [*finished, *done]

    def show() -> None:
        for document in done:
            for change in document["changes"]:
                call.printer.line((f"{document['repository']}:{change['tag']}", "bold"), "  removed")
            if delete:
                for digest in document["deleted"]:
                    call.printer.line((f"{document['repository']}@{digest}", "bold"), "  deleted")

    if done:
        call.printer.result(one_or_many(done, len(references)), show)
        warn_unseen(call, [tag for document in done for tag in document["not_visible_yet"]])
    return status or failed

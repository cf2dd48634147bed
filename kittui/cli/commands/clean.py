"""`kittui clean`: delete ModelKits that are old, untagged or at a given stage."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import click

from kittui.cli import run
from kittui.cli.moving import warn_unseen
from kittui.cli.removing import removal_document, removal_lines, tags_of_batch
from kittui.cli.run import Call
from kittui.cli.sources import repositories_of
from kittui.errors import KittuiError, UsageError
from kittui.oci.tag import Tag
from kittui.tasks import note_around
from kittui.terminal import counted
from kittui.trust.documents import read_age
from kittui.usecases.change.clean import CleanRules, Selected
from kittui.usecases.change.plan import Answers, Changed, new_batch
from kittui.usecases.change.removal import RemovePlan
from kittui.usecases.change.removals import Removals, plan_removals
from kittui.usecases.change.remove import apply_remove, finish_removals
from kittui.usecases.change.words import removed_text, undo_text


@run.command("clean", changes=True)
@click.argument("sources", metavar="SOURCE|REPO...", nargs=-1, required=True)
@click.option("--untagged", is_flag=True, help="ModelKits without a tag.")
@click.option("--older-than", "older", metavar="AGE", help="ModelKits created before AGE ago: 12h, 30d, 6w, 1y.")
@click.option("--stage", "stages", multiple=True, metavar="TAG", help="ModelKits at this stage only.")
@click.option("--referrers", is_flag=True, help="Also delete the signatures and statements that refer to them.")
@click.option("--reason", default="", help="The reason, kept in the history.")
async def command(
    call: Call,
    sources: tuple[str, ...],
    untagged: bool,
    older: str | None,
    stages: tuple[str, ...],
    referrers: bool,
    reason: str,
) -> int:
    """Delete ModelKits with all their tags, by age, by stage or if untagged; every given rule must match.

    ModelKits with another stage's tag or one of `protected_tags` stay, and so do undated ones with --older-than. One
    plan shows all deletions and what they free, and asks once. Failures are reported, and the rest is done.
    """
    composition = call.composition
    rules = _rules(untagged, older, stages)
    repositories, problems = await repositories_of(composition, sources)
    for repository in repositories:
        call.check_write(repository.reference())
        if not call.options.dry_run:
            await finish_removals(repository, composition.ledger)
    found = await composition.cleaner().select(
        repositories, rules, lambda what: call.printer.status(f"looking at {what}")
    )
    total = len(found.rows)
    plan = await plan_removals(
        found.rows,
        "delete",
        referrers=referrers,
        on_planned=lambda number: call.printer.status(f"{number} of {total} looked at"),
    )
    failed = [*problems, *found.failed, *(error.at(reference) for reference, error in plan.failed)]
    for error in failed:
        call.printer.warning(f"{error.reference or ''}: {error.message}".removeprefix(": "))
    status = max((error.exit_status for error in failed), default=0)
    if not plan.plans:
        call.preview([f"no {rules.words}", *_stays(found)], {"action": "clean", "stays": found.stays}, status=status)
        call.printer.result(_document([], 0, found, failed), lambda: _nothing(call, rules, found))
        return status
    lines = [line for each in plan.plans for line in removal_lines(each)]
    lines += [*_stays(found), removed_text(plan, done=False)]
    lines += filter(None, [undo_text(plan.plans)])
    call.preview(lines, *map(removal_document, plan.plans), status=status)
    call.printer.confirm(lines, f"Delete {counted(len(plan.plans), 'ModelKit')}?")
    done: list[tuple[RemovePlan, Changed]] = []
    tags = tags_of_batch(composition, plan.plans)
    answers = Answers(reason, asked=call.printer.asked, batch=new_batch())
    for number, each in enumerate(plan.plans):
        call.printer.status(f"deleting {each.repository.reference(each.manifest.digest)}")
        try:
            one = await apply_remove(each, composition.ledger, composition.policy, answers, tags=tags[each.place])
            done.append((each, one))
        except asyncio.CancelledError as stopped:
            before = [one.manifest.digest.short for one, _ in done]
            note_around(stopped, before, [one.manifest.digest.short for one in plan.plans[number + 1 :]])
            raise
        except KittuiError as error:
            failed.append(error.at(each.repository.reference(each.manifest.digest)))
            call.printer.error(failed[-1])
            status = status or error.exit_status
    removed = Removals(tuple(each for each, _ in done))
    changed = [one for _, one in done]

    def show() -> None:
        for one in changed:
            for digest in one.deleted:
                call.printer.line((f"{one.repository.reference()}@{digest}", "bold"), "  deleted")
        call.printer.line(removed_text(removed) if done else "nothing was deleted")

    call.printer.result(_document(changed, removed.freed, found, failed), show)
    warn_unseen(call, [tag for one in changed for tag in one.unseen])
    return status


def _rules(untagged: bool, older: str | None, stages: tuple[str, ...]) -> CleanRules:
    age: timedelta | None = None
    if older is not None:
        age = read_age(older)
        if age is None:
            raise UsageError(f"{older!r} is not an age", hint="Write --older-than 30d: hours (h), days, weeks, years.")
    if not (untagged or older or stages):
        raise UsageError("no rule was given", hint="Give --untagged, --older-than AGE or --stage TAG.")
    if untagged and stages:
        raise UsageError("--untagged and --stage exclude each other", hint="Give --untagged or --stage.")
    return CleanRules(untagged, age, frozenset(map(Tag.parse, stages)))


def _stays(found: Selected) -> list[str]:
    return [f"stays, as {why}: {', '.join(names)}" for why, names in found.stays.items()]


def _nothing(call: Call, rules: CleanRules, found: Selected) -> None:
    call.printer.line(f"no {rules.words}; nothing was deleted")
    for line in _stays(found):
        call.printer.line(line)


def _document(changed: list[Changed], freed: int | None, found: Selected, failed: list[KittuiError]) -> dict[str, Any]:
    return {
        "removed": [one.to_json() for one in changed],
        "freed": freed,
        "stays": found.stays,
        "failed": [{"reference": one.reference, "code": one.code, "message": one.message} for one in failed],
    }

"""What push, pull and copy share: a transfer that is planned, shown, and done with progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from kittui.cli.moving import answers_of, plan_document, warn_unseen
from kittui.cli.progress import reporting
from kittui.cli.run import Call, Planned
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.terminal import counted, size_text
from kittui.transfer.progress import Progress
from kittui.usecases.change.policy import Verdict
from kittui.usecases.change.transfer import Moved, MovePlan, apply_move, plan_move, with_attached
from kittui.usecases.change.words import attached_text, blobs_text, change_lines, verdict_lines

if TYPE_CHECKING:
    from kittui.oci.traffic import Traffic

referrers_option = click.option(
    "--referrers/--no-referrers",
    default=None,
    help="Also copy the signatures, statements and SBOMs that refer to it (the default between registries).",
)


def move_document(plan: MovePlan, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """A transfer as a dry run prints it in JSON: `bytes` counts what has to be transferred."""
    return {
        **plan_document(plan.changes, verdicts),
        "digest": str(plan.manifest.digest),
        "bytes": plan.transfer.missing,
        "blobs": [{"digest": str(blob.descriptor.digest), "way": blob.way} for blob in plan.transfer.blobs],
    }


def move_lines(plan: MovePlan) -> list[str]:
    """What a transfer would move, as text; its first line names the place."""
    overwritten = change_lines([change for change in plan.changes.changes if change.before])
    where = plan.transfer.destination.reference(plan.target)
    lines = [f"{plan.action} to {where}", f"  {blobs_text(plan)}", *(f"  {line}" for line in overwritten)]
    return [*lines, *attached_lines(plan)]


def attached_lines(plan: MovePlan) -> list[str]:
    """What refers to the ModelKit, and whether it is copied too."""
    is_store = plan.transfer.destination.source.traits.is_store
    left = "not copied; kit's store holds ModelKits only" if is_store else "not copied; see --referrers"
    goes = "copied too" if plan.referrers else left
    return [f"  attached to it: {text} ({goes})"] if (text := attached_text(plan)) else []


def note_attached(call: Call, plans: Sequence[MovePlan]) -> None:
    """Warn if the list of what refers to a ModelKit is incomplete or unknown."""
    for plan in plans:
        if plan.attached is None:
            call.printer.note(f"what is attached to {plan.manifest.digest.short} could not be listed")
        elif plan.attached.incomplete is not None:
            call.printer.warning(plan.attached.incomplete.message)


async def plan_carry(
    call: Call,
    action: str,
    origin: tuple[Repository, Target],
    destination: tuple[Repository, Target],
    referrers: bool | None,
) -> MovePlan:
    """Plan a transfer from one (repository, target) to another, and count what is attached to the ModelKit."""
    (source, target), (repository, wanted) = origin, destination
    plan = await plan_move(action, source, target, repository, wanted if isinstance(wanted, Tag) else None)
    plan = await with_attached(plan, referrers)
    note_attached(call, [plan])
    return plan


async def planned_move(call: Call, plan: MovePlan) -> Planned:
    """What a dry run prints about a transfer."""
    verdicts = await call.composition.policy.assess(plan.changes)
    lines = [*move_lines(plan), *(f"  {line}" for line in verdict_lines(verdicts))]
    return Planned(lines, [move_document(plan, verdicts)])


async def carry(
    call: Call,
    action: str,
    origin: tuple[Repository, Target],
    destination: tuple[Repository, Target],
    *,
    reason: str = "",
    confirm: Sequence[str] = (),
    override: str = "",
    referrers: bool | None = None,
) -> Moved:
    """Plan a transfer from one (repository, target) to another, show the plan, and run it with progress.

    Attached manifests are counted, and copied if `referrers` is true, or, if None, between registries.
    """
    composition = call.composition
    (source, target), (repository, _) = origin, destination
    call.check_write(repository.reference())
    plan = await plan_carry(call, action, origin, destination, referrers)
    if call.options.dry_run:
        raise await planned_move(call, plan)
    for line in move_lines(plan):
        call.printer.note(line)
    answers = answers_of(call, plan.changes.overwritten, confirm, reason, override)
    progress = Progress()
    what = f"pull {source.reference(target)}" if action == "pull" else f"{action} to {plan.place}"
    async with reporting(call, progress, what):
        moved = await apply_move(
            plan, composition.ledger, composition.policy, answers, progress, tuning=composition.tuning
        )
    for note in moved.left:
        call.printer.warning(note)
    return moved


def show_moved(call: Call, moved: Moved, traffic: Traffic) -> None:
    """The result of a push or copy."""
    document = moved.to_json()
    document["traffic"] = {"requests": traffic.requests, "bytes": traffic.bytes, "sent": traffic.sent}

    def show() -> None:
        call.printer.line((document["reference"], "bold"), f"  {document['digest']}")
        call.printer.line(
            f"  {counted(traffic.requests, 'request')}, "
            f"{size_text(traffic.bytes)} received, {size_text(traffic.sent)} sent"
        )

    call.printer.result(document, show)
    warn_unseen(call, moved.unseen)

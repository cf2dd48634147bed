"""What the commands that move things share: plans in words, protected tags, progress on stderr, many references."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kittui.cli.run import Call, Planned
from kittui.errors import KittuiError, Refused, UsageError
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import note_around, stop
from kittui.terminal import counted, size_text
from kittui.transfer.progress import Progress
from kittui.usecases.change.plan import Answers, Changed, ChangePlan
from kittui.usecases.change.policy import Verdict
from kittui.usecases.change.transfer import Moved, MovePlan, apply_move, plan_move, with_attached
from kittui.usecases.change.words import (
    attached_text,
    blobs_text,
    change_lines,
    costs_of,
    notes_of,
    nothing_to_do,
    unseen_text,
    verdict_lines,
)

if TYPE_CHECKING:
    from kittui.oci.traffic import Traffic

referrers_option = click.option(
    "--referrers/--no-referrers",
    default=None,
    help="Also copy the signatures, statements and SBOMs that refer to it (the default between registries).",
)

TELL = 0.2
"""Seconds between two updates of the progress."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

Done = TypeVar("Done")


def parse_tag(text: str | None) -> Tag | None:
    """The tag given as an option, if any; raises BadReference."""
    return None if text is None else Tag.parse(text)


async def repository_of(call: Call, text: str, *, changing: bool = True) -> Repository:
    """The repository that a command works on and may change; raises UsageError if a tag was given too."""
    located = await call.composition.places.locate(text, changing=changing, default=None)
    if located.target is not None:
        raise UsageError(
            f"{text} names {located.target}; this works on a whole repository",
            hint="Leave the tag out.",
            reference=text,
        )
    return located.repository


def answers_of(
    call: Call, tags: Collection[str], confirm: Sequence[str], reason: str = "", override: str = "", action: str = ""
) -> Answers:
    """The options' answers to a plan; protected tags without --confirm are asked for."""
    typed = list(confirm)
    for tag in call.composition.policy.guarded(tags, action):
        if tag not in typed and call.printer.asks:
            answer = call.printer.ask(f"{tag} is protected. Type its name to continue: ")
            typed.append(answer.strip())
    return Answers(reason, typed, override, call.printer.asked)


def plan_lines(plan: ChangePlan, verb: str, verdicts: Sequence[Verdict] = ()) -> list[str]:
    """A plan as text, with the policy's refusals and warnings; its first line names the place."""
    lines = [*change_lines(plan.changes, plan.names), *notes_of(plan), *verdict_lines(verdicts), costs_of(plan)]
    return [f"{verb} {plan.place}", *(f"  {line}" for line in lines)]


def plan_document(plan: ChangePlan, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """A plan as a dry run prints it in JSON."""
    return {
        "action": plan.action,
        "repository": plan.repository.reference(),
        "changes": [change.to_json() for change in plan.changes],
        "verdicts": [one.to_json() for one in verdicts],
    }


def move_document(plan: MovePlan, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """A transfer as a dry run prints it in JSON: `bytes` counts what has to be transferred."""
    return {
        **plan_document(plan.changes, verdicts),
        "digest": str(plan.manifest.digest),
        "bytes": plan.transfer.missing,
        "blobs": [{"digest": str(blob.descriptor.digest), "way": blob.way} for blob in plan.transfer.blobs],
    }


def note_unseen(call: Call, tags: Sequence[str]) -> None:
    """Warn about tags that were moved although the registry still shows the old state."""
    if tags:
        call.printer.note(unseen_text(tags))


def show_changed(call: Call, plan: ChangePlan, done: Changed, more: Mapping[str, Any] = NOTHING) -> None:
    """The result of moving tags; `more` joins its JSON."""

    def show() -> None:
        for line in change_lines(done.changes):
            call.printer.line(line)
        if not done.changes:
            call.printer.line(nothing_to_do(plan))

    call.printer.result({**done.to_json(), **more}, show)
    note_unseen(call, done.unseen)


async def agree(
    call: Call,
    plan: ChangePlan,
    verb: str,
    question: str,
    override: str = "",
    more: Sequence[str] = (),
    said: Mapping[str, Any] = NOTHING,
) -> None:
    """Show a plan with the policy's verdict, and ask; empty and refused plans raise no question.

    `more` are further lines of the plan, and `said` what joins its JSON.

    Raises ReadOnly, Refused (by a rule, or because the answer was no) and TerminalNeeded.
    """
    policy = call.composition.policy
    if not plan.changes:
        call.preview([nothing_to_do(plan)], {**plan_document(plan), **said})
        return
    call.check_write(plan.place)
    verdicts = await policy.assess(plan)
    lines = [*plan_lines(plan, verb, verdicts), *more]
    call.preview(lines, {**plan_document(plan, verdicts), **said})
    try:
        policy.stop(verdicts, override, plan.place)
    except Refused:
        for line in lines:
            call.printer.note(line)
        raise
    call.printer.confirm(lines, question)


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
    goes = "taken along" if plan.referrers else left
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
    note_unseen(call, moved.unseen)


@asynccontextmanager
async def reporting(call: Call, progress: Progress, what: str) -> AsyncIterator[None]:
    """Keep a line on stderr up to date while the block runs."""

    async def tell() -> None:
        while True:
            call.printer.status(f"{what}  {progress_text(progress)}")
            await asyncio.sleep(TELL)

    if not call.printer.lively:
        yield
        return
    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        await stop(task)
        call.printer.clear()


def progress_text(progress: Progress) -> str:
    """Percent, bytes, rate and time left; or what it is waiting for."""
    total = progress.total
    percent = 100 * progress.done // total if total else 0
    parts = [f"{percent:3} %", f"{size_text(progress.done)} of {size_text(total)}"]
    if progress.note:
        parts.append(progress.note)
    elif progress.stalled:
        parts.append("stalled")
    elif progress.phase != "moving":
        parts.append(progress.phase)
    else:
        parts.append(f"{size_text(int(progress.rate))}/s")
        if progress.left is not None:
            minutes, seconds = divmod(int(progress.left), 60)
            parts.append(f"{minutes}:{seconds:02} left")
    return "  ".join(parts)


async def for_each(call: Call, texts: Sequence[str], work: Callable[[str], Awaitable[Done]]) -> tuple[list[Done], int]:
    """Do the work for each reference; with several, a failure is reported and the others continue.

    Returns the results and the exit status of the first failure (0 if all succeeded).
    """
    if len(texts) == 1:
        return [await work(texts[0])], 0
    done: list[Done] = []
    planned: list[Planned] = []
    status = 0
    finished: list[str] = []
    for number, text in enumerate(texts):
        try:
            done.append(await work(text))
            finished.append(text)
        except asyncio.CancelledError as stopped:
            note_around(stopped, finished, texts[number + 1 :])
            raise
        except Planned as one:
            planned.append(one)
        except KittuiError as error:
            call.printer.error(error.at(text))
            status = status or error.exit_status
    if planned:
        raise Planned.merged(planned, status)
    return done, status


def one_or_many(documents: Sequence[dict[str, Any]], asked: int) -> Any:
    """The JSON of a command that takes several references: an object for one, a list for several."""
    return documents[0] if asked == 1 else list(documents)

"""What the commands that move things share: plans in words, protected tags, progress on stderr, many references."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kittui.cli.run import Call
from kittui.errors import KittuiError, UsageError
from kittui.oci.protocols import Repository
from kittui.tasks import stop
from kittui.terminal import size_text
from kittui.transfer.progress import Progress
from kittui.usecases.change.tags import ChangePlan, TagChange
from kittui.usecases.change.transfer import Moved, MovePlan, apply_move, plan_move

if TYPE_CHECKING:
    from kittui.oci.traffic import Traffic

TELL = 0.2
"""Seconds between two looks at the progress."""

Done = TypeVar("Done")


async def repository_of(call: Call, text: str) -> Repository:
    """The repository that a command changes; raises UsageError where a tag was named too."""
    located = await call.composition.places.locate(text, changing=True, default=None)
    if located.target is not None:
        raise UsageError(
            f"{text} names {located.target}; this works on a whole repository",
            hint="Leave the tag out.",
            reference=text,
        )
    return located.repository


def typed_names(call: Call, tags: Collection[str], given: Sequence[str]) -> list[str]:
    """Protected tags whose names were given with --confirm, or are typed now on a terminal."""
    typed = list(given)
    for tag in call.composition.rules.guarded(tags):
        if tag not in typed and call.printer.asks:
            answer = call.printer.ask(f"{tag} is protected. Type its name to go on: ")
            typed.append(answer.strip())
    return typed


def change_lines(changes: Sequence[TagChange], names: dict[str, tuple[str, ...]] | None = None) -> list[str]:
    """One line for each tag: `rollback: 2304e6a01e6c (v0.9.0) -> 9f21a6b64d06 (v1.0.0)`."""

    def shown(change: TagChange, side: str) -> str:
        manifest = change.before if side == "before" else change.after
        if manifest is None:
            return "none"
        others = [name for name in (names or {}).get(manifest.digest, ()) if name != change.tag]
        return f"{manifest.digest.short} ({others[-1]})" if others else manifest.digest.short

    return [f"  {change.tag}: {shown(change, 'before')} -> {shown(change, 'after')}" for change in changes]


def plan_lines(plan: ChangePlan, verb: str) -> list[str]:
    """A plan in words; its first line names the place."""
    lines = [f"{verb} {plan.place}", *change_lines(plan.changes, {str(k): v for k, v in plan.names.items()})]
    lines += [f"  {note}" for note in plan.notes]
    lines += [f"  {digest.short} loses its last tag; its manifest is kept for undo" for digest in plan.orphans]
    if plan.unread:
        lines.append(f"  whether another tag stays on it is not known: {plan.unread} tags were not looked at")
    lines.append(f"  {plan.requests} requests, {size_text(plan.size)}; nothing is copied or deleted")
    return lines


def move_lines(plan: MovePlan) -> list[str]:
    """What a transfer would move, in words; its first line names the place."""
    transfer = plan.transfer
    ways = [blob.way for blob in transfer.blobs]
    parts = [f"{ways.count('copy')} blobs to move ({size_text(transfer.missing)})"]
    if "mount" in ways:
        parts.append(f"{ways.count('mount')} to take over")
    if "present" in ways:
        parts.append(f"{ways.count('present')} there already")
    return [
        f"{plan.action} to {transfer.destination.reference(plan.target)}",
        f"  {', '.join(parts)}",
        *change_lines([change for change in plan.changes.changes if change.before]),
    ]


async def carry(
    call: Call,
    action: str,
    origin: tuple[Repository, str],
    destination: tuple[Repository, str],
    *,
    reason: str = "",
    confirm: Sequence[str] = (),
) -> Moved:
    """Plan a transfer from one (repository, target) to another, say what it would move, and do it with progress."""
    composition = call.composition
    (source, target), (repository, wanted) = origin, destination
    composition.rules.check_write(repository.reference())
    plan = await plan_move(action, source, target, repository, None if ":" in wanted else wanted)
    for line in move_lines(plan):
        call.printer.note(line)
    typed = typed_names(call, plan.changes.overwritten, confirm)
    progress = Progress()
    what = f"pull {source.reference(target)}" if action == "pull" else f"{action} to {plan.place}"
    async with reporting(call, progress, what):
        return await apply_move(
            plan,
            composition.ledger,
            composition.rules,
            progress,
            tuning=call.composition.tuning,
            reason=reason,
            typed=typed,
        )


def show_moved(call: Call, moved: Moved, traffic: Traffic) -> None:
    """The result of a push or copy."""
    document = moved.to_json()
    document["traffic"] = {"requests": traffic.requests, "bytes": traffic.bytes, "sent": traffic.sent}

    def show() -> None:
        call.printer.line((document["reference"], "bold"), f"  {document['digest']}")
        call.printer.line(
            f"  {traffic.requests} requests, {size_text(traffic.bytes)} received, {size_text(traffic.sent)} sent"
        )

    call.printer.result(document, show)


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
    """Percent, bytes, rate and time left; or what it waits for."""
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
    """Do the work for each reference; where there are several, one that fails is said and the others go on.

    Returns what was done and the exit status of the first failure, 0 without one.
    """
    if len(texts) == 1:
        return [await work(texts[0])], 0
    done: list[Done] = []
    status = 0
    for text in texts:
        try:
            done.append(await work(text))
        except KittuiError as error:
            call.printer.error(error.at(text))
            status = status or error.exit_status
    return done, status


def one_or_many(documents: Sequence[dict[str, Any]], asked: int) -> Any:
    """The JSON of a command that takes several references: an object for one, a list for several."""
    return documents[0] if asked == 1 else list(documents)

"""Plans in words: digests with the tags they are known by, sizes, times left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from kittui.terminal import clean, size_text
from kittui.tui.dialogs.plan import Change

if TYPE_CHECKING:
    from kittui.oci.digest import Digest
    from kittui.transfer.progress import Progress
    from kittui.usecases.change.tags import ChangePlan


def changes_of(plan: ChangePlan) -> list[Change]:
    """The rows of a plan: tag, before, after; a digest is followed by another tag that is on it."""

    def named(digest: Digest | None, own: str) -> str | None:
        if digest is None:
            return None
        others = [name for name in plan.names.get(digest, ()) if name != own]
        return f"{digest.short} ({others[-1]})" if others else digest.short

    return [
        Change(
            change.tag,
            named(change.before.digest if change.before else None, change.tag),
            named(change.after.digest if change.after else None, change.tag),
        )
        for change in plan.changes
    ]


def notes_of(plan: ChangePlan) -> list[str]:
    """What else there is to know before saying yes."""
    notes = [clean(note) for note in plan.notes]
    notes += [f"{digest.short} loses its last tag; its manifest is kept for undo" for digest in plan.orphans]
    if plan.unread:
        notes.append(f"Whether another tag stays on it is not known: {plan.unread} tags were not looked at.")
    return notes


def costs_of(plan: ChangePlan) -> str:
    """What applying it takes."""
    sent = f", {size_text(plan.size)}" if plan.size else ""
    return f"{plan.requests} requests{sent}. Nothing is copied or deleted."


def moment_text(written: str) -> str:
    """A time of the journal on the user's clock: `07:15` today, `21 Nov 07:15` before."""
    try:
        moment = datetime.fromisoformat(written).astimezone()
    except ValueError:
        return clean(written)
    today = datetime.now(moment.tzinfo).date() == moment.date()
    return moment.strftime("%H:%M") if today else moment.strftime("%d %b %H:%M")


def done_text(plan: ChangePlan) -> str:
    """What was done, in one line."""
    moved = ", ".join(
        f"{change.tag} → {change.after.digest.short}" if change.after else f"{change.tag} removed"
        for change in plan.changes
    )
    return moved or "Nothing to do: it is so already."


def time_text(seconds: float | None) -> str:
    """Seconds as `1:12` or `2:03:10`; unknown is empty."""
    if seconds is None or seconds > 360_000:
        return ""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def left_text(seconds: float | None) -> str:
    """`1:12 left`; nothing where it is not known."""
    return f"{text} left" if (text := time_text(seconds)) else ""


def progress_text(progress: Progress) -> str:
    """Bytes, rate and time left of a transfer, or what it does besides moving bytes."""
    parts = [f"{size_text(progress.done)} of {size_text(progress.total)}"]
    if progress.phase not in ("moving", "planning"):
        parts.append(progress.phase)
    elif progress.rate:
        parts += [f"{size_text(int(progress.rate))}/s", left_text(progress.left)]
    return "  ".join(filter(None, parts))


def listed(names: Sequence[str], limit: int = 4) -> str:
    """Names in a sentence, cleaned; the rest counted."""
    shown = ", ".join(clean(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown

"""Plans as text: digests with their tags, sizes, times left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from kittui.terminal import clean, counted, size_text
from kittui.tui.dialogs.plan import Change
from kittui.tui.frame.ways import with_keys
from kittui.usecases.change import words
from kittui.usecases.change.words import moved_tags

if TYPE_CHECKING:
    from kittui.transfer.progress import Progress
    from kittui.tui.frame.keymap import KeyNames
    from kittui.usecases.change.plan import ChangePlan
    from kittui.usecases.change.transfer import MovePlan


def changes_of(plan: ChangePlan) -> list[Change]:
    """The rows of a plan: tag, before, after."""
    return [Change(*row) for row in moved_tags(plan.changes, plan.names)]


def notes_of(plan: ChangePlan, keys: KeyNames) -> list[str]:
    """Remarks to show before confirming, cleaned."""
    return [clean(with_keys(note, keys)) for note in words.notes_of(plan)]


def attached_notes(plans: Sequence[MovePlan]) -> list[str]:
    """What refers to the transferred ModelKits, in total, and whether it is copied too."""
    notes = []
    for goes in (True, False):
        text = words.attached_text(*(plan for plan in plans if plan.referrers == goes))
        if text:
            to = "it" if len(plans) == 1 else "them"
            notes.append(clean(f"Attached to {to}: {text} ({'copied too' if goes else 'not copied'})."))
    return notes


def moment_text(written: str) -> str:
    """A journal time in local time: `07:15` today, `21 Nov 07:15` before."""
    try:
        moment = datetime.fromisoformat(written).astimezone()
    except ValueError:
        return clean(written)
    today = datetime.now(moment.tzinfo).date() == moment.date()
    return moment.strftime("%H:%M") if today else moment.strftime("%d %b %H:%M")


def time_text(seconds: float | None) -> str:
    """Seconds as `1:12` or `2:03:10`; unknown is empty."""
    if seconds is None or seconds > 360_000:
        return ""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def left_text(seconds: float | None) -> str:
    """`1:12 left`; empty if unknown."""
    return f"{text} left" if (text := time_text(seconds)) else ""


def progress_text(progress: Progress) -> str:
    """Bytes, rate and time left of a transfer, or what else it is doing."""
    parts = [f"{size_text(progress.done)} of {size_text(progress.total)}"]
    if progress.phase not in ("moving", "planning"):
        parts.append(progress.phase)
    elif progress.rate:
        parts += [f"{size_text(int(progress.rate))}/s", left_text(progress.left)]
    return "  ".join(filter(None, parts))


def listed(names: Sequence[str], limit: int = 4) -> str:
    """Names as a list in a sentence, cleaned; the rest is counted."""
    shown = ", ".join(clean(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def few(changes: Sequence[Change], noun: str, limit: int = 8) -> tuple[list[Change], list[str]]:
    """As many rows as fit into a dialog, and a note with the number of the rest."""
    rest = len(changes) - limit
    return list(changes[:limit]), [f"and {counted(rest, f'more {noun}')}"] if rest > 0 else []

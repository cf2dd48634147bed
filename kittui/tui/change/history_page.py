"""The history as lines: who moved which tag of this repository, when, from what to what, and the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kittui.oci.tag import Tag
from kittui.terminal import clean
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Selection
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line, Page

if TYPE_CHECKING:
    from kittui.usecases.trust.chain import TagEvent
    from kittui.usecases.trust.held import Held
    from kittui.usecases.trust.history import MergedHistory

CERTAINTY: Final = {
    "certain": ("✓", "good"),
    "recorded": ("·", "muted"),
    "uncertain": ("?", "warn"),
    "unknown": ("?", "bad"),
}


async def load_history(ports: Ports, selection: Selection) -> Page:
    """Load the moves of the tag under the cursor, else of the repository, from this machine and the registry."""
    repository = selection.repository
    if repository is None:
        return Page((((("The history is turned off."), "muted"),),))
    tag = tag_of(selection)
    *_, history = [known async for known in ports.trust.history(repository, tag)]
    lines: list[Line] = [line for event in history.events for line in event_lines(event)]
    if not lines:
        lines += nothing(tag or repository.name)
    return Page(lines + notes(history))


def tag_of(selection: Selection) -> Tag | None:
    """The tag under the cursor; None on a repository or an untagged manifest."""
    return selection.target if isinstance(selection.target, Tag) else None


def nothing(about: str) -> list[Line]:
    """The page for something without known moves."""
    return [
        ((f"Neither this machine nor the registry knows a move of {clean(about)}.", "muted"),),
        (("Promote, retag, push, pull and remove are recorded here.", "faint"),),
    ]


def notes(history: MergedHistory) -> list[Line]:
    """Notes about what is missing or was left out."""
    return [((f"▲ {clean(note)}", "warn"),) for note in history.notes]


def short(digest: str | None, names: Mapping[str, str] = {}) -> str:
    """A shortened digest with its tag, if known."""
    if digest is None:
        return "none"
    name = names.get(digest)
    return digest.partition(":")[2][:12] + (f" ({clean(name)})" if name else "")


def proof_spans(event: TagEvent) -> tuple[str, str]:
    """The proof of a move, and its role."""
    if event.source == "none":
        return "no record", "warn"
    return clean(event.vouched), "good" if event.proof == "verified" else "muted" if event.counted else "bad"


def event_lines(event: TagEvent) -> list[Line]:
    """A move as two lines."""
    action = f"{clean(event.action):<9}"
    vouched, role = proof_spans(event)
    who = ": ".join(filter(None, (clean(event.actor), clean(event.reason))))
    lines: list[Line] = [
        (
            (clean(event.when), "muted"),
            (f"  {action}", "warn" if event.source == "none" else "accent"),
            (f" {clean(event.tag)}  ", "text+bold"),
            (short(event.before), "muted"),
            (" → ", "accent"),
            (short(event.after), "text" if event.after else "bad"),
        ),
        ((f"    {who}  " if who else "    ", "faint"), (vouched, role)),
    ]
    lines += [((f"    overridden: {clean(gate)}", "warn"),) for gate in event.overridden]
    return lines


def move_cells(event: TagEvent) -> Sequence[Spans]:
    """A move as a row."""
    time = clean(event.time[:16].replace("T", " "))
    outside = event.source == "none"
    vouched, role = proof_spans(event)
    who = ": ".join(filter(None, (clean(event.actor, limit=60), clean(event.reason, limit=200))))
    return (
        ((f"≤ {time}" if outside else f"  {time}", "muted"),),
        (("outside" if outside else clean(event.action, limit=20), "warn" if outside else "accent"),),
        ((clean(event.tag, limit=128), "text+bold" if event.counted else "faint"),),
        ((short(event.before), "muted"),),
        ((short(event.after), "text" if event.after else "bad"),),
        ((vouched, role),),
        ((who, "text"),),
    )


def move_lines(event: TagEvent, names: Mapping[str, str]) -> list[Line]:
    """A move in full; `names` are tags that digests are known by."""
    vouched, role = proof_spans(event)
    lines: list[Line] = [
        (
            (f"{clean(event.action)} ", "accent"),
            (f"{clean(event.tag)}  ", "text+bold"),
            (clean(event.when), "muted"),
        ),
        ((f"{short(event.before, names)} → {short(event.after, names)}", "text"),),
    ]
    by = [(clean(event.actor), "text"), ("  ", "text"), (vouched, role)]
    lines.append(tuple(by) if event.actor else ((vouched, role),))
    if not event.counted:
        lines.append((("Unproven, and inconsistent with the proven moves.", "warn"),))
    lines += [((clean(event.reason), "muted"),)] if event.reason else []
    lines += [((f"overridden: {clean(gate)}", "warn"),) for gate in event.overridden]
    return [*lines, ""]


def held_line(held: Held, names: Mapping[str, str]) -> Line:
    """What a tag pointed to at a time, and how certain that is."""
    mark, role = CERTAINTY[held.certainty]
    return (
        (f"{mark} ", role),
        (f"{clean(held.tag):<11} ", "text+bold"),
        (f"{short(held.digest, names)}  ", "text"),
        (f"{held.certainty}: {clean(held.why)}", "muted"),
    )

"""Arranges the moves of one tag as a chain: in the order they happened, with moves that must have happened between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Literal

from kittui.trust.documents import parse_time
from kittui.usecases.trust.words import status_text

CLOSE: Final = timedelta(minutes=5)
"""Moves this close to each other may have happened in a different order than two machines' clocks say."""

STEPS: Final = 50
"""Maximum moves searched backwards for one that crossed: differing clocks don't explain more in so short a time."""
_parsed: Final = lru_cache(1 << 12)(parse_time)

Source = Literal["local", "registry", "both", "none"]


@dataclass(frozen=True, slots=True)
class TagEvent:
    """A move of a tag, with everything known about it.

    `source` says where it is recorded, `proof` what its record in the registry proves (a signature's status, or `dated
    in the future`; empty if there is none), `signer` who vouches for it. With the source `none`, somebody moved the tag
    outside kittui, between `since` and `time`. A move that is not `counted` proves nothing and fits nowhere between
    certain ones. `record` is the digest of its record's manifest.
    """

    time: str
    actor: str
    action: str
    tag: str
    before: str | None
    after: str | None
    reason: str = ""
    overridden: tuple[str, ...] = ()
    id: str = ""
    source: Source = "local"
    proof: str = ""
    signer: str = ""
    since: str = ""
    counted: bool = True
    record: str = ""

    @property
    def when(self) -> str:
        """The time, or the period in which somebody moved the tag outside kittui."""
        return f"{self.since} .. {self.time}" if self.since else self.time

    @property
    def vouched(self) -> str:
        """The evidence: a record and what it proves, or only this machine; nothing for a move outside kittui."""
        if self.proof:
            word = status_text(self.proof)
            return f"{word} ({self.signer})" if self.signer else word
        return "this machine" if self.source == "local" else ""

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "time": self.time or None,
            "actor": self.actor,
            "action": self.action,
            "tag": self.tag,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "overridden": list(self.overridden),
            "source": self.source,
            "proof": self.proof,
            "signer": self.signer,
            "since": self.since or None,
            "counted": self.counted,
        }


def counts(event: TagEvent) -> bool:
    """Whether a move is certain: this machine made it, or a trusted key vouches for it."""
    return event.source in ("local", "both") or event.proof == "verified"


def in_order(events: Iterable[TagEvent], *end: str | None) -> list[TagEvent]:
    """Sort moves, oldest first; those close to each other are ordered so that they fit, also to the tag's `end`."""
    # For several in one second, the beginnings of their ids are finer.
    found = sorted(events, key=lambda event: (event.time, event.id))
    for at in range(len(found) - 1):
        first, second = found[at], found[at + 1]
        fits = first.after == second.before
        if not fits and second.after == first.before and _apart(first.time, second.time) < CLOSE:
            found[at], found[at + 1] = second, first
    for at in range(2, len(found) + 1):
        follows = (found[at].before,) if at < len(found) else end
        if follows and found[at - 1].after != follows[0]:
            _put_last(found, at, follows[0])
    return found


def _put_last(found: list[TagEvent], end: int, wanted: str | None) -> None:
    """Of moves that crossed, put the one last that leads to what follows: it was made last."""
    for at in range(end - 2, max(-1, end - 2 - STEPS), -1):
        event = found[at]
        if event.after == wanted and any(other.before == event.before for other in found[at + 1 : end]):
            if _apart(event.time, found[end - 1].time) < CLOSE:
                found.insert(end - 1, found.pop(at))
            return


def _apart(one: str, other: str) -> timedelta:
    first, second = _parsed(one), _parsed(other)
    return abs(second - first) if first is not None and second is not None else timedelta.max


def chained(
    events: Sequence[TagEvent], tag: str, end: tuple[str, str | None] | None, *, bridged: bool
) -> tuple[list[TagEvent], list[str]]:
    """Arrange the moves of one tag in a chain, with moves that must have happened between.

    Also return sentences on moves that crossed. `end` is the current time and digest of the tag, if known. This
    machine's moves and those that trusted keys vouch for are certain. If no keys are trusted at all (`bridged`), a
    record that proves nothing joins the chain if it leads from one of those to the next. Others are shown beside it.
    """
    certain = in_order((event for event in events if counts(event)), *((end[1],) if end else ()))
    doubtful = (event for event in events if not counts(event) and event.proof != "dated in the future")
    others = in_order(doubtful) if bridged else []
    by_time = sorted((event.time, at) for at, event in enumerate(others))
    ends: list[tuple[str, str | None]] = [(event.time, event.before) for event in certain]
    ends += [end] if end else []
    chain: list[TagEvent] = []
    notes: list[str] = []
    last: tuple[str, str | None] | None = None
    for number, (time, wanted) in enumerate(ends):
        since = bisect_left(by_time, (last[0], 0)) if last else 0
        until = bisect_right(by_time, (time, len(others)))
        between = [others[at] for at in sorted(at for _, at in by_time[since:until])]
        bridge = _bridge(between, last[1] if last else (between[0].before if between else wanted), wanted)
        if bridge is None and last is not None:
            crossed = _crossed(certain, number, wanted)
            if crossed is None:
                chain.append(_outside(tag, last[1], wanted, last[0], time))
            else:
                notes.append(_crossing(tag, crossed, certain[number]))
        chain += bridge or ()
        if number < len(certain):
            chain.append(certain[number])
            last = (certain[number].time, certain[number].after)
    joined = {event.id for event in chain}
    return chain + [replace(event, counted=False) for event in events if event.id not in joined], notes


def _crossed(certain: Sequence[TagEvent], number: int, wanted: str | None) -> TagEvent | None:
    """Find the move that a later one may not have seen: just before it, the tag was where the later one found it."""
    if number >= len(certain):
        return None
    for event in reversed(certain[max(0, number - STEPS) : number]):
        if _apart(event.time, certain[number].time) >= CLOSE:
            return None
        if event.before == wanted:
            return event
    return None


def _crossing(tag: str, first: TagEvent, second: TagEvent) -> str:
    """A sentence on two moves from the same digest: no registry says which of them saw the other."""
    return (
        f"{tag}: {_who(first)} at {first.time} and {_who(second)} at {second.time} both moved it from "
        f"{_short(first.before)}, to {_short(first.after)} and to {_short(second.after)}: at the same time, or it was "
        "moved back in between"
    )


def _who(event: TagEvent) -> str:
    return f"{event.actor} ({event.signer})" if event.signer else event.actor


def _short(digest: str | None) -> str:
    return digest.partition(":")[2][:12] if digest else "none"


def _bridge(between: Sequence[TagEvent], start: str | None, end: str | None) -> list[TagEvent] | None:
    """Find the moves from one digest to another, none if they are the same; None if nothing leads there."""
    at, steps = start, list[TagEvent]()
    for event in between:
        if at == end and not steps:
            break
        if event.before == at:
            steps.append(event)
            at = event.after
    return steps if at == end else None


def _outside(tag: str, before: str | None, after: str | None, since: str, until: str) -> TagEvent:
    return TagEvent(until, "", "moved outside kittui", tag, before, after, source="none", since=since)

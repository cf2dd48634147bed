"""What a tag pointed to at a time, from the moves that are known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kittui.trust.documents import write_time
from kittui.usecases.trust.chain import counts
from kittui.usecases.trust.history import MergedHistory
from kittui.usecases.trust.words import status_text


@dataclass(frozen=True, slots=True)
class Held:
    """What a tag pointed to at a time, and how certain that is."""

    tag: str
    at: str
    digest: str | None
    certainty: Literal["certain", "recorded", "uncertain", "unknown"]
    why: str

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "tag": self.tag,
            "at": self.at,
            "digest": self.digest,
            "certainty": self.certainty,
            "why": self.why,
        }


def held_at(history: MergedHistory, tag: str, moment: datetime) -> Held:
    """What a tag pointed to at a time, from the moves that are known.

    `certain`: this machine or a trusted key says so. `recorded`: only a record says so that proves nothing.
    `uncertain`: somebody moved the tag outside kittui around that time. `unknown`: nothing is known of that time.
    """
    at = write_time(moment)
    # In their own order: by the clocks alone, of two moves that crossed the wrong one might be the last.
    events = [event for event in reversed(history.events) if event.tag == tag and event.counted]
    past = [event for event in events if event.time <= at]
    gap = next((event for event in events if event.source == "none" and event.since <= at < event.time), None)
    if gap is not None:
        why = f"it was moved outside kittui between {gap.since} and {gap.time}, from {gap.before} to {gap.after}"
        return Held(tag, at, gap.before, "uncertain", why)
    if past:
        last = past[-1]
        if counts(last) or last.source == "none":
            by = f"{last.actor} moved it at {last.time}" if last.actor else f"it pointed there at {last.time}"
            return Held(tag, at, last.after, "certain", by + (f", as {last.signer} vouches" if last.signer else ""))
        why = f"only a record of {last.time} says so ({status_text(last.proof)})"
        return Held(tag, at, last.after, "recorded", why)
    if events:
        first = events[0]
        why = f"the first move that is known of, at {first.time}, found it there"
        return Held(tag, at, first.before, "recorded" if counts(first) else "unknown", why)
    return Held(tag, at, None, "unknown", "no move of it is known")

"""A person's review of a comparison: ticks, notes, a verdict. Stored for two digests, and part of reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from kittui.compare.comparison import Comparison
from kittui.compare.outline import Entry, outline
from kittui.terminal import counted

Verdict = Literal["", "approved", "rejected"]
VERDICTS: Final[tuple[Verdict, ...]] = ("", "approved", "rejected")
NOTE_LIMIT: Final = 4_000
"""Maximum characters of one note."""
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Review:
    """`seen` and the keys of `notes` are keys of the comparison's entries.

    `changes` is how many there are and `left` how many of them are not ticked; None before the comparison was read to
    its end.
    """

    seen: frozenset[str] = frozenset()
    notes: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict = ""
    changes: int = 0
    left: int | None = None

    def ticked(self, *keys: str) -> Review:
        """Tick changes; if all of them were ticked, untick them."""
        wanted = frozenset(keys)
        return replace(self, seen=self.seen - wanted if wanted <= self.seen else self.seen | wanted)

    def noted(self, key: str, note: str) -> Review:
        """Add a note to a change; an empty one removes it."""
        notes = {name: text for name, text in self.notes.items() if name != key}
        note = note.strip()[:NOTE_LIMIT]
        return replace(self, notes={**notes, key: note} if note else notes)

    def counted(self, keys: frozenset[str] | None) -> Review:
        """Update how many of a comparison's changes are left (see `keys_of`)."""
        if keys is None:
            return replace(self, changes=0, left=None)
        return replace(self, changes=len(keys), left=len(keys - self.seen))

    @property
    def whole(self) -> bool:
        """Whether every change was ticked, and the verdict is not a rejection."""
        return self.left == 0 and self.verdict != "rejected"

    @property
    def words(self) -> str:
        """The verdict, how much was seen, and the number of notes."""
        of = "" if self.left is None else f"{self.changes - self.left:,} of "
        count = self.changes if self.left is not None else len(self.seen)
        words = f"{self.verdict or 'no verdict'}, {of}{counted(count, 'change')} seen"
        return words + (f", {counted(len(self.notes), 'note')}" if self.notes else "")

    @property
    def empty(self) -> bool:
        """Whether nobody has reviewed anything yet."""
        return not (self.seen or self.notes or self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Convert to the stored JSON."""
        return {
            "seen": sorted(self.seen),
            "notes": dict(self.notes),
            "verdict": self.verdict,
            "changes": self.changes,
            "left": self.left,
        }

    @classmethod
    def from_json(cls, document: Any) -> Review:
        """Read stored JSON; invalid parts are left out."""
        if not isinstance(document, dict):
            return cls()
        seen, notes, verdict = document.get("seen"), document.get("notes"), document.get("verdict")
        changes, left = document.get("changes"), document.get("left")
        return cls(
            frozenset(one for one in seen[:_MOST] if isinstance(one, str)) if isinstance(seen, list) else frozenset(),
            {
                str(key): note[:NOTE_LIMIT] for key, note in list(notes.items())[:_MOST] if isinstance(note, str)
            } if isinstance(notes, dict) else {},
            verdict if verdict in VERDICTS else "",
            changes if type(changes) is int else 0,
            left if type(left) is int else None,
        )  # fmt: skip


def keys_of(comparison: Comparison) -> frozenset[str] | None:
    """The keys of all changes; None until the comparison is complete. Slow if there are many."""
    return frozenset(entry.key for entry in changes_of(comparison)) if comparison.complete else None


def changes_of(comparison: Comparison) -> list[Entry]:
    """The changes to review: those without more specific changes below them."""

    def below(entry: Entry) -> Iterator[Entry]:
        inside = [found for child in entry.children for found in below(child)]
        own = entry.part not in ("heading", "module") and entry.status not in (None, "same")
        if own and (not inside or entry.text is not None):
            yield entry
        yield from inside

    return [found for entry in outline(comparison) for found in below(entry)]


def review_words(comparison: Comparison, review: Review) -> tuple[str, list[tuple[str, str]]]:
    """The verdict with how much was seen, and each note with its subject."""
    changes = changes_of(comparison)
    seen = sum(entry.key in review.seen for entry in changes)
    verdict = f"{review.verdict.capitalize()}. " if review.verdict else "No verdict yet. "
    titles = {entry.key: entry.title for entry in changes}
    notes = [(titles.get(key, key), note) for key, note in review.notes.items()]
    return f"{verdict}{seen} of {len(changes)} changes seen.", notes

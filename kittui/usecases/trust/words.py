"""Words the verdict on a ModelKit's signatures. Lists use it, so this imports no code that checks signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from kittui.compare.review import Review

Word = Literal["valid", "INVALID", "unknown key", "not verified", "unsigned"]

NOT_ASKED: Final = "not checked"


def status_text(status: str) -> str:
    """The word for the verdict on one signature, the same as for a ModelKit's signatures together."""
    words = {"verified": "valid", "invalid": "INVALID", "signed by another key": "unknown key"}
    return words.get(status, status)


def left_text(review: Review, tag: str) -> str:
    """Why a review of the changes against what a tag holds is incomplete; empty if complete or not begun."""
    if review.empty or review.whole:
        return ""
    if review.left is None:
        return f"the comparison with the present {tag} was not read to its end here"
    if review.left:
        return f"{review.left} of {review.changes} changes against the present {tag} are not ticked here"
    return "the review here rejects it"


def review_lines(review: Review, compare: str) -> list[str]:
    """This machine's review of two ModelKits with its notes; where there is none, the command to `compare` them."""
    if review.empty:
        return [f"not reviewed by you; to compare the two: {compare}"]
    notes = (f"  note on {key}: {note}" for key, note in review.notes.items())
    return [f"you reviewed these two: {review.words}", *notes]


def signed_text(word: Word | None, signers: Sequence[str] = ()) -> str:
    """The word, with the owners of the keys that verified; None if no check was requested."""
    if word is None:
        return NOT_ASKED
    return f"{word} ({', '.join(signers)})" if signers else word

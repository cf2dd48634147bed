"""What is said of a ModelKit's signatures in one word. Lists draw it, so nothing that checks them is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from kittui.compare.review import Review

Word = Literal["valid", "INVALID", "unknown key", "not verified", "unsigned"]

NOT_ASKED: Final = "not checked"


def status_text(status: str) -> str:
    """The word for what came of checking one signature, as it is said of a ModelKit's signatures together."""
    words = {"verified": "valid", "invalid": "INVALID", "signed by another key": "unknown key"}
    return words.get(status, status)


def left_text(review: Review, tag: str) -> str:
    """Why a review of the changes against what a tag holds is not whole; empty where it is, or nobody began one."""
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
    """The word, with whose keys hold; None is what nobody asked for."""
    if word is None:
        return NOT_ASKED
    return f"{word} ({', '.join(signers)})" if signers else word

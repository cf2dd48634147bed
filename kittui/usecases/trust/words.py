"""What is said of a ModelKit's signatures in one word. Lists draw it, so nothing that checks them is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

Word = Literal["valid", "INVALID", "unknown key", "not verified", "unsigned"]

NOT_ASKED: Final = "not checked"


def signed_text(word: Word | None, signers: Sequence[str] = ()) -> str:
    """The word, with whose keys hold; None is what nobody asked for."""
    if word is None:
        return NOT_ASKED
    return f"{word} ({', '.join(signers)})" if signers else word

"""Draws the verdict on a ModelKit's signatures, the same in every list and pane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kittui.terminal import clean
from kittui.tui.widgets.cutting import Span
from kittui.usecases.trust.words import Word, signed_text

if TYPE_CHECKING:
    from kittui.usecases.trust.verify import Verification

ROLES: Final[Mapping[Word, str]] = {
    "valid": "good",
    "INVALID": "bad",
    "unknown key": "warn",
    "not verified": "warn",
    "unsigned": "muted",
}


def word_spans(checked: Verification | None) -> Span:
    """The verdict with the keys' owners, and its role; None means that no check was requested."""
    if checked is None:
        return signed_text(None), "faint"
    return clean(signed_text(checked.word, checked.signers)), ROLES[checked.word]

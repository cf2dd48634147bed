"""A ModelKit's signatures in one word, as every list and pane draws it."""

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
    """The word, with whose keys hold, and its role; None is what nobody asked for."""
    if checked is None:
        return signed_text(None), "faint"
    return clean(signed_text(checked.word, checked.signers)), ROLES[checked.word]

"""A message as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Said:
    """A message: when and where it was said, how grave it is, and its words with their hint. Texts are clean."""

    at: datetime
    place: str
    severity: str
    title: str
    text: str

"""A command's progress, for the header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class HowFar:
    """How far a command is, in words: `34 of 300 read`; empty if it does not say."""

    words: str = ""

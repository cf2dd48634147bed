"""Lifecycle stages in printed lists."""

from __future__ import annotations

import os
import sys
from typing import Final

from kittui.cli.terminals import shows_utf8
from kittui.config import Config
from kittui.modelkit.stages import Colour, stage_of

_STYLES: Final[dict[Colour, str]] = {
    "accent": "blue",
    "good": "bold green",
    "warn": "yellow",
    "bad": "red",
    "special": "magenta",
    "muted": "dim",
}


def staged(tag: str | None, config: Config) -> tuple[str, str]:
    """The mark and the style of a tag that is a lifecycle stage; empty for any other tag."""
    stage = stage_of(tag, config.stages) if tag is not None else None
    if stage is None:
        return "", ""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    plain = config.ascii or not encoding.startswith("utf") or not shows_utf8(os.environ)
    return stage.shown(ascii_marks=plain), _STYLES[stage.colour]

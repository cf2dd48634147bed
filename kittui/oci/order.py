"""Sorts names in natural order, with numbers by value, and recognizes versions."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"\d+")
_EARLY = re.compile(
    r"(?<=\d)[-._~]?(dev|snapshot|nightly|alpha|a|beta|b|preview|pre|milestone|m|rc|c)(?=[-._~+]|\d|\Z)[-._~]?"
)
_RANKS = {"dev": 0, "snapshot": 0, "nightly": 0, "alpha": 1, "a": 1, "beta": 2, "b": 2, "rc": 4, "c": 4}
_VERSION = re.compile(r"v\d|\d+\.\d|(?:\d{1,6}|(?:19|20)\d{6,})(?:[-+._~]|\Z)")
"""`v2`, `1.0rc1`, `7`, `2026-11-02`, `20261102`; not the abbreviated digest of a commit, such as `9ab31f0`."""


def is_version(name: str) -> bool:
    """Whether a tag's name looks like a version: a number or a date, but not a commit."""
    return _VERSION.match(name.casefold()) is not None


def natural_key(name: str) -> str:
    """A key that sorts v1.10.0 after v1.9.0, and a release after its pre-releases (2.0.0-rc.1 before 2.0.0)."""
    text = name.casefold()[:512]
    if _VERSION.match(text):
        # End releases with a character that sorts below all others except a pre-release's first one.
        text = _EARLY.sub(lambda match: f"\x01{_RANKS.get(match[1], 3)}{match[1]}", text) + "\x02"
    return _DIGITS.sub(lambda match: match[0].zfill(20), text) + f"\x00{name}"

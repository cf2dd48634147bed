"""Decides which of two versions is the older one, if possible."""

from __future__ import annotations

from datetime import datetime

from kittui.modelkit.stages import LifecycleTags
from kittui.oci.order import is_version, natural_key
from kittui.oci.tag import Tag
from kittui.oci.target import Target


def by_stage(a: Target, b: Target, stages: LifecycleTags) -> bool | None:
    """Whether the first is the earlier of two stages: past production, then production, then candidates."""
    order = (stages.retired, stages.rollback, stages.champion, stages.challenger)
    return order.index(a) <= order.index(b) if a in order and b in order else None


def by_time(a: datetime | None, b: datetime | None) -> bool | None:
    """Whether the first was created before the second; None if a time is unknown or both are equal."""
    return a < b if a is not None and b is not None and a != b else None


def by_version(a: Target, b: Target) -> bool | None:
    """Whether the first is the lower of two versions."""
    if not (isinstance(a, Tag) and isinstance(b, Tag) and is_version(a) and is_version(b)):
        return None
    return natural_key(a) <= natural_key(b)

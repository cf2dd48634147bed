"""The record of a tag's move: kittui's own predicate, described in docs/record.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.trust.documents import list_of, map_of, parse_time, text_of, write_time
from kittui.trust.statements import OURS

MOVE: Final = f"{OURS}/tag-move/v1"
"""The predicate type."""

_OVERRIDDEN: Final = 100


@dataclass(frozen=True, slots=True)
class Move:
    """A tag that was moved: from which digest to which (None if there was or is no such tag), by whom, and why.

    `id` is the same in the record and in the history of the machine that did it; `overridden` are the enforced gates
    that did not pass.
    """

    id: str
    time: datetime
    actor: str
    action: str
    repository: str
    tag: str
    before: Digest | None
    after: Digest | None
    reason: str = ""
    overridden: tuple[str, ...] = ()
    tool: str = ""

    @property
    def subject(self) -> Digest | None:
        """The digest that the record is attached to: what the tag moved to; of a removed tag, what it was on."""
        return self.after or self.before


def write_move(move: Move) -> dict[str, Any]:
    """The predicate of a record."""
    name, _, version = move.tool.partition(" ")
    return {
        "id": move.id,
        "time": write_time(move.time),
        "actor": move.actor,
        "action": move.action,
        "repository": move.repository,
        "tag": move.tag,
        "before": move.before,
        "after": move.after,
        "reason": move.reason,
        "overridden": list(move.overridden),
        "tool": {"name": name, "version": version},
    }


def read_move(predicate: Mapping[str, Any]) -> Move | None:
    """Read a record's predicate; None if it lacks something or is of other types."""
    time = parse_time(predicate.get("time"))
    texts = {key: text_of(predicate, key) for key in ("id", "actor", "action", "repository", "tag", "reason")}
    if time is None or not all(texts[key] for key in ("id", "actor", "action", "repository", "tag")):
        return None
    try:
        before, after = (_digest(predicate.get(key)) for key in ("before", "after"))
    except KittuiError:
        return None
    overridden = tuple(text[:200] for text in list_of(predicate, "overridden") if isinstance(text, str))
    tool = map_of(predicate, "tool")
    return Move(
        time=time,
        before=before,
        after=after,
        overridden=overridden[:_OVERRIDDEN],
        tool=f"{text_of(tool, 'name')} {text_of(tool, 'version')}".strip(),
        **texts,
    )


def _digest(value: Any) -> Digest | None:
    return None if value is None else Digest.parse(value)

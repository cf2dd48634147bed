"""Explains refused writes: maintenance, a cache, or an immutable tag."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from kittui.errors import KittuiError, TagProtected, Unsupported
from kittui.oci.protocols import Power
from kittui.registry.calls import Answer
from kittui.registry.problems import Complaint

NOT_TAKEN: Final[Collection[int]] = (405, 501)
"""Statuses with which a registry refuses a write from anybody."""

MAINTENANCE = Power(
    "no",
    "it is read-only now, as for maintenance",
    "Try again later. In Distribution's configuration, storage.maintenance.readonly says so.",
)
CACHE = Power(
    "no",
    "it takes no writes: it is a cache of another registry, or read-only",
    "Write to the registry that it is a cache of (proxy.remoteurl in Distribution's configuration).",
)


def is_maintenance(answer: Answer) -> bool:
    """Whether a 405 means that the registry is read-only, rather than that it refuses one kind of write."""
    allowed = {word.strip().upper() for word in answer.headers.get("Allow", "").split(",") if word.strip()}
    return answer.status in NOT_TAKEN and bool(allowed) and allowed <= {"GET", "HEAD", "OPTIONS"}


def not_taken(answer: Answer, host: str, doing: str) -> Unsupported:
    """The error for a write answered with 405 or 501."""
    power = MAINTENANCE if is_maintenance(answer) else CACHE
    said = str(Complaint.parse(answer.body))
    return Unsupported(f"could not {doing}: {host}: {power.reason}{f' ({said})' if said else ''}", hint=power.remedy)


def immutable(answer: Answer, host: str, tag: str) -> KittuiError | None:
    """The error for an immutable tag; None for any other refusal."""
    complaint = Complaint.parse(answer.body)
    words = f"{complaint.code} {complaint.message}".lower()
    if answer.status != 412 and not (answer.status in (400, 403, 409) and "immutable" in words):
        return None
    return TagProtected(
        f"{host} has the tag {tag} immutable ({complaint})"
        if str(complaint)
        else f"{host} has the tag {tag} immutable",
        hint="Give the ModelKit another tag, or have the rule for immutable tags changed in the registry.",
    )

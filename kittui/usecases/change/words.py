"""Plans in words, for both front ends. The texts are raw: each front end cleans them for its terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from kittui.terminal import size_text

if TYPE_CHECKING:
    from kittui.oci.digest import Digest
    from kittui.oci.manifest import Manifest
    from kittui.usecases.change.plan import ChangePlan, TagChange
    from kittui.usecases.change.policy import Verdict
    from kittui.usecases.change.transfer import MovePlan

    Names = Mapping[Digest, tuple[str, ...]]


def moved_tags(
    changes: Sequence[TagChange], names: Names = MappingProxyType({})
) -> Iterator[tuple[str, str | None, str | None]]:
    """Each tag with what it points to before and after: `9f21a6b64d06 (v1.0.0)`; None where there is no such tag."""

    def named(manifest: Manifest | None, own: str) -> str | None:
        if manifest is None:
            return None
        others = [name for name in names.get(manifest.digest, ()) if name != own]
        return f"{manifest.digest.short} ({others[-1]})" if others else manifest.digest.short

    for change in changes:
        yield change.tag, named(change.before, change.tag), named(change.after, change.tag)


def change_lines(changes: Sequence[TagChange], names: Names = MappingProxyType({})) -> list[str]:
    """One line for each tag: `rollback: 2304e6a01e6c (v0.9.0) -> 9f21a6b64d06 (v1.0.0)`."""
    return [f"{tag}: {before or 'none'} -> {after or 'none'}" for tag, before, after in moved_tags(changes, names)]


def notes_of(plan: ChangePlan) -> list[str]:
    """What else there is to know before saying yes."""
    notes = [*plan.notes]
    notes += [f"{digest.short} loses its last tag; its manifest is kept for undo" for digest in plan.orphans]
    return notes


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """What the rules say of a plan, protected tags left out: they are asked for by name."""
    words = {"pass": "pass", "fail": "FAIL", "unknown": "cannot tell"}
    lines = []
    for one in verdicts:
        if one.tag:
            continue
        advisory = "" if one.enforced else ", advisory"
        remedy = f"; {one.remedy}" if one.remedy and one.state != "pass" else ""
        lines.append(f"{one.rule}: {words[one.state]}{advisory}: {one.reason}{remedy}")
    return lines


def costs_of(plan: ChangePlan) -> str:
    """What applying it takes."""
    sent = f", {size_text(plan.size)}" if plan.size else ""
    return f"{plan.requests} requests{sent}; nothing is copied or deleted"


def nothing_to_do(plan: ChangePlan) -> str:
    """Why a plan without changes has none."""
    if plan.action == "promote":
        return "Nothing to do: both tags already point to the same digest."
    if plan.action == "rollback":
        return "Nothing to do: the tag already points to rollback's digest."
    return "Nothing to do: the tag already points to this digest."


def unseen_text(tags: Sequence[str]) -> str:
    """What to say of tags that were moved and do not show it; empty without any."""
    return f"{', '.join(tags)}: not visible yet, though the registry accepted it" if tags else ""


def done_text(plan: ChangePlan, unseen: Sequence[str] = ()) -> str:
    """What was done, in one line."""
    moved = ", ".join(
        f"{change.tag} → {change.after.digest.short}" if change.after else f"{change.tag} removed"
        for change in plan.changes
    )
    return "; ".join(filter(None, (moved or nothing_to_do(plan), unseen_text(unseen))))


def attached_text(plan: MovePlan) -> str:
    """What refers to a ModelKit that is moved, counted by kind: `1 sbom, 2 signature`; empty where nothing is known."""
    kinds = Counter(one.kind for one in plan.attached.found) if plan.attached else {}
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))


def blobs_text(plan: MovePlan) -> str:
    """What a transfer would move: `3 blobs to move (1.2 GB), 2 to take over, 4 there already`."""
    ways = [blob.way for blob in plan.transfer.blobs]
    parts = [f"{ways.count('copy')} blobs to move ({size_text(plan.transfer.missing)})"]
    if "mount" in ways:
        parts.append(f"{ways.count('mount')} to take over")
    if "present" in ways:
        parts.append(f"{ways.count('present')} there already")
    return ", ".join(parts)

"""Plans as text, for both front ends. The texts are raw: each front end cleans them for its terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from kittui.terminal import counted, size_text, some_of
from kittui.trust.statements import REJECTION_TYPE

if TYPE_CHECKING:
    from kittui.oci.digest import Digest
    from kittui.oci.manifest import Manifest
    from kittui.usecases.change.plan import ChangePlan, TagChange
    from kittui.usecases.change.policy import Verdict
    from kittui.usecases.change.removal import RemovePlan
    from kittui.usecases.change.removals import Removals
    from kittui.usecases.change.transfer import MovePlan

    Names = Mapping[Digest, tuple[str, ...]]

FEW = 3
"""The most tags named in a sentence; more are counted."""


def moved_tags(
    changes: Sequence[TagChange], names: Names = MappingProxyType({})
) -> Iterator[tuple[str, str | None, str | None]]:
    """Each tag with what it points to before and after: `9f21a6b64d06 (v1.0.0)`; None if the tag does not exist."""

    def named(manifest: Manifest | None, own: str) -> str | None:
        if manifest is None:
            return None
        others = [name for name in names.get(manifest.digest, ()) if name != own]
        return f"{manifest.digest.short} ({others[-1]})" if others else manifest.digest.short

    for change in changes:
        yield change.tag, named(change.before, change.tag), named(change.after, change.tag)


def change_lines(changes: Sequence[TagChange], names: Names = MappingProxyType({})) -> list[str]:
    """One line per tag: `rollback: 2304e6a01e6c (v0.9.0) -> 9f21a6b64d06 (v1.0.0)`."""
    return [f"{tag}: {before or 'none'} -> {after or 'none'}" for tag, before, after in moved_tags(changes, names)]


def notes_of(plan: ChangePlan) -> list[str]:
    """Remarks to show before confirming."""
    notes = [*plan.notes]
    lasts = " until the registry garbage-collects it" if plan.repository.files is None else ""
    notes += [f"{digest.short} loses its last tag; undo can restore it{lasts}" for digest in plan.orphans]
    return notes


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """The rules' verdicts on a plan, except for protected tags, whose names are asked for."""
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
    """The requests that applying it takes."""
    sent = f", {size_text(plan.size)}" if plan.size else ""
    return f"{counted(plan.requests, 'request')}{sent}; nothing is copied or deleted"


def nothing_to_do(plan: ChangePlan) -> str:
    """Why a plan has no changes."""
    if plan.action == "promote":
        return "Nothing to do: both tags already point to the same digest."
    if plan.action == "rollback":
        return "Nothing to do: the tag already points to rollback's digest."
    if plan.action in ("undo", "redo"):
        return f"Nothing to do: the change is {'undone' if plan.action == 'undo' else 'done again'} already."
    return "Nothing to do: the tag already points to this digest."


def unseen_text(tags: Sequence[str]) -> str:
    """The message about tags whose move is not visible yet; empty without any."""
    return f"{some_of(tags)}: not visible yet, though the registry accepted it" if tags else ""


def done_text(plan: ChangePlan, unseen: Sequence[str] = ()) -> str:
    """The result, in one line."""
    moved = ", ".join(
        f"{change.tag} → {change.after.digest.short}" if change.after else f"{change.tag} removed"
        for change in plan.changes
    )
    return "; ".join(filter(None, (moved or nothing_to_do(plan), unseen_text(unseen))))


def removed_text(removals: Removals, *, done: bool = True) -> str:
    """What goes, what stays and why, what is freed: `3 tags go; 2 digests stay because other tags are on them`."""
    names = removals.tags
    parts = [", ".join(names) if len(names) <= FEW else f"{len(names)} tags"] if names else []
    if removals.deleted:
        parts.append(counted(removals.deleted, "ModelKit"))
    one = len(names) + removals.deleted == 1
    said = [f"{' and '.join(parts)} {'removed' if done else 'goes' if one else 'go'}"]
    for why, number in removals.stays.items():
        alone = number == 1
        reason = {
            "shared": f"because other tags are on {'it' if alone else 'them'}",
            "bare": "without a tag",
            "unknown": "because only tags go",
        }[why]
        said.append(f"{counted(number, 'digest')} {'stays' if alone else 'stay'} {reason}")
    if removals.freed:
        size = size_text(removals.freed)
        said.append(f"{size} freed" if done else f"that frees {size}")
    return "; ".join(said)


def undo_text(plans: Sequence[RemovePlan]) -> str:
    """The warning about what undo can't restore, shown before a removal; empty if it can restore all."""
    untagged = [plan for plan in plans if plan.undo == "no" and not plan.tags]
    gone = [plan for plan in plans if plan.undo == "no" and plan.tags]
    said = []
    if gone:
        said.append("This can't be undone here: content that no other ModelKit needs is deleted at once.")
    elif untagged:
        said.append("This can't be undone: undo restores tags, and this has none.")
    if any(plan.undo == "for now" for plan in plans):
        said.append("Undo works only until the registry garbage-collects untagged content.")
    if any(plan.referrers and plan.attached for plan in plans):
        said.append("Undo does not restore what is attached.")
    return " ".join(said)


def attached_text(*plans: MovePlan) -> str:
    """What refers to the transferred ModelKits, by kind: `1 SBOM, 2 signatures`; empty where nothing is known."""
    kinds = Counter(_noun(one.kind) for plan in plans if plan.attached for one in plan.attached.found)
    return ", ".join(counted(number, kind) for kind, number in sorted(kinds.items()))


def _noun(kind: str) -> str:
    """The noun for an attachment; a generic one for unknown types."""
    if kind == REJECTION_TYPE:
        return "rejection"
    return "SBOM" if kind == "sbom" else "other attachment" if "/" in kind else kind


def blobs_text(plan: MovePlan) -> str:
    """What a transfer would move: `3 blobs to move (1.2 GB), 2 to take over, 4 there already`."""
    ways = [blob.way for blob in plan.transfer.blobs]
    parts = [f"{counted(ways.count('copy'), 'blob')} to move ({size_text(plan.transfer.missing)})"]
    if "mount" in ways:
        parts.append(f"{ways.count('mount')} to take over")
    if "present" in ways:
        parts.append(f"{ways.count('present')} there already")
    return ", ".join(parts)

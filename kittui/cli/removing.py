"""Prints removal plans, for the commands that remove something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kittui.terminal import size_text
from kittui.usecases.change.removal import RemovePlan
from kittui.usecases.change.siblings import TagsOfBatch

if TYPE_CHECKING:
    from kittui.cli.compose import Composition


def tags_of_batch(composition: Composition, plans: Sequence[RemovePlan]) -> dict[str, TagsOfBatch]:
    """What the deletions of one command share about each repository's tags."""
    return {plan.place: TagsOfBatch(plan.repository, composition.stage_tags) for plan in plans}


def removal_document(plan: RemovePlan) -> dict[str, Any]:
    """A removal as a dry run prints it in JSON."""
    return {
        "action": "delete" if plan.mode == "delete" else "untag",
        "repository": plan.place,
        "changes": [change.to_json() for change in plan.changes],
        "deleted": [str(plan.manifest.digest)] if plan.mode == "delete" else [],
        "freed": plan.freed,
    }


def removal_lines(plan: RemovePlan) -> list[str]:
    """What is removed and what stays; the first line names the place."""
    digest = plan.manifest.digest.short
    if plan.mode == "delete":
        tags = f"with its tags {', '.join(plan.tags)}" if plan.tags else "which is untagged"
        lines = [f"Delete {digest} from {plan.place}, {tags}"]
        if plan.freed is None:
            lines.append(
                f"  the registry frees what nothing else needs: at most {size_text(plan.manifest.content_size)}"
            )
        else:
            lines.append(f"  frees {size_text(plan.freed)}")
        if attached := len(plan.attached):
            one = attached == 1
            go = "goes too" if one else "go too"
            goes = go if plan.referrers else "would be orphaned; --referrers removes them too"
            lines.append(f"  attached to it: {attached} {'manifest' if one else 'manifests'}, which {goes}")
    else:
        lines = [f"Untag {plan.tag} ({digest}) in {plan.place}"]
        if plan.mode == "placeholder":
            lines.append("  by pointing it at an empty manifest and deleting that")
        if plan.siblings is None:
            lines.append("  the ModelKit stays, with every other tag on it")
        else:
            kept = f"its other tags are not all known: {plan.doubt}" if plan.doubt else "it keeps no tag"
            kept = f"still tagged {', '.join(plan.siblings)}" if plan.siblings else kept
            lines.append(f"  the ModelKit stays: {kept}")
    return lines

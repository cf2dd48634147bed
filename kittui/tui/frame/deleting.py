"""Asks before ModelKits are deleted, in the same way for every key that deletes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from kittui.tui.dialogs.confirm import ConfirmDialog

if TYPE_CHECKING:
    from kittui.oci.target import Target
    from kittui.tui.frame.context import Context
    from kittui.usecases.change.removal import RemovePlan


async def agree_to_delete(
    context: Context,
    title: str,
    words: Sequence[str],
    plans: Sequence[RemovePlan],
    pointed: Collection[tuple[str, Target]] | None = None,
) -> list[str] | None:
    """Ask whether ModelKits go. A stage that goes has to be typed, else a tag that goes with another one.

    `pointed` are the tags that the user has named, with their places; without it, the first tag of each ModelKit counts
    as named. Returns what was typed, None for a no.
    """
    if pointed is None:
        pointed = {(plan.place, plan.tags[0]) for plan in plans if plan.tags}
    stages = {stage.name for stage in context.ports.settings.stages}
    going = [(plan.place, tag) for plan in plans for tag in plan.tags]
    heavy = [tag for _, tag in going if tag in stages] + [tag for place, tag in going if (place, tag) not in pointed]
    typed = heavy[0] if heavy else None
    agreed = await context.ask(ConfirmDialog(title, words, "Delete", danger=True, typed=typed))
    return ([typed] if typed else []) if agreed else None

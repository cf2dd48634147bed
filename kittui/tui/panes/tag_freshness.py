"""Checks whether a list of tags is still current, and since when the registry could not be asked. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kittui.errors import KittuiError, NotFound
from kittui.oci.protocols import TagEntry
from kittui.tui.panes.state import trouble_since
from kittui.tui.panes.tag_rows import TagList


async def notice_moved(tags: TagList, clock: Callable[[], datetime], by_others: Callable[[], bool]) -> bool:
    """Resolve each stage tag of a list once; a tag on a different digest is marked as moved and must be read again.

    Returns whether a tag was moved or is gone. An error ends it and becomes the list's problem. A command of ours ends
    it too, as it may have moved what was just read: `by_others` is called after each answer.
    """
    moved = False
    for row in [row for row in tags.rows if tags.stage_of(row) is not None and row.asked and row.digest]:
        before, target = row.digest, row.target
        if target is None:
            continue
        try:
            found = await row.repository.resolve(target)
        except NotFound:
            moved = True
            continue
        except KittuiError as error:
            tags.trouble = tags.trouble or trouble_since(error, clock())
            break
        if not by_others():
            break
        if row.digest == before and row.asked and found.digest != before:
            row.moved = moved = True
            row.entry, row.modelkit, row.asked = TagEntry(row.entry.name, found), None, False
    else:
        tags.trouble = ""
    return moved

"""An index's variants as rows below its tag. No widgets."""

from __future__ import annotations

from collections.abc import Iterable

from kittui.modelkit.variants import variants_of
from kittui.oci.protocols import TagEntry
from kittui.tui.panes.tag_rows import TagRow


def variants_below(row: TagRow) -> list[TagRow]:
    """The rows of an index's variants; nothing is asked for them yet."""
    if row.modelkit is None:
        return []
    found = []
    for variant in variants_of(row.modelkit.manifest):
        below = TagRow.of(row.repository, TagEntry(None, variant.descriptor))
        below.variant, below.above = variant, row
        found.append(below)
    return found


def unfolded(rows: Iterable[TagRow]) -> list[TagRow]:
    """The rows with those below them that are unfolded."""
    shown: list[TagRow] = []
    for row in rows:
        shown.append(row)
        if row.unfolded:
            shown += row.variants or ()
    return shown

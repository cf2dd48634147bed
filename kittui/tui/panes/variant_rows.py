"""An index's variants as rows below its tag, and their labels as columns. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kittui.modelkit.variants import label_keys, variants_of
from kittui.oci.protocols import TagEntry
from kittui.terminal import clean
from kittui.tui.panes.tag_rows import TagRow
from kittui.tui.widgets.rows import Column, Spans

COLUMNS = (
    Column("tag", 12, sticky=True, flex=True),
    Column("", 1),
    Column("digest", 12),
    Column("size", 7, "right"),
    Column("age", 5, "right"),
    Column("stage", 10),
    Column("signed", 14),
)
_BEFORE = 2
"""Columns that stand before those of labels."""
_LABELS = 8
"""Labels that have columns at most."""
_WIDEST = 18


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


def columns(rows: Iterable[TagRow]) -> tuple[tuple[Column, ...], list[str]]:
    """The columns for these rows, and the labels that some of them are of."""
    variants = [row.variant for row in rows if row.variant is not None]
    keys = label_keys(variants)[:_LABELS]
    own = []
    for key in keys:
        texts = [clean(key), *(clean(variant.labels.get(key, "")) for variant in variants)]
        own.append(Column(clean(key, limit=_WIDEST), min(_WIDEST, max(map(len, texts)))))
    return (*COLUMNS[:_BEFORE], *own, *COLUMNS[_BEFORE:]), keys


def with_labels(cells: Sequence[Spans], row: TagRow, keys: Sequence[str]) -> Sequence[Spans]:
    """A row's cells with those of its labels among them."""
    labels = row.variant.labels if row.variant is not None else {}
    own: list[Spans] = [((clean(labels.get(key, ""), limit=_WIDEST), "text"),) for key in keys]
    return (*cells[:_BEFORE], *own, *cells[_BEFORE:])

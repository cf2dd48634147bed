"""The columns of the tags pane, those of variants' labels among them, and the cells of its rows. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kittui.modelkit.variants import label_keys
from kittui.terminal import clean, size_text
from kittui.tui.frame.ports import Ports
from kittui.tui.panes.signed import word_spans
from kittui.tui.panes.tag_rows import TagList, TagRow
from kittui.tui.style.sizes import age_text
from kittui.tui.widgets.rows import Column, Spans

if TYPE_CHECKING:
    from kittui.modelkit import Stage
    from kittui.oci.digest import Digest

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
_SEARCHED = 2_000
"""Tags among which those on a variant are looked for."""


class TagCells:
    """Draws the cells of rows. `stages` says where each digest stands, as the column of stages shows it."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._labels: list[str] = []
        self.stages: Mapping[Digest, Stage] = {}

    def columns_for(self, rows: Iterable[TagRow]) -> tuple[Column, ...] | None:
        """The columns for these rows, and cells to match from now on; None where no label has or had a column."""
        found, labels = columns(rows)
        if not labels and not self._labels:
            return None
        self._labels = labels
        return found

    def of(self, row: TagRow, tags: TagList | None) -> Sequence[Spans]:
        """The cells of a row of a list."""
        cells = self._own(row, tags)
        return with_labels(cells, row, self._labels) if self._labels else cells

    def _own(self, row: TagRow, tags: TagList | None) -> Sequence[Spans]:
        stage = tags.stage_of(row) if tags else None
        plain = self._ports.settings.ascii_marks
        name = clean(row.entry.name or "(no tag)")
        if row.variant is not None:
            tag: Spans = (("    ", "text"), (clean(_tags_on(row, tags)), "text"))
        elif row.variants:
            fold = "▾ " if row.unfolded else "▸ "
            tag = ((fold, "muted"), (name, "text" if stage is None else "text+bold"))
        elif stage is not None:
            tag = ((f"{stage.ascii_mark if plain else stage.mark} ", stage.colour), (name, "text+bold"))
        else:
            tag = (("  ", "text"), (name, "muted" if row.entry.name is None else "text"))
        if row.moved:
            tag = (*tag, (" ~moved" if plain else " ↻ moved", "warn"))
        held = ((_held(row), "good"),)
        if row.problem is not None:
            return (tag, (), (("✗ unreadable", "bad"),), (), (), ((clean(row.problem), "muted"),), ())
        digest = row.digest
        if digest is None:
            return (tag, held, (("·", "faint"),), (), (), (), ())
        if row.ditto:
            return (tag, held, (("″", "faint"),), (("″", "faint"),), (("″", "faint"),), (), ())
        modelkit = row.modelkit
        size = size_text(row.size)
        age = age_text(row.created, self._ports.clock()) if row.created else ""
        at = self.stages.get(digest)
        if modelkit is not None and not modelkit.is_modelkit:
            where: Spans = ((clean(modelkit.label), "special"),)
        elif at is not None:
            where = ((clean(at.name), at.colour),)
        else:
            where = ()
        return (
            tag,
            held,
            ((digest.short, "muted"),),
            ((size, "text"),),
            ((age, "muted"),),
            where,
            (word_spans(self._ports.trust.known(row.repository, digest)),),
        )


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


def _held(row: TagRow) -> str:
    return {"all": "●", "part": "◐", "": " "}[row.held]


def _tags_on(row: TagRow, tags: TagList | None) -> str:
    """The tags that are known to be on a variant; without any its place in the index."""
    rows = tags.rows if tags is not None and len(tags.rows) <= _SEARCHED else []
    names = [one.entry.name for one in rows if one.entry.name and one.digest == row.digest]
    if names or row.above is None or row.above.variants is None:
        return ", ".join(names)
    return f"variant {row.above.variants.index(row) + 1}"

"""The columns of the tags pane, including variants' labels, and the cells of its rows.

No widgets. Their content was already read for the row, or comes from this machine's history: columns cause no requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len

from kittui.modelkit.variants import label_keys
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.terminal import age_text, clean, size_text
from kittui.trust.documents import write_time
from kittui.tui.frame.ports import Ports
from kittui.tui.panes.signed import word_spans
from kittui.tui.panes.tag_rows import Order, TagList, TagRow
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit, Stage
    from kittui.usecases.trust.verify import Verification

TAG = Column("tag", 12, sticky=True, flex=True)
HELD = Column("", 1, rank=1)
COLUMNS: Final[Mapping[str, Column]] = {
    "digest": Column("digest", 12, rank=6, beside=20),
    "size": Column("size", 7, "right", rank=4),
    "age": Column("age", 5, "right", rank=2),
    "stage": Column("stage", 10, rank=3),
    "signed": Column("signed", 14, rank=7),
    "framework": Column("framework", 10, rank=8),
    "license": Column("license", 10, rank=9),
    "moved": Column("moved by", 16, rank=10),
    "name": Column("name", 16, rank=11),
    "author": Column("author", 14, rank=12),
}
"""Columns after the tag: in their usual order, and the most important ones if there is room for few."""
LABEL = 5
"""The rank of labels."""
_LABELS = 8
"""Maximum labels with columns."""
_WIDEST = 18
_MOVED = " ↻ moved"
_NAME = 28
"""Cells that a long name takes before columns that are not essential; beside the digest it is cut earlier."""
_SEARCHED = 2_000
"""Maximum tags that are searched for those on a variant, and for the longest name."""
_SORTED_BY: Final[Mapping[Order, str]] = {"newest": "age", "largest": "size"}
Moves = Mapping[tuple[Tag, Digest], tuple[str, str]]
"""Who moved a tag to a digest, and when."""


class TagCells:
    """Draws the cells of rows. `stages` says where each digest stands, as the column of stages shows it; `moves` who
    moved tags, as far as this machine knows; `undated` whether no row that was read says when it was made."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._labels: list[str] = []
        self.stages: Mapping[Digest, Stage] = {}
        self.moves: Moves = {}
        named = [name for name in ports.settings.columns if name in COLUMNS]
        self._named = bool(named)
        self.undated = False
        self._fields = {
            name: replace(COLUMNS[name], rank=rank) if named else COLUMNS[name]
            for rank, name in enumerate(named or COLUMNS, HELD.rank + 1)
        }

    def columns_for(self, rows: Sequence[TagRow], order: Order = "stage") -> tuple[Column, ...]:
        """Choose the columns for these rows, and draw matching cells from now on.

        The one they are sorted by comes before others, the age where no row that was read has one after them.
        """
        labels, self._labels = label_columns(rows)
        searched = list(islice(rows, _SEARCHED))
        longest = max(map(_needed, searched), default=0)
        fields = dict(self._fields)
        self.undated = self.finds_undated(searched)
        if not self._named and (self.undated or order == "largest"):
            # What is sorted by takes its place beside long names; without any time it comes last.
            rank = len(COLUMNS) + LABEL if self.undated else COLUMNS["size"].rank
            fields["age"] = replace(fields["age"], rank=rank)
        if (by := _SORTED_BY.get(order)) in fields:
            fields[by] = replace(fields[by], rank=HELD.rank)
        return (replace(TAG, wants=min(_NAME, longest + 2)), HELD, *labels, *fields.values())

    def finds_undated(self, rows: Sequence[TagRow]) -> bool:
        """Whether rows were read, of the first ones, and none of these says when it was made."""
        read = [row for row in islice(rows, _SEARCHED) if row.modelkit]
        return bool(read) and not any(row.created for row in read)

    def of(self, row: TagRow, tags: TagList | None) -> Sequence[Spans]:
        """The cells of a row of a list."""
        labels = row.variant.labels if row.variant is not None else {}
        own: list[Spans] = [((clean(labels.get(key, ""), limit=_WIDEST), "text"),) for key in self._labels]
        if row.problem is not None:
            # It continues into the empty cells after it.
            return (self._tag(row, tags), ((f"✗ {clean(row.problem)}", "bad"),), *own, *(() for _ in self._fields))
        cells = self._cells(row)
        return (self._tag(row, tags), ((_held(row), "good"),), *own, *(cells.get(name, ()) for name in self._fields))

    def _tag(self, row: TagRow, tags: TagList | None) -> Spans:
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
        return (*tag, (" ~moved" if plain else _MOVED, "warn")) if row.moved else tag

    def _cells(self, row: TagRow) -> Mapping[str, Spans]:
        digest, kit = row.digest, row.modelkit
        if digest is None:
            return dict.fromkeys(("digest", "age"), (("·", "faint"),))
        if row.ditto:
            return dict.fromkeys(("digest", "size", "age"), (("″", "faint"),))
        age = age_text(row.created, self._ports.clock()) if row.created else ""
        known = self._ports.trust.known(row.repository, digest)
        cells: dict[str, Spans] = {
            "digest": ((digest.short, "muted"),),
            "size": ((size_text(row.size), "text"),),
            "age": ((age, "muted"),),
            "stage": self._stage(digest, kit),
            "signed": (word_spans(known),),
            "moved": ((self._moved(row, digest, known), "muted"),),
        }
        for name, text in _kitfile_texts(kit).items():
            cells[name] = ((clean(text, limit=200), "text"),)
        return cells

    def _stage(self, digest: Digest, kit: ModelKit | None) -> Spans:
        if kit is not None and not kit.is_modelkit:
            return ((clean(kit.label), "special"),)
        at = self.stages.get(digest)
        return ((clean(at.name), at.colour),) if at is not None else ()

    def _moved(self, row: TagRow, digest: Digest, known: Verification | None) -> str:
        """Who moved the tag there, and how long ago: from a record, else from this machine's history."""
        tag = row.entry.name
        if tag is None:
            return ""
        actor, time = self.moves.get((tag, digest), ("", ""))
        if known is not None:
            from kittui.usecases.trust.board import last_move
            from kittui.usecases.trust.names import plain_name

            move, _ = last_move(known, plain_name(row.repository), tag, digest)
            actor, time = (move.actor, write_time(move.time)) if move is not None else (actor, time)
        return " ".join(filter(None, (clean(actor, limit=60), age_text(time, self._ports.clock()))))


def _needed(row: TagRow) -> int:
    """The cells that a tag's name, and the details after it, need."""
    return cell_len((row.entry.name or "")[:_NAME]) + (len(_MOVED) if row.moved else 0)


def label_columns(rows: Iterable[TagRow]) -> tuple[list[Column], list[str]]:
    """Columns for the labels of these rows, and the labels."""
    variants = [row.variant for row in rows if row.variant is not None]
    keys = label_keys(variants)[:_LABELS] if variants else []
    found = []
    for key in keys:
        texts = [clean(key), *(clean(variant.labels.get(key, "")) for variant in variants)]
        found.append(Column(clean(key, limit=_WIDEST), min(_WIDEST, max(map(len, texts))), rank=LABEL))
    return found, keys


def _kitfile_texts(kit: ModelKit | None) -> Mapping[str, str]:
    """Texts from the Kitfile, if they have the expected form."""
    if kit is None:
        return {}
    package, model = (_mapping(kit.kitfile.get(part)) for part in ("package", "model"))
    return {
        "name": kit.name or "",
        "framework": _text(model.get("framework")),
        "license": _text(package.get("license")) or _text(model.get("license")),
        "author": ", ".join(kit.authors),
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _held(row: TagRow) -> str:
    return {"all": "●", "part": "◐", "": " "}[row.held]


def _tags_on(row: TagRow, tags: TagList | None) -> str:
    """The known tags on a variant; without any, its position in the index."""
    rows = tags.rows if tags is not None and len(tags.rows) <= _SEARCHED else []
    names = [one.entry.name for one in rows if one.entry.name and one.digest == row.digest]
    if names or row.above is None or row.above.variants is None:
        return ", ".join(names)
    return f"variant {row.above.variants.index(row) + 1}"

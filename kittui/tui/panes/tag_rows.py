"""Tags as values: rows that fill in, their orders, groups and the filter. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from kittui.modelkit.stages import ranks
from kittui.oci.digest import Digest
from kittui.oci.order import is_version, natural_key
from kittui.oci.protocols import Repository, TagEntry
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.terminal import parse_time
from kittui.tui.panes.queries import Query, Term

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit, Stage
    from kittui.modelkit.variants import Variant
    from kittui.oci.descriptor import Descriptor

Order = Literal["stage", "name", "newest", "largest"]
ORDERS: Final[tuple[Order, ...]] = ("stage", "name", "newest", "largest")
Held = Literal["", "all", "part"]


@dataclass(slots=True, eq=False)
class TagRow:
    """A tag, or a manifest without one. `modelkit` and `held` fill in when the row has been in view.

    An index has rows of its `variants` below it, which know the row `above` them; of a variant the manifest alone tells
    the size, and its `modelkit` fills in when the cursor rests on it.
    """

    repository: Repository
    entry: TagEntry
    order: str
    text: str
    modelkit: ModelKit | None = None
    problem: str | None = None
    created: str | None = None
    held: Held = ""
    asked: bool = False
    ditto: bool = False
    variant: Variant | None = None
    above: TagRow | None = None
    variants: list[TagRow] | None = None
    unfolded: bool = False
    size: int | None = None
    layers: Sequence[Descriptor] = ()
    """Its layers and size, once its manifest was read."""
    signed: bool | None = None
    moved: bool = False
    """Whether somebody else moved the tag while it was shown."""

    @classmethod
    def of(cls, repository: Repository, entry: TagEntry) -> TagRow:
        """Create a row from a listing's entry."""
        name = entry.name or (entry.descriptor.digest if entry.descriptor else "")
        text = name.casefold()
        return cls(repository, entry, natural_key(name), text, problem=entry.problem)

    @property
    def target(self) -> Target | None:
        """The tag, or the digest of a manifest without one."""
        return self.entry.name or (self.entry.descriptor.digest if self.entry.descriptor else None)

    @property
    def digest(self) -> Digest | None:
        """The manifest's digest, if known."""
        if self.modelkit is not None:
            return self.modelkit.digest
        return self.entry.descriptor.digest if self.entry.descriptor else None

    @property
    def is_index(self) -> bool:
        """Whether it is known to list variants."""
        return self.modelkit is not None and self.modelkit.manifest.is_index

    @property
    def key(self) -> tuple[str, str, str]:
        """The key for marks."""
        return (str(self.repository.source.place), self.repository.name, self.target or "")


@dataclass(slots=True)
class TagList:
    """All tags of a repository, kept for the session so that coming back causes no requests."""

    repository: Repository
    stages: Sequence[Stage]
    rows: list[TagRow] = field(default_factory=list)
    complete: bool = False
    partial: bool = False
    """Whether the registry's listing may be incomplete."""
    read_at: datetime | None = None
    trouble: str = ""
    """Why it can't be read, and since when."""
    _staged: tuple[list[TagRow], list[TagRow]] | None = field(default=None, init=False, repr=False, compare=False)
    """The rows of the stages' tags, and the rows from which they were chosen."""

    @property
    def names(self) -> frozenset[Tag]:
        """The names of all tags."""
        return frozenset(row.entry.name for row in self.rows if row.entry.name is not None)

    def stage_of(self, row: TagRow) -> Stage | None:
        """The stage that the row's tag is."""
        return next((stage for stage in self.stages if stage.name == row.entry.name), None)

    def stage_rows(self) -> list[TagRow]:
        """The rows of the stages' tags."""
        if self._staged is None or self._staged[0] is not self.rows:
            names = {stage.name for stage in self.stages}
            self._staged = self.rows, [row for row in self.rows if row.entry.name in names]
        return self._staged[1]

    def stages_by_digest(self) -> dict[Digest, Stage]:
        """The stage of each digest: the first stage tag that points to it."""
        tags = {stage.name: stage for stage in reversed(self.stages)}
        found: dict[Digest, Stage] = {}
        order = ranks(self.stages)
        for row in self.stage_rows():
            stage = tags.get(row.entry.name) if row.entry.name else None
            if stage is not None and row.digest is not None:
                before = found.get(row.digest)
                if before is None or order[stage.name] < order[before.name]:
                    found[row.digest] = stage
        return found

    def stage_names(self) -> dict[Digest, list[str]]:
        """Every stage tag on each digest."""
        found: dict[Digest, list[str]] = {}
        for row in self.stage_rows():
            if row.digest is not None:
                found.setdefault(row.digest, []).append(row.entry.name or "")
        return found

    def ordered(self, order: Order, *, grouped: bool, backwards: bool = False) -> list[TagRow]:
        """Sort the rows; if grouped, tags known to share a digest are adjacent."""
        rows = _sort(self.rows, order, ranks(self.stages), backwards=backwards)
        for row in rows:
            row.ditto = False
        return _group(rows) if grouped else rows


def _sort(rows: Iterable[TagRow], order: Order, ranks: Mapping[str, int], *, backwards: bool) -> list[TagRow]:
    """Rows of which the age or the size is unknown come last either way; equal ones keep the order of stages."""
    if order == "name":
        return sorted(rows, key=lambda row: row.order, reverse=backwards)
    usual = _by_stage(rows, ranks)
    if order == "stage":
        return usual[::-1] if backwards else usual
    known: list[tuple[float, TagRow]] = []
    unknown: list[TagRow] = []
    for row in usual:
        value = _measure(row, order)
        if value is None:
            unknown.append(row)
        else:
            known.append((value, row))
    known.sort(key=lambda one: one[0], reverse=not backwards)
    return [*(row for _, row in known), *unknown]


def _measure(row: TagRow, order: Order) -> float | None:
    """What a row is sorted by: its time or its size, where that is known."""
    if order == "largest":
        return row.modelkit.size if row.modelkit else None
    moment = parse_time(row.created)
    return moment.timestamp() if moment else None


def _by_stage(rows: Iterable[TagRow], ranks: Mapping[str, int]) -> list[TagRow]:
    """Stages first, then versions from the newest on, then other tags by name."""
    stages: list[TagRow] = []
    versions: list[TagRow] = []
    others: list[TagRow] = []
    untagged: list[TagRow] = []
    for row in rows:
        name = row.entry.name
        if name is None:
            untagged.append(row)
        elif name in ranks:
            stages.append(row)
        elif is_version(name):
            versions.append(row)
        else:
            others.append(row)
    stages.sort(key=lambda row: ranks[row.entry.name or ""])
    versions.sort(key=lambda row: row.order.removeprefix("v"), reverse=True)
    others.sort(key=lambda row: row.order)
    return [*stages, *versions, *others, *untagged]


def _group(rows: Sequence[TagRow]) -> list[TagRow]:
    together: dict[object, list[TagRow]] = {}
    for row in rows:
        together.setdefault(row.digest or id(row), []).append(row)
    result: list[TagRow] = []
    for members in together.values():
        for row in members[1:]:
            row.ditto = True
        result.extend(members)
    return result


def is_digest_head(needle: str) -> bool:
    """Whether a filter may be the start of a digest."""
    head = needle.casefold().removeprefix("sha256:")
    return len(head) >= 4 and set(head) <= set("0123456789abcdef")


def matching(rows: Sequence[TagRow], query: Query, tags: TagList, now: datetime) -> list[TagRow]:
    """Rows that match a filter: by their tag, or by the start of their digest."""
    if query.problem:
        return []
    if not query.terms:
        return list(rows)
    words = query.words
    if words is None or len(words) > 1:
        stages = tags.stage_names() if "stage" in query.fields else {}
        return [
            row for row in rows if all(_holds(row, term, stages, now) != term.exclude for term in query.terms)
        ]  # fmt: skip
    needle = words[0]
    found = [row for row in rows if needle in row.text]
    if is_digest_head(needle):
        known = set(map(id, found))
        found += [row for row in rows if id(row) not in known and _begins(row.digest, needle)]
    return found


def unknown(row: TagRow, query: Query) -> bool:
    """Whether a filter needs something unread of a row that matches the rest of it."""
    if not query.fields or row.entry.problem or row.problem:
        return False
    if any(term.holds(row.text) == term.exclude for term in query.terms if not term.field and not term.word):
        return False
    if "signed" in query.fields and row.signed is None:
        return True
    return row.modelkit is None and (row.digest is None or bool(query.fields & {"older", "newer"}))


def _holds(row: TagRow, term: Term, stages: dict[Digest, list[str]], now: datetime) -> bool:
    match term.field:
        case "stage":
            names = stages.get(row.digest, []) if row.digest else []
            return any(name.casefold().startswith(term.value) for name in names)
        case "digest":
            return _begins(row.digest, term.value)
        case "signed":
            return row.signed is not None and row.signed == "yes".startswith(term.value)
        case "older" | "newer":
            moment = parse_time(row.created)
            return moment is not None and (now - moment > term.age) == (term.field == "older")
    if term.word:
        return term.word in row.text or (is_digest_head(term.word) and _begins(row.digest, term.word))
    return term.holds(row.text)


def _begins(digest: Digest | None, head: str) -> bool:
    return digest is not None and digest.hex.startswith(head.removeprefix("sha256:"))

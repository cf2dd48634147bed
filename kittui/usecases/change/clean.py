"""Selects what a clean-up deletes: by age, by stage or if untagged; what a stage or protected tag holds stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.tasks import spread
from kittui.terminal import counted
from kittui.trust.documents import parse_time
from kittui.usecases.browse.modelkits import ModelKits, TagRow, list_tags
from kittui.usecases.change.removals import Row

OnReading = Callable[[str], None]
"""Called with the name of what is being read."""


@dataclass(frozen=True, slots=True)
class CleanRules:
    """What to delete: every given rule must match. With `stages`, it needs one of these tags and no other stage."""

    untagged: bool = False
    older: timedelta | None = None
    stages: frozenset[Tag] = frozenset()

    @property
    def words(self) -> str:
        """What is deleted, as a noun phrase."""
        said = ["without a tag"] if self.untagged else []
        said += [f"at stage {' or '.join(sorted(self.stages))}"] if self.stages else []
        said += [f"older than {_age(self.older)}"] if self.older is not None else []
        return f"ModelKits {' and '.join(said)}"


@dataclass
class Selected:
    """The rows to delete, those that match but stay (by reason), and what could not be read."""

    rows: list[Row] = field(default_factory=list)
    stays: dict[str, list[str]] = field(default_factory=dict)
    failed: list[KittuiError] = field(default_factory=list)

    def keep(self, why: str, reference: str) -> None:
        """Keep a row."""
        self.stays.setdefault(why, []).append(reference)

    def take(self, other: Selected) -> None:
        """Add another ModelKit's selection."""
        self.rows += other.rows
        self.failed += other.failed
        for why, references in other.stays.items():
            self.stays.setdefault(why, []).extend(references)


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Selects by rules. `stages` and `protected` are the tags that keep a ModelKit."""

    modelkits: ModelKits
    stages: frozenset[Tag]
    protected: Collection[str]
    now: datetime

    async def select(
        self, repositories: Sequence[Repository], rules: CleanRules, on_reading: OnReading = lambda _: None
    ) -> Selected:
        """Read the tags of every repository, and the ModelKits whose age matters; changes nothing."""
        found = Selected()
        for repository in repositories:
            on_reading(repository.reference())
            try:
                await self._look(repository, rules, found, on_reading)
            except KittuiError as error:
                found.failed.append(error.at(repository.reference()))
        return found

    async def _look(self, repository: Repository, rules: CleanRules, found: Selected, on_reading: OnReading) -> None:
        listing = await list_tags(repository)
        if listing.incomplete is not None:
            raise listing.incomplete
        tags: dict[Digest, list[Tag]] = {}
        indexes: dict[Digest, None] = {}
        inside: set[Digest] = set()
        for row in await self.modelkits.rows(repository, listing):
            if row.problem is not None or row.digest is None:
                found.failed.append(_problem(repository, row))
                continue
            if row.size is None:
                indexes[row.digest] = None
                inside |= {one.digest for one in (await self.modelkits.manifest(repository, row.digest)).manifests}
            tags.setdefault(row.digest, []).extend([row.tag] if row.tag else [])
        # An index before its variants, which belong to it as long as it exists.
        digests = [*indexes, *(each for each in tags if each not in indexes)]
        digests = [digest for digest in digests if digest not in inside or tags[digest]]

        async def assess(digest: Digest) -> Selected:
            on_reading(repository.reference(digest))
            return await self._assess(repository, digest, tags[digest], rules)

        for one in await spread(digests, assess, at_once=repository.source.traits.at_once):
            found.take(one)

    async def _assess(self, repository: Repository, digest: Digest, tags: Sequence[Tag], rules: CleanRules) -> Selected:
        found = Selected()
        if (rules.untagged and tags) or (rules.stages and not rules.stages & {*tags}):
            return found
        reference = repository.reference(tags[0] if tags else digest)
        if rules.older is not None:
            try:
                created = parse_time((await self.modelkits.open(repository, digest)).created)
            except KittuiError as error:
                found.failed.append(error.at(reference))
                return found
            if created is None:
                found.keep("it has no date", reference)
                return found
            if self.now - created <= rules.older:
                return found
        if held := sorted({*tags} & self.stages - rules.stages):
            found.keep(f"it is {held[0]}", reference)
        elif guarded := sorted(tag for tag in tags if tag in self.protected):
            found.keep(f"{guarded[0]} is protected", reference)
        else:
            found.rows.append((repository, digest))
        return found


def _problem(repository: Repository, row: TagRow) -> KittuiError:
    what = row.problem or "it has neither a tag nor a digest"
    return KittuiError(
        what, hint="Run kittui doctor for details.", reference=repository.reference(row.tag or row.digest)
    )


def _age(age: timedelta) -> str:
    hours = int(age.total_seconds()) // 3600
    days, rest = divmod(hours, 24)
    number, noun = (hours, "hour") if rest or not days else (days, "day")
    return counted(number, noun)

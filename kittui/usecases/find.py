"""Finds the ModelKits and tags with a file, layer or content: from manifests and configs, and file lists for files."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from kittui.errors import KittuiError, UsageError
from kittui.formats.tar import FileEntry
from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import stop
from kittui.usecases.browse.exact import exact_kitfile
from kittui.usecases.browse.modelkits import ModelKits, list_tags
from kittui.usecases.inspect.inspector import Inspector

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository, Source, TagEntry


What = Literal["manifest", "config", "layer", "diff_id", "file", "value"]


@dataclass(frozen=True, slots=True)
class Query:
    """What to find: a digest, a file by name, path or pattern (`*` and `?` as in a shell), or a Kitfile value.

    `value` is a value's path, or its end, and the value: a text, a pattern, or empty for any.
    """

    text: str
    digest: Digest | None = None
    value: tuple[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> Query:
        """Parse what a user typed; raises UsageError for an empty text, BadReference for a malformed digest."""
        if text.startswith(("sha256:", "sha512:")):
            return cls(text, Digest.parse(text))
        if not text.strip():
            raise UsageError("nothing to find", hint="Name a file, a digest, a diffId or PATH=VALUE.")
        if len(text) == 64 and all(letter in "0123456789abcdef" for letter in text):
            return cls(text, Digest.parse(f"sha256:{text}"))
        path, equals, value = text.partition("=")
        return cls(posixpath.normpath(text), value=(path.strip(), value.strip()) if equals else None)

    def fits(self, path: str) -> bool:
        """Whether a file's path matches: the whole path, its end, or a pattern of either."""
        if "*" in self.text or "?" in self.text:
            return fnmatchcase(path, self.text) or fnmatchcase(path.rpartition("/")[2], self.text)
        return path == self.text or path.endswith("/" + self.text)

    def values(self, kitfile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The Kitfile's matching values, each with its path."""
        wanted, value = self.value or ("", "")
        for path, text in _leaves(kitfile):
            here = not wanted or path == wanted or path.endswith("." + wanted) or fnmatchcase(path, wanted)
            if here and (not value or fnmatchcase(text.casefold(), value.casefold())):
                yield path, text


@dataclass(frozen=True, slots=True)
class Place:
    """Where to search: a source, a repository, or a ModelKit; `repositories` if the source can't list them."""

    source: Source
    repository: str | None = None
    target: Target | None = None
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A match: what was found in which ModelKit, and its tag."""

    repository: Repository
    tag: Tag | None
    digest: Digest
    what: What
    layer: Layer | None = None
    entry: FileEntry | None = None
    verified: bool = True
    value: tuple[str, str] | None = None

    @property
    def reference(self) -> str:
        """The ModelKit as a user would type it."""
        return self.repository.reference(self.tag or self.digest)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be searched, and why."""

    reference: str
    error: KittuiError


@dataclass
class Progress:
    """How far the search is."""

    sources: int = 0
    repositories: int = 0
    modelkits: int = 0
    at: str = ""


@dataclass(slots=True)
class _Kits:
    """The searched ModelKits of one repository, and those that its indexes list."""

    seen: set[Digest] = field(default_factory=set)
    listed: dict[Digest, None] = field(default_factory=dict)


@dataclass
class Finder:
    """Searches places one after the other, several of their ModelKits at once.

    Digests need only manifests and configs. Files need the file lists of layers, each read once, however
    many ModelKits share it; a layer that would need a question to read is a Problem.
    """

    modelkits: ModelKits
    inspector: Inspector
    on_progress: Callable[[Progress], None] = lambda _: None
    progress: Progress = field(default_factory=Progress)

    async def search(self, query: Query, places: Sequence[Place]) -> AsyncIterator[Match | Problem]:
        """Yield all matches as they are found; a failure becomes a Problem and the search continues.

        If no Kitfile has the value, PATH=VALUE is searched as a file name: checkpoints may have such names.
        """
        queries = [query]
        if query.value is not None and query.value[1]:
            queries.append(replace(query, value=None))
        failed: set[tuple[str, str]] = set()
        matched = False
        for number, each in enumerate(queries):
            if number:
                self.progress.sources = self.progress.repositories = self.progress.modelkits = 0
            async for found in self._places(each, places):
                if isinstance(found, Match):
                    matched = True
                elif (failure := (found.reference, found.error.message)) in failed:
                    continue
                else:
                    failed.add(failure)
                yield found
            if matched:
                return

    async def _places(self, query: Query, places: Sequence[Place]) -> AsyncIterator[Match | Problem]:
        for place in places:
            self.progress.sources += 1
            names, problem = await self._repositories(place)
            if problem is not None:
                yield Problem(str(place.source.place), problem)
            for name in names:
                async for found in self._repository(query, place.source.repository(name), place.target):
                    yield found

    async def _repositories(self, place: Place) -> tuple[Sequence[str], KittuiError | None]:
        """Where to search, and why that may be incomplete."""
        if place.repository is not None:
            return [place.repository], None
        names: list[str] = []
        problem: KittuiError | None = None
        try:
            async for page in place.source.repositories():
                names += [entry.name for entry in page]
        except Incomplete as error:
            problem = error
        except KittuiError as error:
            problem = None if place.repositories else error
        return list(dict.fromkeys([*names, *place.repositories])), problem

    async def _repository(
        self, query: Query, repository: Repository, target: Target | None
    ) -> AsyncIterator[Match | Problem]:
        self.progress.repositories += 1
        self.progress.at = repository.reference(target)
        self.on_progress(self.progress)
        kits = _Kits()
        if target is not None:
            tag = target if isinstance(target, Tag) else None
            for found in await self._modelkit(query, repository, tag, target, kits):
                yield found
            async for found in self._variants(query, repository, kits):
                yield found
            return
        try:
            listing = await list_tags(repository)
        except KittuiError as error:
            yield Problem(repository.reference(), error)
            return
        if listing.incomplete is not None:
            yield Problem(repository.reference(), listing.incomplete)
        slots = asyncio.Semaphore(repository.source.traits.at_once)

        async def one(entry: TagEntry) -> list[Match | Problem]:
            wanted = entry.descriptor.digest if entry.descriptor is not None else entry.name
            if wanted is None:
                return []
            async with slots:
                return await self._modelkit(query, repository, entry.name, wanted, kits)

        tasks = [asyncio.ensure_future(one(entry)) for entry in listing.tags]
        try:
            for task in tasks:
                for found in await task:
                    yield found
        finally:
            await stop(*tasks)
        async for found in self._variants(query, repository, kits):
            yield found

    async def _variants(self, query: Query, repository: Repository, kits: _Kits) -> AsyncIterator[Match | Problem]:
        """The variants that indexes list and no tag points to."""
        while left := [digest for digest in kits.listed if digest not in kits.seen]:
            for digest in left:
                for found in await self._modelkit(query, repository, None, digest, kits):
                    yield found
                kits.seen.add(digest)

    async def _modelkit(
        self, query: Query, repository: Repository, tag: Tag | None, target: Target, kits: _Kits
    ) -> list[Match | Problem]:
        try:
            kit = await self.modelkits.open(repository, target)
        except KittuiError as error:
            return [Problem(repository.reference(tag or target), error)]
        self.progress.modelkits += 1
        self.on_progress(self.progress)
        kits.seen.add(kit.digest)
        kits.listed.update(dict.fromkeys(one.digest for one in kit.manifest.manifests))
        if query.digest is not None:
            return list(_by_digest(query.digest, repository, tag, kit))
        if query.value is not None:
            values = query.values(exact_kitfile(kit))
            return [Match(repository, tag, kit.digest, "value", value=each) for each in values]
        found: list[Match | Problem] = []
        for layer in kit.layers:
            found += await self._files(query, repository, tag, kit, layer)
        return found

    async def _files(
        self, query: Query, repository: Repository, tag: Tag | None, kit: ModelKit, layer: Layer
    ) -> list[Match | Problem]:
        try:
            listing = await self.inspector.listing(repository, layer)
        except KittuiError as error:
            # The Kitfile may still list the file.
            named = bool(layer.path) and query.fits(posixpath.normpath(layer.path or ""))
            claim = [Match(repository, tag, kit.digest, "layer", layer, verified=False)] if named else []
            return [*claim, Problem(f"{repository.reference(tag or kit.digest)} {layer.path or layer.digest}", error)]
        return [
            Match(repository, tag, kit.digest, "file", layer, entry, listing.verified)
            for entry in listing.files
            if entry.type != "dir" and query.fits(entry.path)
        ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value in a Kitfile as text, with its path; the entries of lists have numbers from 1."""
    pending = [(path, value)]
    while pending:
        at, one = pending.pop()
        if isinstance(one, dict):
            pending += reversed([(f"{at}.{key}" if at else str(key), each) for key, each in one.items()])
        elif isinstance(one, list):
            pending += reversed([(f"{at}.{number}", each) for number, each in enumerate(one, 1)])
        elif one is not None:
            yield at, str(one).lower() if isinstance(one, bool) else str(one)


def _by_digest(digest: Digest, repository: Repository, tag: Tag | None, kit: ModelKit) -> list[Match]:
    found: list[Match] = []
    if kit.digest == digest:
        found.append(Match(repository, tag, kit.digest, "manifest"))
    if kit.manifest.config is not None and kit.manifest.config.digest == digest:
        found.append(Match(repository, tag, kit.digest, "config"))
    for layer in kit.layers:
        if layer.digest == digest:
            found.append(Match(repository, tag, kit.digest, "layer", layer))
        elif layer.diff_id == digest:
            found.append(Match(repository, tag, kit.digest, "diff_id", layer))
    return found

"""Browsing: repositories, tags, and a tag's ModelKit, each requested once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from kittui.errors import KittuiError
from kittui.modelkit.kinds import MODELS, Kind, kind_of, label_of
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import CONFIG_LIMIT, CREATED
from kittui.oci.order import natural_key
from kittui.oci.protocols import Incomplete, Repository, RepositoryEntry, Source, TagEntry
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import aside_if_large, spread
from kittui.usecases.browse.tag_names import AttachedTag, attached_tag

if TYPE_CHECKING:
    from kittui.modelkit.modelkit import ModelKit

REMEMBERED: Final = 20_000
"""ModelKits kept in memory."""


class ContentCache(Protocol):
    """A cache of verified bytes by digest that persists between runs."""

    def get(self, digest: Digest) -> bytes | None:
        """The bytes, which match the digest; None if they aren't cached. Blocks."""
        ...

    def put(self, digest: Digest, content: bytes) -> None:
        """Store bytes that were verified against the digest; never fails. Blocks."""
        ...

    def tag(self, name: str) -> Digest | None:
        """The digest a tag had when it was last read; None if unknown. Blocks."""
        ...

    def note_tag(self, name: str, digest: Digest) -> None:
        """Remember a tag's digest; never fails. Blocks."""
        ...


class NoCache:
    """A cache that stores nothing."""

    def get(self, digest: Digest) -> bytes | None:
        """Nothing."""
        return None

    def put(self, digest: Digest, content: bytes) -> None:
        """Nothing."""

    def tag(self, name: str) -> Digest | None:
        """Nothing."""
        return None

    def note_tag(self, name: str, digest: Digest) -> None:
        """Nothing."""


def repositories(source: Source) -> AsyncIterator[Sequence[RepositoryEntry]]:
    """Yield all repositories of a source, page by page.

    Raises Unsupported without a catalog, and Incomplete after the last page if there may be more.
    """
    return source.repositories()


async def tags(repository: Repository) -> AsyncIterator[Sequence[TagEntry]]:
    """Yield all tags, page by page, without those that hold signatures of others.

    Raises Incomplete after the last page if there may be more.
    """
    async for page in repository.tags():
        yield [entry for entry in page if entry.name is None or attached_tag(entry.name) is None]


@dataclass(frozen=True, slots=True)
class TagListing:
    """The tags of a repository in natural order, untagged manifests last; `attached` is keyed by subject digest.

    `incomplete`: why there may be more.
    """

    tags: tuple[TagEntry, ...]
    attached: Mapping[Digest, tuple[AttachedTag, ...]] = field(hash=False)
    incomplete: Incomplete | None = None


async def list_tags(repository: Repository) -> TagListing:
    """All tags, or as many as could be listed; raises NotFound for a missing repository."""
    found: list[TagEntry] = []
    attached: dict[Digest, list[AttachedTag]] = {}
    incomplete: Incomplete | None = None
    try:
        async for page in repository.tags():
            for entry in page:
                folded = attached_tag(entry.name) if entry.name is not None else None
                if folded is None:
                    found.append(entry)
                else:
                    attached.setdefault(folded.subject, []).append(folded)
    except Incomplete as error:
        incomplete = error
    found.sort(key=lambda entry: (entry.name is None, natural_key(entry.name or "")))
    return TagListing(tuple(found), {digest: tuple(tags) for digest, tags in attached.items()}, incomplete)


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag with data from its manifest: `size` is bytes of config and layers, `problem` why it can't be read.

    `created` is set if the manifest has it, or the config was read before.
    """

    tag: Tag | None
    digest: Digest | None
    size: int | None
    kind: Kind | None = None
    label: str | None = None
    problem: str | None = None
    attached: tuple[AttachedTag, ...] = ()
    created: str | None = None


class ModelKits:
    """Opens ModelKits by tag and digest: at most one manifest and one config request, none the second time.

    A tag is requested once per instance, until `forget`; a digest's content never changes and is kept in `cache`
    between runs, so a tag that has not moved since an earlier run costs only a HEAD. Concurrent requests for the same
    thing are sent once.
    """

    def __init__(self, cache: ContentCache | None = None, *, remembered: int = REMEMBERED) -> None:
        self._cache = NoCache() if cache is None else cache
        self._remembered = remembered
        self._kits: OrderedDict[Digest, ModelKit] = OrderedDict()
        self._manifests: OrderedDict[Digest, Manifest] = OrderedDict()
        self._tags: dict[str, Digest] = {}
        self._asked: dict[str, asyncio.Future[Manifest]] = {}
        self._present: set[str] = set()

    def cached(self, digest: Digest) -> ModelKit | None:
        """A ModelKit that was opened before, from memory alone."""
        return self._kits.get(digest)

    def forget(self, repository: Repository | None = None) -> None:
        """Request tags anew next time: those of a repository, or all."""
        if repository is None:
            self._tags.clear()
            return
        prefix = repository.reference() + ":"
        for name in [name for name in self._tags if name.startswith(prefix)]:
            del self._tags[name]

    async def manifest(self, repository: Repository, target: Target) -> Manifest:
        """The manifest of a tag or digest; raises NotFound, ContentError and the source's errors."""
        key = repository.reference(target)
        digest = target if isinstance(target, Digest) else self._tags.get(key)
        if digest is not None:
            known = self._manifests.get(digest) or await self._kept(digest)
            if known is not None:
                await self._require(repository, digest)
                return known
        running = self._asked.get(key)
        while running is not None:
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                if not running.cancelled():
                    raise
            running = self._asked.get(key)
        future: asyncio.Future[Manifest] = asyncio.get_running_loop().create_future()
        self._asked[key] = future
        try:
            unmoved = await self._unmoved(repository, target) if digest is None and isinstance(target, Tag) else None
            manifest = unmoved or await repository.manifest(digest or target)
        except BaseException as error:
            if isinstance(error, KittuiError):
                future.set_exception(error)
                future.exception()
            else:
                future.cancel()
            raise
        else:
            future.set_result(manifest)
        finally:
            del self._asked[key]
        self._present.add(repository.reference(manifest.digest))
        self._remember(manifest)
        if isinstance(target, Tag):
            self._tags[key] = manifest.digest
            if not repository.source.traits.lists_digests:
                await asyncio.to_thread(self._cache.note_tag, _tag_name(repository, target), manifest.digest)
        again = await aside_if_large(len(manifest.raw), Manifest.parse, manifest.raw) if unmoved is None else None
        if again is not None and again.media_type == manifest.media_type:
            await asyncio.to_thread(self._cache.put, manifest.digest, manifest.raw)
        return manifest

    async def _require(self, repository: Repository, digest: Digest) -> None:
        """Raise NotFound if a repository lacks a manifest whose digest is known from another repository."""
        name = repository.reference(digest)
        if name not in self._present:
            await repository.resolve(digest)
            self._present.add(name)

    async def _unmoved(self, repository: Repository, tag: Tag) -> Manifest | None:
        """The cached manifest of a registry's tag from an earlier run, if one HEAD shows that it has not moved."""
        if repository.source.traits.lists_digests:
            return None
        if await asyncio.to_thread(self._cache.tag, _tag_name(repository, tag)) is None:
            return None
        found = await repository.resolve(tag)
        return self._manifests.get(found.digest) or await self._kept(found.digest)

    async def _kept(self, digest: Digest) -> Manifest | None:
        raw = await asyncio.to_thread(self._cache.get, digest)
        if raw is None:
            return None
        try:
            manifest = await aside_if_large(len(raw), Manifest.parse, raw, None, digest)
        except KittuiError:
            return None
        self._remember(manifest)
        return manifest

    def _remember(self, manifest: Manifest) -> None:
        self._manifests[manifest.digest] = manifest
        while len(self._manifests) > self._remembered:
            self._manifests.popitem(last=False)

    async def open(self, repository: Repository, target: Target) -> ModelKit:
        """The ModelKit at a tag or digest, or any other artifact, labelled as such.

        Raises NotFound, ContentError and the source's errors.
        """
        manifest = await self.manifest(repository, target)
        known = self._kits.get(manifest.digest)
        if known is not None:
            return known
        config = b""
        if manifest.config is not None and kind_of(manifest) in MODELS:
            kept = await asyncio.to_thread(self._cache.get, manifest.config.digest)
            if kept is None:
                config = await repository.read_blob(manifest.config, CONFIG_LIMIT)
                await asyncio.to_thread(self._cache.put, manifest.config.digest, config)
            else:
                config = kept
        # Parsing imports YAML, which the first screen doesn't need.
        from kittui.modelkit.modelkit import ModelKit

        size = len(manifest.raw) + len(config)
        kit = await aside_if_large(size, ModelKit.parse, manifest, config)
        self._kits[manifest.digest] = kit
        while len(self._kits) > self._remembered:
            self._kits.popitem(last=False)
        return kit

    async def rows(self, repository: Repository, listing: TagListing) -> list[TagRow]:
        """What the manifests of all listed tags say, a few at a time; a tag that fails is a marked row."""

        async def row(entry: TagEntry) -> TagRow:
            return await self._row(repository, entry, listing.attached)

        return await spread(listing.tags, row, at_once=repository.source.traits.at_once)

    async def _row(
        self, repository: Repository, entry: TagEntry, attached: Mapping[Digest, tuple[AttachedTag, ...]]
    ) -> TagRow:
        digest = entry.descriptor.digest if entry.descriptor else None
        if entry.problem is not None:
            return TagRow(entry.name, digest, None, problem=entry.problem)
        target = digest or entry.name
        if target is None:
            return TagRow(None, None, None, problem="neither a tag nor a digest")
        if digest is not None:
            self._present.add(repository.reference(digest))
        try:
            manifest = await self.manifest(repository, target)
        except KittuiError as error:
            return TagRow(entry.name, digest, None, problem=error.message)
        kind = kind_of(manifest)
        size = None if manifest.is_index else manifest.content_size
        about = attached.get(manifest.digest, ())
        known = self._kits.get(manifest.digest)
        created = known.created if known is not None else manifest.annotations.get(CREATED)
        return TagRow(entry.name, manifest.digest, size, kind, label_of(kind, manifest), None, about, created)


def _tag_name(repository: Repository, tag: Tag) -> str:
    return f"{repository.source.place} {repository.name}:{tag}"

"""Which tags share a digest: what a remove takes along, and what a tag's move leaves without any tag."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kittui.errors import KittuiError, NotFound
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.tasks import together
from kittui.usecases.change.tags import digest_at

AT_ONCE = 8
"""Tags resolved at the same time where a source lists names alone."""
_FALLBACK = re.compile(r"sha256-[0-9a-f]{64}(?:\..*)?\Z")
_VERSION = re.compile(r"v?\d")


@dataclass(frozen=True, slots=True)
class Siblings:
    """Tags by digest; `unread` are tags that were not looked at, or could not be read."""

    by_digest: Mapping[Digest, tuple[str, ...]]
    unread: tuple[str, ...]

    def of(self, digest: Digest) -> tuple[str, ...]:
        """The tags that point to a digest, sorted."""
        return self.by_digest.get(digest, ())


async def tags_by_digest(repository: Repository, known: Mapping[str, Digest] | None = None) -> Siblings:
    """All tags of a repository with their digests; `known` are tags that need not be read again."""
    found, unread = await _listed(repository, known or {})
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(tag: str) -> tuple[str, Digest | None]:
        async with gate:
            try:
                return tag, await digest_at(repository, tag)
            except KittuiError:
                return tag, None

    for tag, digest in await together(*(read(tag) for tag in unread)):
        if digest is not None:
            found[tag] = digest
    return _grouped(found, [tag for tag in unread if tag not in found])


async def keeps_a_tag(
    repository: Repository, digest: Digest, leaving: Collection[str], known: Mapping[str, Digest], lookups: int
) -> tuple[str | None, int]:
    """A tag that stays on the digest, and how many tags were not looked at to find one.

    `leaving` are tags that move away; at most `lookups` tags are resolved, the likeliest first: versions in order.
    """
    found, unread = await _listed(repository, known)
    for tag, at in sorted(found.items()):
        if at == digest and tag not in leaving:
            return tag, 0
    candidates = sorted(
        (tag for tag in unread if tag not in leaving and not _FALLBACK.match(tag)),
        key=lambda tag: (not _VERSION.match(tag), tag),
    )
    for tag in candidates[:lookups]:
        if await digest_at(repository, tag) == digest:
            return tag, 0
    return None, max(0, len(candidates) - lookups)


async def _listed(repository: Repository, known: Mapping[str, Digest]) -> tuple[dict[str, Digest], list[str]]:
    found: dict[str, Digest] = {}
    unread: list[str] = []
    try:
        async for page in repository.tags():
            for entry in page:
                if entry.name is None:
                    continue
                if entry.descriptor is not None:
                    found[entry.name] = entry.descriptor.digest
                elif entry.name in known:
                    found[entry.name] = known[entry.name]
                else:
                    unread.append(entry.name)
    except NotFound:
        return {}, []
    return found, unread


def _grouped(found: Mapping[str, Digest], unread: Collection[str]) -> Siblings:
    by_digest: dict[Digest, list[str]] = {}
    for tag, digest in sorted(found.items()):
        by_digest.setdefault(digest, []).append(tag)
    return Siblings({digest: tuple(tags) for digest, tags in by_digest.items()}, tuple(sorted(unread)))

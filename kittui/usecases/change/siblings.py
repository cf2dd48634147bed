"""Finds the tags that share a digest: which ones a delete removes, and whether a move leaves a digest untagged."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from kittui.errors import KittuiError, NotFound
from kittui.oci.digest import Digest
from kittui.oci.order import is_version
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.tasks import spread_all
from kittui.terminal import counted
from kittui.usecases.change.readings import digest_at

AGE = 30.0
"""Seconds for which one listing of all tags is good for the deletions of a batch."""
_FALLBACK = re.compile(r"sha256-[0-9a-f]{64}(?:\..*)?\Z")


@dataclass(frozen=True, slots=True)
class Siblings:
    """Tags by digest. `unread` are tags that could not be read; `incomplete`: why there may be more tags than these."""

    by_digest: Mapping[Digest, tuple[Tag, ...]]
    unread: tuple[str, ...]
    incomplete: Incomplete | None = None

    def of(self, digest: Digest) -> tuple[Tag, ...]:
        """The tags at a digest, sorted."""
        return self.by_digest.get(digest, ())

    @property
    def doubt(self) -> str:
        """Why a digest may have more tags than these; empty if all are known."""
        if self.incomplete is not None:
            return self.incomplete.reason
        return f"{counted(len(self.unread), 'tag')} could not be read, such as {self.unread[0]}" if self.unread else ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A tag that stays on a digest, if one was found. `unread` counts tags not read, `incomplete` says why."""

    tag: Tag | None = None
    unread: int = 0
    incomplete: Incomplete | None = None

    @property
    def lost(self) -> bool:
        """Whether certainly no tag stays."""
        return self.tag is None and not self.unread and self.incomplete is None

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes for a plan, as sentences without full stops."""
        if self.tag is not None or self.lost:
            return ()
        why = self.incomplete.message if self.incomplete else f"{self.unread} tags were not read"
        return (f"it is unknown whether another tag stays on it: {why}",)


async def tags_by_digest(
    repository: Repository,
    known: Mapping[Tag, Digest] | None = None,
    *,
    on_read: Callable[[int, int], None] = lambda _done, _total: None,
) -> Siblings:
    """All tags of a repository with their digests; tags in `known` are not read again.

    `on_read` hears how many tags were read, and of how many.
    """
    found, unread, incomplete = await _listed(repository, known or {})

    async def read(tag: Tag) -> tuple[Tag, Digest | None]:
        return tag, await digest_at(repository, tag)

    looked, failed = await spread_all(
        unread,
        read,
        at_once=repository.source.traits.at_once,
        on_done=lambda done: on_read(done, len(unread)),
    )
    found.update({tag: digest for tag, digest in looked if digest is not None})
    return Siblings(_grouped(found), tuple(sorted(tag for tag, _ in failed)), incomplete)


class TagsOfBatch:
    """The tags of a repository, shared by the deletions of a batch, so that not each of them reads all tags.

    All tags are read before the first delete, and again once that is older than AGE. In between, before each
    delete, the names are listed again, and these are read: new tags, the tags to remove, and those in `moving`, which
    people move (the stages). So a tag created on a digest, or a stage that moves there, is noticed before that
    digest is deleted. Another existing tag that is moved onto it can go unnoticed for up to AGE.
    """

    def __init__(self, repository: Repository, moving: Collection[str] = ()) -> None:
        self._repository = repository
        self._moving = frozenset(moving)
        self._known: dict[Tag, Digest] = {}
        self._read_at: float | None = None

    async def before_delete(self, going: Collection[Tag]) -> Siblings:
        """All tags with their digests, as up to date as needed before these are removed."""
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > AGE:
            self._known, self._read_at = {}, now
        again = {*going, *self._moving}
        found = await tags_by_digest(
            self._repository, {tag: digest for tag, digest in self._known.items() if tag not in again}
        )
        self._known = {tag: digest for digest, tags in found.by_digest.items() for tag in tags}
        return found


async def keeps_a_tag(
    repository: Repository, digest: Digest, leaving: Collection[str], known: Mapping[Tag, Digest], lookups: int
) -> Kept:
    """Look for a tag that stays on the digest.

    `leaving` are tags that move away; at most `lookups` tags are resolved, the likeliest (versions) first.
    """
    found, unread, incomplete = await _listed(repository, known)
    for tag, at in sorted(found.items()):
        if at == digest and tag not in leaving:
            return Kept(tag)
    candidates = sorted(
        (tag for tag in unread if tag not in leaving and not _FALLBACK.match(tag)),
        key=lambda tag: (not is_version(tag), tag),
    )
    for tag in candidates[:lookups]:
        if await digest_at(repository, tag) == digest:
            return Kept(tag)
    return Kept(None, max(0, len(candidates) - lookups), incomplete)


async def _listed(
    repository: Repository, known: Mapping[Tag, Digest]
) -> tuple[dict[Tag, Digest], list[Tag], Incomplete | None]:
    found: dict[Tag, Digest] = {}
    unread: list[Tag] = []
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
    except Incomplete as error:
        return found, unread, error
    except NotFound:
        return {}, [], None
    except KittuiError as error:
        incomplete = Incomplete(f"list the tags of {repository.name}", error.message)
        incomplete.__cause__ = error
        return found, unread, incomplete
    return found, unread, None


def _grouped(found: Mapping[Tag, Digest]) -> dict[Digest, tuple[Tag, ...]]:
    by_digest: dict[Digest, list[Tag]] = {}
    for tag, digest in sorted(found.items()):
        by_digest.setdefault(digest, []).append(tag)
    return {digest: tuple(tags) for digest, tags in by_digest.items()}

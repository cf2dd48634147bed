"""Computes what a source on this machine holds, and what a removal there frees, to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from kittui.oci.digest import Digest
from kittui.oci.tag import Tag

Key = tuple[str, Digest]
"""A repository's name, and a manifest in it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A manifest that a repository lists.

    `needs` is itself and everything that it refers to. `stays` is what gets listed on its own once this is removed,
    with what that needs: the variants of a ModelKit index. `subject` is what it is attached to, such as a signature's
    ModelKit.
    """

    repository: str
    digest: Digest
    tags: tuple[Tag, ...]
    needs: frozenset[Digest]
    stays: tuple[tuple[Digest, frozenset[Digest]], ...] = ()
    subject: Digest | None = None

    @property
    def key(self) -> Key:
        """Its unique key."""
        return self.repository, self.digest


@dataclass(frozen=True)
class Holdings:
    """Everything in a source: `sizes` of all blobs on disk, what is listed, and `kept`, which other files may need.

    `leftovers` are bytes of unfinished downloads. `doubt` says why it is unknown what is in use: then nothing is freed.
    """

    sizes: Mapping[Digest, int]
    held: tuple[Holding, ...]
    kept: frozenset[Digest] = frozenset()
    leftovers: int = 0
    doubt: str = ""

    @cached_property
    def _users(self) -> dict[Digest, list[Holding]]:
        users: dict[Digest, list[Holding]] = {}
        for one in self.held:
            for digest in one.needs:
                users.setdefault(digest, []).append(one)
        return users

    @property
    def total(self) -> int:
        """Bytes of all blobs."""
        return sum(self.sizes.values())

    @property
    def unused(self) -> int:
        """Bytes of blobs that nothing needs; 0 if unknown."""
        return 0 if self.doubt else self._size(self.sizes.keys() - self._users.keys() - self.kept)

    def size(self, one: Holding) -> int:
        """Bytes of everything that a holding needs."""
        return self._size(one.needs)

    def freed(self, gone: Iterable[Holding]) -> int:
        """Bytes that become free when all of these are removed, in this order: what nothing else needs."""
        going = list({one.key: one for one in gone}.values())
        if self.doubt:
            return 0
        leaving = Counter(digest for one in going for digest in one.needs)
        free = {digest for digest, uses in leaving.items() if uses == len(self._users[digest])} - self.kept
        for number, one in enumerate(going):
            later = {each.key for each in going[number + 1 :]}
            for child, needs in one.stays:
                free -= needs if (one.repository, child) not in later else frozenset()
        return self._size(free)

    def shared(self, one: Holding) -> dict[tuple[Holding, ...], int]:
        """Bytes that a holding shares, by the others that need them too: they are freed only with those."""
        found: Counter[tuple[Holding, ...]] = Counter()
        for digest in one.needs:
            if others := tuple(each for each in self._users[digest] if each is not one):
                found[others] += self.sizes.get(digest, 0)
        return {others: size for others, size in found.items() if size}

    def _size(self, digests: Collection[Digest]) -> int:
        return sum(self.sizes.get(digest, 0) for digest in digests)


Progressed = Callable[[int, int], None]
"""Called with the number of manifests read so far and the total."""


@runtime_checkable
class SupportsHoldings(Protocol):
    """A source on this machine, which can report what it has on disk."""

    async def holdings(self, told: Progressed = lambda done, total: None) -> Holdings:
        """Read every manifest; raises NotFound if the source does not exist, StorageError."""
        ...

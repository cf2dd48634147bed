"""Reads the evidence for gates once: Kitfiles and scans for good, statements for a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kittui.compare.review import Review
from kittui.modelkit.modelkit import ModelKit
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import Repository
from kittui.trust.keyring import Keyring
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.verify import Verification, check_attached

if TYPE_CHECKING:
    from kittui.state.reviews import Reviews
    from kittui.usecases.inspect.risk import RiskReport
    from kittui.usecases.inspect.scan import ScanReport

FRESH: Final = 10.0
"""Seconds for which statements are not read again: a plan that is shown and then confirmed reads them once."""
T = TypeVar("T")


@dataclass
class _Reading:
    """A running or finished read, and how many wait for it."""

    at: float
    task: asyncio.Task[Any]
    waiting: int = 0

    @property
    def failed(self) -> bool:
        """Whether it must be read again because it failed or is being cancelled."""
        task = self.task
        return task.cancelling() > 0 or (task.done() and (task.cancelled() or task.exception() is not None))


@dataclass
class Evidence:
    """Reads what gates ask for, once for each digest; `keyring` returns the keys that count (blocks).

    `reviews` are those of this machine; `cached` are ModelKits that were read before.
    """

    keyring: Callable[[], Keyring]
    inspector: Callable[[], Inspector]
    clock: Callable[[], float] = time.monotonic
    reviews: Reviews | None = None
    cached: Callable[[Digest], ModelKit | None] = lambda _: None
    _known: dict[tuple[str, str, Digest], _Reading] = field(default_factory=dict)
    _last: dict[tuple[str, Digest], Verification] = field(default_factory=dict)

    async def kit(self, repository: Repository, manifest: Manifest) -> ModelKit:
        """Read the ModelKit of a manifest, with at most one request."""

        async def read() -> ModelKit:
            known = self.cached(manifest.digest)
            if known is not None:
                return known
            config = b""
            if manifest.config is not None:
                config = await repository.read_blob(manifest.config, CONFIG_LIMIT)
            return ModelKit.parse(manifest, config)

        return await self._once("kit", repository, manifest.digest, read)

    async def statements(
        self,
        repository: Repository,
        digest: Digest,
        tags: Collection[str] | None = None,
        origin: Repository | None = None,
    ) -> Verification:
        """Read and check what is attached to a digest whose manifest was read.

        With `origin`, also what a copy from there will bring, checked with the keys that count for `repository`.
        """

        async def read() -> Verification:
            keyring = (await asyncio.to_thread(self.keyring)).for_repository(plain_name(repository))
            found = await check_attached(repository, digest, keyring, tags=tags)
            self._last[repository.reference(), digest] = found
            return found

        async def read_there(there: Repository) -> Verification:
            keyring = (await asyncio.to_thread(self.keyring)).for_repository(plain_name(repository))
            return await check_attached(there, digest, keyring)

        here = await self._once("statements", repository, digest, read, FRESH)
        if origin is None:
            return here
        what = f"statements for {repository.reference()}"
        there = await self._once(what, origin, digest, lambda: read_there(origin), FRESH)
        known = {(one.digest, one.layer) for one in here.signatures}
        new = tuple(one for one in there.signatures if (one.digest, one.layer) not in known)
        return replace(here, signatures=here.signatures + new, complete=here.complete and there.complete)

    async def review(self, before: Digest, after: Digest) -> Review:
        """This machine's review of the differences between two ModelKits, in either order."""

        def read() -> Review:
            reviews = self.reviews
            if reviews is None:
                return Review()
            found = [Review.from_json(reviews.read(*pair)) for pair in ((before, after), (after, before))]
            return max(found, key=lambda review: (review.whole, not review.empty))

        return await asyncio.to_thread(read)

    async def reviewed_before(self, digest: Digest) -> bool:
        """Whether this machine has a review of a ModelKit against any other."""
        return self.reviews is not None and await asyncio.to_thread(self.reviews.has_others, digest)

    def known(self, repository: Repository, digest: Digest) -> Verification | None:
        """The last result for a digest, even if forgotten, without a request.

        None if that failed; while it is read again, the earlier result.
        """
        reading = self._known.get(("statements", repository.reference(), digest))
        return None if reading is None or reading.failed else self._last.get((repository.reference(), digest))

    def forget(self, repository: Repository | None = None) -> None:
        """Make the next call read statements again: those of a repository, or all."""
        for key, reading in self._known.items():
            if key[0].startswith("statements") and (repository is None or key[1] == repository.reference()):
                reading.at = float("-inf")

    async def risk(self, repository: Repository, manifest: Manifest) -> RiskReport:
        """Scan the files with kittui's own check, which reads the parts of layers that it needs."""

        async def read() -> RiskReport:
            from kittui.usecases.inspect.files import list_layers
            from kittui.usecases.inspect.risk import assess

            kit = await self.kit(repository, manifest)
            inspector = self.inspector()
            listed = await list_layers(inspector, repository, kit.layers)
            return await assess(inspector, repository, kit, listed)

        return await self._once("risk", repository, manifest.digest, read)

    async def scan(self, repository: Repository, manifest: Manifest) -> ScanReport:
        """Scan a copy of the files with ModelScan, which reads them whole.

        Raises Unsupported if it is not installed.
        """

        async def read() -> ScanReport:
            from kittui.usecases.inspect.files import FoundFile, list_layers
            from kittui.usecases.inspect.scan import scan_files

            kit = await self.kit(repository, manifest)
            inspector = self.inspector()
            files = [
                FoundFile(one.layer, entry)
                for one in await list_layers(inspector, repository, kit.layers)
                if one.listing is not None
                for entry in one.listing.files
                if entry.type == "file" and not entry.problem
            ]
            return await scan_files(inspector, repository, files)

        return await self._once("scan", repository, manifest.digest, read)

    async def _once(
        self,
        what: str,
        repository: Repository,
        digest: Digest,
        read: Callable[[], Coroutine[Any, Any, T]],
        lasts: float | None = None,
    ) -> T:
        """Read once, even if several ask at the same time; failed reads are repeated.

        A read is cancelled if nobody waits for it any more.
        """
        key = (what, repository.reference(), digest)
        known = self._known.get(key)
        stale = known is None or (lasts is not None and self.clock() - known.at > lasts)
        if known is None or stale or known.failed:
            known = self._known[key] = _Reading(self.clock(), asyncio.create_task(read()))
        known.waiting += 1
        try:
            result: T = await asyncio.shield(known.task)
            return result
        finally:
            known.waiting -= 1
            if not known.waiting:
                known.task.cancel()

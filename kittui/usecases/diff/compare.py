"""Compares two versions level by level, the cheapest first, and reports each level as soon as it is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kittui.compare.changes import LayerChange, LayerDetail
from kittui.compare.comparison import Comparison, Version
from kittui.compare.files import find_moves
from kittui.compare.text import AS_EVER, LineRules
from kittui.errors import KittuiError
from kittui.oci.order import natural_key
from kittui.oci.protocols import at_once
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.oci.traffic import Traffic, metered
from kittui.tasks import aside, together
from kittui.usecases.diff.access import Allowance
from kittui.usecases.diff.layers import LayerComparer
from kittui.usecases.diff.manifests import compare_modelkits
from kittui.usecases.diff.opened import Opened
from kittui.usecases.diff.tensors import match_moved, read_headers, read_moved
from kittui.usecases.diff.texts import read_large_texts, read_one_sided_texts, read_small_files

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.state.reviews import Reviews
    from kittui.usecases.inspect.inspector import Inspector

REMOTE_BUDGET = 600_000
"""Bytes of small files that are read over the network without a question."""
LOCAL_BUDGET = 64 * 1024 * 1024
"""Bytes of small files that are read on this machine without a question."""
LARGE = 50_000
"""A number of files and tensors that takes a noticeable part of a second to gather."""
_AT_ONCE = 4
_REST = 4

OnUpdate = Callable[[Comparison], None]
OpenModelKit = Callable[["Repository", "Target"], Awaitable["ModelKit"]]


@dataclass(frozen=True, slots=True)
class Side:
    """One version: a tag or digest in a repository of any source."""

    repository: Repository
    target: Target

    @property
    def reference(self) -> str:
        """As a user would type it."""
        return self.repository.reference(self.target)


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep to compare.

    `content` reads every differing layer once; `sample` is the number of random windows to read of each unread file;
    `rules` define how lines are compared.
    """

    content: bool = False
    sample: int = 0
    remote_budget: int = REMOTE_BUDGET
    local_budget: int = LOCAL_BUDGET
    rules: LineRules = AS_EVER


@dataclass(slots=True)
class DiffUseCase:
    """Compares versions from any two sources.

    `holders` are repositories on this machine; blobs that they have are read from there.
    """

    modelkit: OpenModelKit
    inspector: Inspector
    holders: Sequence[Repository] = ()
    reviews: Reviews | None = None
    """Where reviews are saved, if anywhere."""

    async def compare(
        self, a: Side, b: Side, depth: Depth | None = None, on_update: OnUpdate | None = None
    ) -> Comparison:
        """Compare two versions; `on_update` gets each intermediate state, the last one is returned.

        Raises errors of finding and reading either manifest or config. What can't be read below that becomes
        a problem of its layer, and the rest continues.
        """
        with metered() as traffic:
            first, second = await together(self._open(a), self._open(b))
            versions = await _version(a, first), await _version(b, second)
            state = await aside(compare_modelkits, *versions, first, second)
            return await _Work(self, (a, b), (first, second), state, depth or Depth(), traffic, on_update).run()

    async def glance(self, a: Side, b: Side) -> Comparison:
        """Compare manifests and configs only, without reading layers; raises as compare() does."""
        with metered() as traffic:
            first, second = await together(self._open(a), self._open(b))
            comparison = compare_modelkits(await _version(a, first), await _version(b, second), first, second)
            return replace(comparison, requests=traffic.requests, bytes=traffic.bytes)

    async def _open(self, side: Side) -> ModelKit:
        try:
            return await self.modelkit(side.repository, side.target)
        except KittuiError as error:
            raise error.at(side.reference) from None


class _Work:
    """A running comparison."""

    def __init__(
        self,
        case: DiffUseCase,
        sides: tuple[Side, Side],
        kits: tuple[ModelKit, ModelKit],
        state: Comparison,
        depth: Depth,
        traffic: Traffic,
        on_update: OnUpdate | None,
    ) -> None:
        self._case = case
        self._sides = sides
        self._kits = kits
        self._depth = depth
        self._traffic = traffic
        self._on_update = on_update
        self._opened: dict[int, Opened] = {}
        self._state = state
        self._config = self._state.metadata
        self._next_publish = self._next_told = 0.0

    async def run(self) -> Comparison:
        differing = [
            number
            for number, layer in enumerate(self._state.layers)
            if layer.status in ("changed", "added", "removed") and layer.type != "manifest"
        ]
        self.publish(complete=not differing)
        if differing:
            await self._look_inside(differing)
        if self._is_large:
            # Nothing changes any more, so a thread may gather everything.
            return self._report(await aside(self._gathered, complete=True))
        return self.publish(complete=True)

    @property
    def _is_large(self) -> bool:
        """Whether gathering the state would block the event loop; then it is reported only at the end."""
        every = self._opened.values()
        files = sum(len(access.files) for opened in every for access in opened.present)
        return files + sum(len(changes) for opened in every for changes in opened.tensors.values()) > LARGE

    async def _look_inside(self, differing: Sequence[int]) -> None:
        budget = Allowance(self._depth.remote_budget, self._depth.local_budget)
        comparer = LayerComparer(self._case.inspector, self._case.holders, budget)
        content = self._depth.content
        for number in differing:
            self._opened[number] = comparer.opened(self._state.layers[number], number, *self._layers(number))
            self._opened[number].rules = self._depth.rules
        every = [self._opened[number] for number in differing]
        try:
            await self._each("listing files of", every, lambda opened: comparer.list_files(opened, spool=content))
            await self._each("reading headers in", every, lambda opened: read_headers(opened, everything=content))
            match_moved(every)
            await self._each("comparing files of", every, lambda opened: read_small_files(opened, budget))
            await comparer.read_candidates_for_moves(every)
            await self._each("reading texts of", every, lambda opened: read_one_sided_texts(opened, budget))
            await self._read_more(comparer, every, budget)
        finally:
            for opened in every:
                opened.close()

    async def _read_more(self, comparer: LayerComparer, every: Sequence[Opened], budget: Allowance) -> None:
        """Read what takes many bytes, one layer after the other."""
        if self._depth.content:
            await self._each("comparing values of", every, lambda opened: comparer.read_content(opened, self), 1)
            await read_moved(every)
            return
        await self._each("comparing texts of", every, lambda opened: read_large_texts(opened, budget, self), 1)
        if self._depth.sample:
            from kittui.usecases.diff.samples import sample

            await self._each("sampling values of", every, lambda opened: sample(opened, self._depth.sample), 1)

    async def _each(
        self, doing: str, every: Sequence[Opened], step: Callable[[Opened], Awaitable[None]], most: int = _AT_ONCE
    ) -> None:
        """Take a step on all pairs of layers, at most so many at once, and publish what each has found."""
        sides = (access.repository for opened in every for access in opened.present)
        slots = asyncio.Semaphore(min(most, at_once(sides)))

        async def work(opened: Opened) -> None:
            async with slots:
                self(doing, opened.change)
                await step(opened)
            self.publish()

        await together(*(work(opened) for opened in every))

    def __call__(self, doing: str, layer: LayerChange, done: int = 0, total: int = 0) -> None:
        """Report the progress only, not new findings; less often if reporting is slow."""
        started = time.monotonic()
        if self._on_update is None or started < self._next_told:
            return
        self._state = replace(
            self._state,
            doing=f"{doing} {layer.type} {layer.path}".strip(),
            done=done,
            total=total,
            requests=self._traffic.requests,
            bytes=self._traffic.bytes,
        )
        self._on_update(self._state)
        finished = time.monotonic()
        self._next_told = finished + _REST * (finished - started)

    def _layers(self, number: int) -> tuple[tuple[Repository, Layer] | None, tuple[Repository, Layer] | None]:
        change = self._state.layers[number]
        sides = []
        for side, kit, described in zip(self._sides, self._kits, (change.a, change.b), strict=True):
            sides.append((side.repository, kit.layers[described.index]) if described else None)
        return sides[0], sides[1]

    def publish(self, complete: bool = False, *, now: bool = False) -> Comparison:
        """Report everything known so far.

        Gathering it takes longer the more layers and files there are. So before the end it is skipped if nobody
        listens, or if it would take more than a fifth of the time, so that many layers report together, unless `now`
        is set.
        """
        started = time.monotonic()
        if not complete and (self._on_update is None or (started < self._next_publish and not now) or self._is_large):
            return self._state
        found = self._report(self._gathered(complete=complete))
        finished = time.monotonic()
        self._next_publish = finished + _REST * (finished - started)
        return found

    def _report(self, state: Comparison) -> Comparison:
        self._state = state
        if self._on_update is not None:
            self._on_update(state)
        return state

    def _gathered(self, *, complete: bool) -> Comparison:
        """All that is known."""
        opened = [self._opened[number] for number in sorted(self._opened)]
        details: list[LayerDetail] = [entry.detail() for entry in opened]
        files = tuple(change for detail in details for change in detail.files)
        digests_a = {key: digest for entry in opened for key, digest in entry.digests(0).items()}
        digests_b = {key: digest for entry in opened for key, digest in entry.digests(1).items()}
        base = [problem for problem in self._state.problems if problem.where in ("a", "b")]
        return replace(
            self._state,
            files=find_moves(files, digests_a, digests_b),
            texts=tuple(text for detail in details for text in detail.texts),
            metadata=(*self._config, *(entry for detail in details for entry in detail.metadata)),
            tensors=tuple(tensor for detail in details for tensor in detail.tensors),
            problems=(*base, *(problem for detail in details for problem in detail.problems)),
            verified=all(detail.verified for detail in details),
            complete=complete,
            requests=self._traffic.requests,
            bytes=self._traffic.bytes,
            unread=sum(entry.unread for entry in opened),
            doing="",
            done=0,
            total=0,
        )


async def _version(side: Side, kit: ModelKit) -> Version:
    own = (side.target,) if isinstance(side.target, Tag) else ()
    return Version(
        side.reference,
        str(kit.digest),
        kit.kind,
        kit.label,
        kit.size,
        kit.created,
        (*own, *(await _other_tags(side, kit) if side.repository.source.traits.free else ())),
        side.repository.reference(),
    )


async def _other_tags(side: Side, kit: ModelKit) -> list[str]:
    """Further tags on the same manifest, which are free to find on this machine; empty if the listing fails."""
    found: set[str] = set()
    try:
        async for page in side.repository.tags():
            found.update(
                entry.name
                for entry in page
                if entry.name and entry.descriptor is not None and entry.descriptor.digest == kit.digest
            )
    except KittuiError:
        return []
    return sorted(found - {side.target}, key=natural_key)

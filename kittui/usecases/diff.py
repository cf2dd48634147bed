"""What changed between two versions, level by level: each level is told as soon as it is known, the cheapest first."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kittui.compare.changes import LayerDetail, LayerSide, Problem, ValueChange
from kittui.compare.comparison import Comparison, Identity, Version
from kittui.compare.documents import compare_documents
from kittui.compare.files import find_moves
from kittui.compare.layers import TypedLayer, compare_layers
from kittui.errors import KittuiError, Malformed
from kittui.oci.manifest import Manifest, load_object
from kittui.oci.traffic import Traffic, metered
from kittui.usecases.diff_access import Budget
from kittui.usecases.diff_layers import LayerComparer
from kittui.usecases.diff_opened import Opened
from kittui.usecases.diff_tensors import match_moved, read_headers, read_moved
from kittui.usecases.diff_texts import read_one_sided_texts, read_small_files

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.usecases.look import Inspector

REMOTE_BUDGET = 600_000
"""Bytes of small files that are read over the network without being asked."""
LOCAL_BUDGET = 64 * 1024 * 1024
"""Bytes of small files that are read on this machine without being asked."""
_AT_ONCE = 4

OnUpdate = Callable[[Comparison], None]
OpenModelKit = Callable[["Repository", str], Awaitable["ModelKit"]]


@dataclass(frozen=True, slots=True)
class Side:
    """One version: a tag or digest in a repository of any source."""

    repository: Repository
    target: str

    @property
    def reference(self) -> str:
        """As a user would type it."""
        return self.repository.reference(self.target)


@dataclass(frozen=True, slots=True)
class Depth:
    """How far to go.

    `content` reads every differing layer once; `sample` reads so many random windows of each file that was not read.
    """

    content: bool = False
    sample: int = 0
    remote_budget: int = REMOTE_BUDGET
    local_budget: int = LOCAL_BUDGET


@dataclass(slots=True)
class DiffUseCase:
    """Compares versions over any two sources.

    `holders` are repositories on this machine: a blob that one of them has is read from there.
    """

    modelkit: OpenModelKit
    inspector: Inspector
    holders: Sequence[Repository] = ()

    async def compare(
        self, a: Side, b: Side, depth: Depth | None = None, on_update: OnUpdate | None = None
    ) -> Comparison:
        """Compare two versions; `on_update` gets each state on the way, the last one is returned.

        Raises the errors of finding and reading either manifest or config. What can't be read further down becomes
        a problem of its layer, and the rest goes on.
        """
        with metered() as traffic:
            first, second = await _both(self._open(a), self._open(b))
            work = _Work(self, a, b, first, second, depth or Depth(), traffic, on_update)
            return await work.run()

    async def glance(self, a: Side, b: Side) -> Comparison:
        """What manifests and configs alone say, no layer looked into; raises as compare() does."""
        with metered() as traffic:
            first, second = await _both(self._open(a), self._open(b))
            comparison = compare_modelkits(_version(a, first), _version(b, second), first, second)
            return replace(comparison, requests=traffic.requests, bytes=traffic.bytes)

    async def _open(self, side: Side) -> ModelKit:
        try:
            return await self.modelkit(side.repository, side.target)
        except KittuiError as error:
            raise error.at(side.reference) from None


async def _both(a: Awaitable[ModelKit], b: Awaitable[ModelKit]) -> tuple[ModelKit, ModelKit]:
    """Both at once; the first failure cancels the other."""
    tasks = [asyncio.ensure_future(a), asyncio.ensure_future(b)]
    try:
        first, second = await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return first, second


class _Work:
    """One comparison under way."""

    def __init__(
        self,
        case: DiffUseCase,
        a: Side,
        b: Side,
        first: ModelKit,
        second: ModelKit,
        depth: Depth,
        traffic: Traffic,
        on_update: OnUpdate | None,
    ) -> None:
        self._case = case
        self._sides = (a, b)
        self._kits = (first, second)
        self._depth = depth
        self._traffic = traffic
        self._on_update = on_update
        self._opened: dict[int, Opened] = {}
        self._state = compare_modelkits(_version(a, first), _version(b, second), first, second)
        self._config = self._state.metadata

    async def run(self) -> Comparison:
        differing = [
            number
            for number, layer in enumerate(self._state.layers)
            if layer.status in ("changed", "added", "removed") and layer.type != "manifest"
        ]
        self._publish(complete=not differing)
        if differing:
            await self._look_inside(differing)
        return self._publish(complete=True)

    async def _look_inside(self, differing: Sequence[int]) -> None:
        budget = Budget(self._depth.remote_budget, self._depth.local_budget)
        comparer = LayerComparer(self._case.inspector, self._case.holders, budget)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def work(number: int, step: Callable[[Opened], Awaitable[None]]) -> None:
            async with slots:
                await step(self._opened[number])
            self._publish()

        for number in differing:
            self._opened[number] = comparer.opened(self._state.layers[number], number, *self._layers(number))
        await _all(
            [
                work(number, lambda opened: comparer.list_files(opened, spool=self._depth.content))
                for number in differing
            ]
        )
        every = [self._opened[number] for number in differing]
        await _all(
            [work(number, lambda opened: read_headers(opened, everything=self._depth.content)) for number in differing]
        )
        match_moved(every)
        await _all([work(number, lambda opened: read_small_files(opened, budget)) for number in differing])
        await comparer.read_candidates_for_moves(every)
        await _all([work(number, lambda opened: read_one_sided_texts(opened, budget)) for number in differing])
        if self._depth.content:
            for number in differing:
                await work(number, lambda opened: comparer.read_content(opened, self._publish))
            await read_moved(every)
        elif self._depth.sample:
            from kittui.usecases.diff_samples import sample

            for number in differing:
                await work(number, lambda opened: sample(opened, self._depth.sample))
        for opened in self._opened.values():
            opened.close()

    def _layers(self, number: int) -> tuple[tuple[Repository, Layer] | None, tuple[Repository, Layer] | None]:
        change = self._state.layers[number]
        sides = []
        for side, kit, described in zip(self._sides, self._kits, (change.a, change.b), strict=True):
            sides.append((side.repository, kit.layers[described.index]) if described else None)
        return sides[0], sides[1]

    def _publish(self, complete: bool = False) -> Comparison:
        opened = [self._opened[number] for number in sorted(self._opened)]
        details: list[LayerDetail] = [entry.detail() for entry in opened]
        files = tuple(change for detail in details for change in detail.files)
        digests_a = {key: digest for entry in opened for key, digest in entry.digests(0).items()}
        digests_b = {key: digest for entry in opened for key, digest in entry.digests(1).items()}
        base = [problem for problem in self._state.problems if problem.where in ("a", "b")]
        self._state = replace(
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
        )
        if self._on_update is not None:
            self._on_update(self._state)
        return self._state


async def _all(works: Sequence[Awaitable[None]]) -> None:
    """Wait for all; the first failure cancels the rest."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(_run(work))


async def _run(work: Awaitable[None]) -> None:
    await work


def compare_modelkits(version_a: Version, version_b: Version, a: ModelKit, b: ModelKit) -> Comparison:
    """What manifests and configs alone say: identity, Kitfile, annotations, layers. Pure."""
    layers = compare_layers(_typed_layers(a), _typed_layers(b))
    notes = []
    if a.kind != b.kind:
        notes.append(f"not of one kind: {a.label} and {b.label}")
    kitfile = compare_documents(without_digests(a.kitfile or {}), without_digests(b.kitfile or {}))
    annotations = _annotations(a.annotations, b.annotations)
    identity: Identity = "different"
    if a.digest == b.digest:
        identity = "identical"
    elif (
        not kitfile
        and a.kind == b.kind
        and layers
        and all(change.status in ("same", "repacked") for change in layers)
        and any(change.status == "repacked" for change in layers)
    ):
        identity = "repacked"
    if identity == "different" and not kitfile and all(change.status == "same" for change in layers):
        notes.append("Kitfile and layers are the same; only the manifest differs")
    shared = sum(1 for change in layers if change.status in ("same", "moved", "repacked"))
    if identity == "different" and layers and not shared:
        notes.append("no layer is shared")
    problems = [
        Problem(where, text) for where, kit in (("a", a), ("b", b)) for text in kit.problems
    ]  # fmt: skip
    metadata: tuple[tuple[str, ValueChange], ...] = ()
    if not (a.is_modelkit and b.is_modelkit):
        metadata = tuple(("config", change) for change in compare_documents(_config(a), _config(b)))
    return Comparison(
        version_a,
        version_b,
        identity,
        kitfile,
        annotations,
        layers,
        metadata=metadata,
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _config(kit: ModelKit) -> Any:
    """The config as a document, where it is one."""
    try:
        return load_object(kit.config_raw, "the config")
    except Malformed:
        return {}


def _annotations(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[ValueChange, ...]:
    """Keys are taken as they are: dots in them are no path."""
    found = []
    for key in [*a, *(key for key in b if key not in a)]:
        if key not in b:
            found.append(ValueChange(key, "removed", a[key], None))
        elif key not in a:
            found.append(ValueChange(key, "added", None, b[key]))
        elif a[key] != b[key]:
            found.append(ValueChange(key, "changed", a[key], b[key]))
    return tuple(found)


def without_digests(kitfile: Mapping[str, Any]) -> dict[str, Any]:
    """A Kitfile without what packing adds to its entries: their layers' digests are compared as layers."""
    result = copy.deepcopy(dict(kitfile))
    entries: list[Any] = [result.get("model")]
    if isinstance(result.get("model"), dict) and isinstance(result["model"].get("parts"), list):
        entries += result["model"]["parts"]
    for value in result.values():
        if isinstance(value, list):
            entries += value
    for entry in entries:
        if isinstance(entry, dict):
            entry.pop("digest", None)
            entry.pop("diffId", None)
    return result


def _typed_layers(kit: ModelKit) -> list[TypedLayer]:
    layers: list[TypedLayer] = [
        (
            layer.type,
            LayerSide(
                str(layer.digest),
                layer.size,
                layer.path or "",
                str(layer.diff_id) if layer.diff_id else None,
                layer.media_type,
                number,
            ),
        )
        for number, layer in enumerate(kit.layers)
    ]
    manifest: Manifest = kit.manifest
    if manifest.is_index:
        layers += [
            ("manifest", LayerSide(str(entry.digest), entry.size, "", None, entry.media_type, number))
            for number, entry in enumerate(manifest.manifests)
        ]
    return layers


def _version(side: Side, kit: ModelKit) -> Version:
    return Version(
        side.reference,
        str(kit.digest),
        kit.kind,
        kit.label,
        kit.size,
        kit.created,
        () if ":" in side.target else (side.target,),
        side.repository.reference(),
    )

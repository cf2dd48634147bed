"""Unpacks a ModelKit's Kitfile and layers, or single files, verified before anything is visible in the target."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kittui.errors import Malformed, NetworkError, NotFound
from kittui.formats.tar import FileEntry
from kittui.modelkit import Layer
from kittui.oci.protocols import Repository
from kittui.oci.traffic import Traffic, metered
from kittui.retry import Retries
from kittui.transfer.extract import Limits
from kittui.transfer.fetch import Tuning, fetch_blob
from kittui.transfer.paths import Piece, check_entries, safe_parts
from kittui.transfer.placing import Decisions
from kittui.transfer.progress import Progress
from kittui.transfer.staging import Plain, Staging
from kittui.transfer.tree import Placed
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.unpack.plan import Part, UnpackPlan, check_layer, may_hold

Decide = Callable[[Sequence[str]], Awaitable[Decisions]]
"""Decides what to do with existing paths."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The files now in the target. `verified` is false if a file was read by ranges, which no digest can prove."""

    plan: UnpackPlan
    verified: bool
    files: tuple[Placed, ...]
    traffic: Traffic = field(default_factory=Traffic)

    def to_json(self) -> dict[str, Any]:
        """The JSON of docs/contract.md."""
        return {
            "reference": self.plan.reference,
            "digest": str(self.plan.digest),
            "directory": str(self.plan.directory),
            "verified": self.verified,
            "files": [{"path": one.path, "size": one.size, "outcome": one.outcome} for one in self.files],
            "traffic": {"requests": self.traffic.requests, "bytes": self.traffic.bytes},
        }


async def apply_unpack(
    plan: UnpackPlan,
    inspector: Inspector,
    decisions: Decisions | None = None,
    *,
    decide: Decide | None = None,
    progress: Progress | None = None,
    tuning: Tuning | None = None,
    limits: Limits | None = None,
) -> Unpacked:
    """Verify and stage everything, decide about existing files, then move all into the target.

    Raises DigestMismatch, UnsafePath, TooLarge and Conflict before anything is visible there; NotFound for files that
    no layer holds. A lost connection or a cancel keeps what was downloaded for the next run.
    """
    run = _Unpacking(plan, inspector, progress or Progress(), tuning or Tuning())
    with metered() as traffic:
        async with Staging.open(plan.directory, limits) as staging:
            await run.stage(staging)
            decisions = decisions or Decisions()
            if decide is not None:
                waiting = await staging.conflicts(decisions)
                if waiting:
                    decisions = await decide(waiting)
            run.progress.phase = "committing"
            placed = await staging.commit(decisions)
    run.progress.phase = "done"
    return Unpacked(plan, run.verified, tuple(placed), traffic)


class _Unpacking:
    """One run of apply_unpack up to the commit."""

    def __init__(self, plan: UnpackPlan, inspector: Inspector, progress: Progress, tuning: Tuning) -> None:
        self.plan = plan
        self.inspector = inspector
        self.progress = progress
        self.tuning = tuning
        self.connections = asyncio.Semaphore(tuning.connections)
        self.verified = True

    async def stage(self, staging: Staging) -> None:
        """Stage everything in the scratch folder."""
        staging.kitfile = self.plan.kitfile
        self.progress.begin([layer.descriptor for part in self.plan.parts for layer in part.layers])
        uses = Counter(layer.digest for part in self.plan.parts for layer in part.layers)
        for part in self.plan.parts:
            for layer in part.layers:
                await self._whole(staging, part.repository, layer)
                uses[layer.digest] -= 1
                if not uses[layer.digest]:
                    staging.files.path(layer.digest).unlink(missing_ok=True)
            if part.files:
                await self._files(staging, part)

    async def _whole(
        self, staging: Staging, repository: Repository, layer: Layer, files: frozenset[str] | None = None
    ) -> None:
        """Stage one whole layer: from this disk if it is there, else downloaded; verified either way."""
        blob = repository.files.path(layer.digest) if repository.files is not None else None
        if blob is None or not blob.is_file():
            if repository.files is not None:
                raise NotFound(
                    f"the layer {layer.digest.short} is missing in the store",
                    hint="Pull the ModelKit again.",
                    reference=repository.reference(),
                )
            self.progress.begin([layer.descriptor])
            await fetch_blob(repository, layer.descriptor, staging.files, self.progress, self.connections, self.tuning)
            blob = staging.files.path(layer.digest)
        wanted = None if files is None else lambda path: _picked(path, files)
        await staging.add(blob, plain_of(layer), wanted)
        if layer.digest in self.progress.blobs:
            self.progress.end(layer.digest, "copied")

    async def _files(self, staging: Staging, part: Part) -> None:
        """Stage single files: by ranges if the layer is remote and uncompressed, else from the whole layer."""
        missing = set(part.files)
        for layer in part.others:
            if not missing:
                return
            before = len(staging.staged)
            ranged = part.repository.files is None and layer.compression == "none" and not self.plan.verify
            if ranged and not part.repository.source.capabilities.ranges.denied:
                found = await self._ranges(staging, part.repository, layer, frozenset(missing))
            elif any(may_hold(layer, path) for path in missing) or layer.legacy or layer.path is None:
                check_layer(layer, part.repository)
                await self._whole(staging, part.repository, layer, frozenset(missing))
                found = {piece.path for piece in staging.staged[before:]}
            else:
                continue
            missing = {path for path in missing if not any(_picked(one, frozenset({path})) for one in found)}
        if missing:
            raise NotFound(
                f"no layer holds {min(missing)}",
                hint="List the files with: kittui tree REF.",
                reference=self.plan.reference,
            )

    async def _ranges(self, staging: Staging, repository: Repository, layer: Layer, files: frozenset[str]) -> set[str]:
        listing = await self.inspector.listing(repository, layer)
        entries = [entry for entry in listing.files if entry.type != "dir" and _matches(entry, layer, files)]
        under = under_of(layer)
        for piece in check_entries(entries, under):
            await staging.receive(piece, self._stretch(repository, layer, piece))
            self.verified = False
        return {"/".join((*under, *safe_parts(entry.path))) for entry in entries}

    async def _stretch(self, repository: Repository, layer: Layer, piece: Piece) -> AsyncIterator[bytes]:
        """Read a file's bytes in the layer; after a lost connection, continue where it broke."""
        at, end = piece.offset, piece.offset + piece.size
        retries = Retries(self.tuning.pace, sleep=self.tuning.sleep)
        while at < end:
            before = at
            try:
                async with repository.open_blob(layer.descriptor, at, end - at) as reader:
                    async for chunk in reader:
                        at += len(chunk)
                        yield chunk
            except NetworkError as error:
                await retries.after(error, progress=at > before)


def plain_of(layer: Layer) -> Plain:
    """How a layer's blob becomes files. Raises Malformed if a bare file has no path."""
    raw = None
    if layer.format == "raw":
        if layer.path is None:
            raise Malformed("a layer is a bare file without a name")
        raw = layer.path
    diff_id = layer.diff_id if layer.compression != "none" else None
    return Plain(layer.descriptor, layer.compression, raw, under_of(layer), diff_id, layer.mode)


def under_of(layer: Layer) -> tuple[str, ...]:
    """The target folder of an old kit's layer: that of its Kitfile path."""
    return safe_parts(layer.path)[:-1] if layer.legacy and layer.path and layer.format == "tar" else ()


def _picked(path: str, files: frozenset[str]) -> bool:
    """Whether a path is one of the requested files, or in a requested folder."""
    return path in files or any(path.startswith(one + "/") for one in files)


def _matches(entry: FileEntry, layer: Layer, files: frozenset[str]) -> bool:
    path = "/".join(part for part in entry.path.split("/") if part not in ("", "."))
    return _picked("/".join((*under_of(layer), path)), files)

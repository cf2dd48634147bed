"""Unpack: a ModelKit's Kitfile and layers, or single files, verified before anything is visible in the target."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kittui.errors import Malformed, NetworkError, NotFound, Refused, TooLarge, Unsupported
from kittui.formats.tar import FileEntry
from kittui.modelkit import Filter, Layer, ModelKit, Selection, kitfile_yaml, select
from kittui.modelkit.variants import needs_choice
from kittui.oci.digest import Digest
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import Repository
from kittui.oci.target import Target
from kittui.oci.traffic import Traffic, metered
from kittui.retry import Retries
from kittui.transfer.extract import Limits
from kittui.transfer.fetch import Tuning, fetch_blob
from kittui.transfer.paths import Piece, check_entries, safe_parts
from kittui.transfer.placing import Answers
from kittui.transfer.progress import Progress
from kittui.transfer.staging import Plain, Staging
from kittui.transfer.tree import Placed
from kittui.usecases.change.transfer import PARENTS, Find
from kittui.usecases.inspect.inspector import Inspector

PIECE = 1024 * 1024

Decide = Callable[[Sequence[str]], Awaitable[Answers]]
"""Asked what to do with paths that are there already."""


@dataclass(frozen=True, slots=True)
class Part:
    """What to take from one ModelKit: whole layers, and single files that may be in its other layers."""

    repository: Repository
    kit: ModelKit
    layers: tuple[Layer, ...]
    files: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[Layer, ...]:
        """The layers to look for files in, those whose Kitfile path leads to one of them first."""
        left = [layer for layer in self.kit.layers if layer not in self.layers]
        return tuple(sorted(left, key=lambda layer: not any(_may_hold(layer, path) for path in self.files)))


@dataclass(frozen=True, slots=True)
class UnpackPlan:
    """What will be unpacked where: parents first, the Kitfile last; `size` is bytes of the layers to read whole."""

    reference: str
    digest: Digest
    directory: Path
    parts: tuple[Part, ...]
    kitfile: bytes | None
    verify: bool = False

    @property
    def size(self) -> int:
        """Bytes of the whole layers to read."""
        return sum(layer.size for part in self.parts for layer in part.layers)

    @property
    def place(self) -> str:
        """Where it happens, as the first line of a plan says it."""
        return str(self.directory)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What is in the target now. `verified` is false where a file came by ranges, which no digest can prove."""

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


async def open_kit(repository: Repository, target: Target) -> ModelKit:
    """The ModelKit itself. Raises Refused otherwise."""
    manifest = await repository.manifest(target)
    if manifest.is_index:
        raise needs_choice(manifest, repository.reference(target))
    config = b"" if manifest.config is None else await repository.read_blob(manifest.config, CONFIG_LIMIT)
    kit = ModelKit.parse(manifest, config)
    if not kit.is_modelkit:
        raise Refused(
            f"this is not a ModelKit but {kit.label}",
            hint="Only ModelKits, ModelPacks, Docker and Ollama models are unpacked.",
            reference=repository.reference(target),
        )
    return kit


async def plan_unpack(
    repository: Repository,
    target: Target,
    directory: Path,
    *,
    find: Find | None = None,
    filters: Sequence[Filter] = (),
    files: Sequence[str] = (),
    layers: Sequence[int] | None = None,
    kitfile: bool | None = None,
    verify: bool = False,
) -> UnpackPlan:
    """Choose what to unpack: by kit's filters, or by `layers` (their positions) and `files`.

    With `files` alone nothing else is taken; `kitfile` overrules what filters say of it. Parents are found by `find`,
    taken first, and only their model and model parts, as kit does. Raises NotFound, Malformed, UnsafePath, Refused.
    """
    kit = await open_kit(repository, target)
    if layers is not None:
        wanted = Selection(kitfile is not False, tuple(layer for layer in kit.layers if layer.position in layers))
    elif files and not filters:
        wanted = Selection(False, ())
    else:
        wanted = select(kit.layers, filters)
    named = tuple(dict.fromkeys("/".join(safe_parts(path)) for path in files))
    parts = [Part(repository, kit, wanted.layers, named)]
    if find is not None and layers is None and not (files and not filters):
        parts = [*await _parents(kit, find, filters), *parts]
    for part in parts:
        for layer in part.layers:
            _check(layer, part.repository)
    with_kitfile = wanted.kitfile if kitfile is None else kitfile
    content = kitfile_yaml(kit.kitfile).encode("utf-8", "surrogateescape") if with_kitfile else None
    return UnpackPlan(repository.reference(target), kit.digest, directory, tuple(parts), content, verify)


async def _parents(kit: ModelKit, find: Find, filters: Sequence[Filter]) -> list[Part]:
    """The chain of referenced ModelKits, farthest first; a filter without the model takes nothing of them."""
    narrowed = [replace(one, types=frozenset({"model"})) for one in filters if "model" in one.types]
    chain: list[Part] = []
    seen = {kit.digest}
    while (reference := kit.model_reference) is not None and not (filters and not narrowed):
        if len(chain) == PARENTS:
            raise TooLarge(f"more than {PARENTS} model references follow each other", hint="kit stops there too.")
        repository, target = await find(reference)
        kit = await open_kit(repository, target)
        if kit.digest in seen:
            raise Refused("the model references lead in a circle", hint="Correct model.path and repack.").at(
                str(reference)
            )
        seen.add(kit.digest)
        chosen = select(kit.layers, narrowed or [Filter(frozenset({"model"}))])
        chain.insert(0, Part(repository, kit, chosen.layers))
    return chain


async def apply_unpack(
    plan: UnpackPlan,
    inspector: Inspector,
    answers: Answers | None = None,
    *,
    decide: Decide | None = None,
    progress: Progress | None = None,
    tuning: Tuning | None = None,
    limits: Limits | None = None,
) -> Unpacked:
    """Verify and stage everything, settle what is in the way, then move it into the target.

    Raises DigestMismatch, UnsafePath, TooLarge and Conflict before anything is visible there; NotFound for files that
    no layer holds. A lost connection or a cancel keeps what was downloaded for the next run.
    """
    run = _Unpacking(plan, inspector, progress or Progress(), tuning or Tuning())
    with metered() as traffic:
        async with Staging.open(plan.directory, limits) as staging:
            await run.stage(staging)
            answers = answers or Answers()
            if decide is not None:
                waiting = await staging.conflicts(answers)
                if waiting:
                    answers = await decide(waiting)
            run.progress.phase = "committing"
            placed = await staging.commit(answers)
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
        """Bring everything into the scratch folder."""
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
        """One layer whole: from where it is on this disk, else fetched, verified either way."""
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
        """Single files: by their ranges where the layer is plain and far away, else out of the whole layer."""
        missing = set(part.files)
        for layer in part.others:
            if not missing:
                return
            before = len(staging.staged)
            ranged = part.repository.files is None and layer.compression == "none" and not self.plan.verify
            if ranged and not part.repository.source.capabilities.ranges.denied:
                found = await self._ranges(staging, part.repository, layer, frozenset(missing))
            elif any(_may_hold(layer, path) for path in missing) or layer.legacy or layer.path is None:
                _check(layer, part.repository)
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
        """A file's bytes in the layer; a lost connection is taken up where it broke."""
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
    """How a layer's blob becomes files. Raises Malformed where a bare file has no path."""
    raw = None
    if layer.format == "raw":
        if layer.path is None:
            raise Malformed("a layer is a bare file, and nothing says what it is called")
        raw = layer.path
    diff_id = layer.diff_id if layer.compression != "none" else None
    return Plain(layer.descriptor, layer.compression, raw, under_of(layer), diff_id, layer.mode)


def under_of(layer: Layer) -> tuple[str, ...]:
    """The folder that an old kit's layer is put under: that of its Kitfile path."""
    return safe_parts(layer.path)[:-1] if layer.legacy and layer.path and layer.format == "tar" else ()


def _check(layer: Layer, repository: Repository) -> None:
    """Refuse what kit refuses: unknown layers, and digests that contradict the Kitfile."""
    if layer.problem is not None:
        raise Malformed(
            f"a layer can't be unpacked: {layer.problem}",
            hint="The manifest and the Kitfile do not belong together: do not trust this ModelKit.",
            reference=repository.reference(),
        )
    if layer.compression == "other" or layer.format == "other":
        raise Unsupported(
            f"a layer of type {layer.media_type} can't be unpacked",
            hint="kittui unpacks tar and raw layers, plain or compressed with gzip or zstd.",
            reference=repository.reference(),
        )


def _may_hold(layer: Layer, path: str) -> bool:
    """Whether the Kitfile's path of a layer leads to a file, or below it."""
    if layer.path is None:
        return True
    own = "/".join(part for part in layer.path.split("/") if part not in ("", "."))
    return not own or path == own or path.startswith(own + "/") or own.startswith(path + "/")


def _picked(path: str, files: frozenset[str]) -> bool:
    """Whether a path is one of the files, or in one of the folders, that were asked for."""
    return path in files or any(path.startswith(one + "/") for one in files)


def _matches(entry: FileEntry, layer: Layer, files: frozenset[str]) -> bool:
    path = "/".join(part for part in entry.path.split("/") if part not in ("", "."))
    return _picked("/".join((*under_of(layer), path)), files)

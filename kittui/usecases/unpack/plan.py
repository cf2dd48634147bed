"""Plans what to unpack of a ModelKit and of those to which it refers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kittui.errors import Malformed, Refused, TooLarge, Unsupported
from kittui.modelkit import Filter, Layer, ModelKit, Selection, kitfile_yaml, select
from kittui.modelkit.variants import needs_choice
from kittui.oci.digest import Digest
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import Repository
from kittui.oci.target import Target
from kittui.transfer.paths import safe_parts
from kittui.usecases.change.transfer import PARENTS, Find


@dataclass(frozen=True, slots=True)
class Part:
    """What to take from one ModelKit: whole layers, and single files that may be in its other layers."""

    repository: Repository
    kit: ModelKit
    layers: tuple[Layer, ...]
    files: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[Layer, ...]:
        """The layers to search for files, first those whose Kitfile path leads to one of them."""
        left = [layer for layer in self.kit.layers if layer not in self.layers]
        return tuple(sorted(left, key=lambda layer: not any(may_hold(layer, path) for path in self.files)))


@dataclass(frozen=True, slots=True)
class UnpackPlan:
    """What will be unpacked where: parents first, the Kitfile last; `size` is the bytes of layers to read whole."""

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
        """The place, as in the first line of a plan."""
        return str(self.directory)


async def open_kit(repository: Repository, target: Target) -> ModelKit:
    """Open a ModelKit. Raises Refused for anything else."""
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
    """Plan what to unpack: by kit's filters, or by `layers` (their positions) and `files`.

    With `files` alone nothing else is unpacked; `kitfile` overrides the filters for it. Parents are resolved by `find`,
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
            check_layer(layer, part.repository)
    with_kitfile = wanted.kitfile if kitfile is None else kitfile
    content = kitfile_yaml(kit.kitfile).encode("utf-8", "surrogateescape") if with_kitfile else None
    return UnpackPlan(repository.reference(target), kit.digest, directory, tuple(parts), content, verify)


async def _parents(kit: ModelKit, find: Find, filters: Sequence[Filter]) -> list[Part]:
    """The chain of referenced ModelKits, farthest first; empty if the filter excludes the model."""
    narrowed = [replace(one, types=frozenset({"model"})) for one in filters if "model" in one.types]
    chain: list[Part] = []
    seen = {kit.digest}
    while (reference := kit.model_reference) is not None and not (filters and not narrowed):
        if len(chain) == PARENTS:
            raise TooLarge(f"more than {PARENTS} model references in a chain", hint="kit stops there too.")
        repository, target = await find(reference)
        kit = await open_kit(repository, target)
        if kit.digest in seen:
            raise Refused("the model references form a cycle", hint="Correct model.path and repack.").at(str(reference))
        seen.add(kit.digest)
        chosen = select(kit.layers, narrowed or [Filter(frozenset({"model"}))])
        chain.insert(0, Part(repository, kit, chosen.layers))
    return chain


def check_layer(layer: Layer, repository: Repository) -> None:
    """Refuse what kit refuses: unknown layers, and digests that contradict the Kitfile."""
    if layer.problem is not None:
        raise Malformed(
            f"a layer can't be unpacked: {layer.problem}",
            hint="The manifest and the Kitfile contradict each other: don't trust this ModelKit.",
            reference=repository.reference(),
        )
    if layer.compression == "other" or layer.format == "other":
        raise Unsupported(
            f"a layer of type {layer.media_type} can't be unpacked",
            hint="kittui unpacks tar and raw layers, plain or compressed with gzip or zstd.",
            reference=repository.reference(),
        )


def may_hold(layer: Layer, path: str) -> bool:
    """Whether the Kitfile's path of a layer leads to a file, or below it."""
    if layer.path is None:
        return True
    own = "/".join(part for part in layer.path.split("/") if part not in ("", "."))
    return not own or path == own or path.startswith(own + "/") or own.startswith(path + "/")

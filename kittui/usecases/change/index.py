"""Creates and changes ModelKit indexes: each change writes a new index and moves the tag to it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from kittui.errors import Conflict, Refused
from kittui.modelkit.kinds import MODELS, kind_of, label_of
from kittui.modelkit.variants import empty_index, with_variant, without_variant
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import REF_NAME
from kittui.oci.protocols import Repository, SupportsAccept
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.readings import irreversible_notes, manifest_at

_UNDO = "kittui remove --placeholder"


async def plan_new_index(repository: Repository, tag: Tag, annotations: Mapping[str, str]) -> ChangePlan:
    """Plan an empty index under an unused tag. Raises Conflict for a used one, Unsupported for kit's store."""
    if await manifest_at(repository, tag) is not None:
        raise Conflict(
            f"the tag {tag} exists already",
            hint="Choose another one, or remove it first.",
            reference=repository.reference(tag),
        )
    return await _plan(repository, tag, None, empty_index(annotations))


async def plan_adding(
    repository: Repository,
    tag: Tag,
    variants: Collection[Target],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    removed: Collection[str] = (),
) -> ChangePlan:
    """Plan adding ModelKits of the same repository to an index; those already listed get the labels (JSON) merged in.

    Raises NotFound for a missing index or ModelKit, and Refused for other kinds of manifests.
    """
    before = await index_at(repository, tag)
    raw = before.raw
    for target in variants:
        manifest = await repository.manifest(target)
        kind = kind_of(manifest)
        if kind not in MODELS:
            raise Refused(
                f"an index can only list ModelKits, and this is {label_of(kind, manifest)}",
                reference=repository.reference(target),
            )
        found = manifest.descriptor
        named = {REF_NAME: target} if isinstance(target, Tag) else {}
        raw = with_variant(
            raw, Descriptor(found.media_type, found.digest, found.size), labels, {**named, **annotations}, removed
        )
    return await _plan(repository, tag, before, raw)


async def plan_removing(repository: Repository, tag: Tag, variants: Collection[Target]) -> ChangePlan:
    """Plan removing entries from an index; the ModelKits themselves stay. Raises NotFound."""
    before = await index_at(repository, tag)
    raw = before.raw
    for target in variants:
        digest = target if isinstance(target, Digest) else (await repository.resolve(target)).digest
        raw = without_variant(raw, digest)
    return await _plan(repository, tag, before, raw)


async def index_at(repository: Repository, target: Target) -> Manifest:
    """The index under a tag or digest; raises Refused for what is not one."""
    manifest = await repository.manifest(target)
    if not manifest.is_index:
        raise Refused(
            f"this is not an index but {label_of(kind_of(manifest), manifest)}",
            hint="Create one with: kittui index create REF.",
            reference=repository.reference(target),
        )
    return manifest


async def _plan(repository: Repository, tag: Tag, before: Manifest | None, raw: bytes) -> ChangePlan:
    after = Manifest.parse(raw, before.media_type if before is not None else None)
    if isinstance(repository, SupportsAccept):
        await repository.accept(after)
    changes = () if before is not None and before.raw == raw else (TagChange(tag, before, after),)
    notes = await irreversible_notes(repository, changes, _UNDO)
    return ChangePlan(repository, "index", changes, notes=notes, read_at=time.monotonic())

"""Choosing a variant of an index by its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kittui.errors import BadReference, NotFound
from kittui.modelkit.variants import choose, needs_choice
from kittui.oci.tag import Tag
from kittui.oci.target import Target

if TYPE_CHECKING:
    from kittui.modelkit.variants import Variant
    from kittui.oci.protocols import Repository
    from kittui.usecases.browse.modelkits import ModelKits

_TRIED = 8
"""The most annotations that are looked up as tags."""


async def chosen(modelkits: ModelKits, repository: Repository, target: Target, labels: Mapping[str, str]) -> Target:
    """The digest of the one variant with these labels; the target itself without labels.

    Raises UsageError for anything but an index, and NotFound or Refused with the available variants.
    """
    if not labels:
        return target
    manifest = await modelkits.manifest(repository, target)
    return choose(manifest, labels, repository.reference(target)).descriptor.digest


async def chosen_by_tag(
    modelkits: ModelKits, repository: Repository, target: Target, labels: Mapping[str, str]
) -> Target:
    """The variant with these labels: by a tag that its entry names and that points to it, else by its digest."""
    variant = choose(await modelkits.manifest(repository, target), labels, repository.reference(target))
    return await target_of_variant(repository, variant)


async def target_of_variant(repository: Repository, variant: Variant) -> Target:
    """A variant's own tag, else its digest.

    The annotation with the tag isn't standardised: any that is a tag of the repository at this digest will do.
    """
    for text in list(variant.descriptor.annotations.values())[:_TRIED]:
        try:
            tag = Tag.parse(text)
            if (await repository.resolve(tag)).digest == variant.descriptor.digest:
                return tag
        except (BadReference, NotFound):
            continue
    return variant.descriptor.digest


async def one_modelkit(
    modelkits: ModelKits, repository: Repository, target: Target, labels: Mapping[str, str]
) -> Target:
    """The same for a single ModelKit: raises Refused for an index without a chosen variant."""
    found = await chosen(modelkits, repository, target, labels)
    manifest = await modelkits.manifest(repository, found)
    if manifest.is_index:
        raise needs_choice(manifest, repository.reference(found))
    return found

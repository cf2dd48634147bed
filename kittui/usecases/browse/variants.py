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
"""Annotations that are looked up as tags at most."""


async def chosen(modelkits: ModelKits, repository: Repository, target: Target, labels: Mapping[str, str]) -> Target:
    """The digest of the one variant with these labels; without any the target stays.

    Raises UsageError for what is not an index, NotFound and Refused naming the variants there are.
    """
    if not labels:
        return target
    manifest = await modelkits.manifest(repository, target)
    return choose(manifest, labels, repository.reference(target)).descriptor.digest


async def chosen_by_tag(
    modelkits: ModelKits, repository: Repository, target: Target, labels: Mapping[str, str]
) -> Target:
    """The variant with these labels by a tag that its entry names and that is on it; else by its digest."""
    variant = choose(await modelkits.manifest(repository, target), labels, repository.reference(target))
    return await target_of_variant(repository, variant)


async def target_of_variant(repository: Repository, variant: Variant) -> Target:
    """A variant's own tag, else its digest.

    Which annotation names the tag isn't known: any that is a tag of the repository on this very digest does.
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
    """The same, for what works on one ModelKit: raises Refused for an index that nothing was chosen from."""
    found = await chosen(modelkits, repository, target, labels)
    manifest = await modelkits.manifest(repository, found)
    if manifest.is_index:
        raise needs_choice(manifest, repository.reference(found))
    return found

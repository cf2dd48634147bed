"""One ModelKit with its tags and what is attached to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kittui.errors import KittuiError, NotFound, Unsupported
from kittui.modelkit.kinds import kind_of_type
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.order import natural_key
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import together
from kittui.usecases.browse.modelkits import ModelKits, TagListing, list_tags
from kittui.usecases.browse.tag_names import attached_tag, attached_tags

if TYPE_CHECKING:
    from kittui.modelkit.modelkit import ModelKit


@dataclass(frozen=True, slots=True)
class Attached:
    """Something attached to a manifest, as the source claims. `tag` is None if it was found only as a referrer."""

    kind: str
    digest: Digest
    tag: Tag | None = None

    @property
    def is_signature(self) -> bool:
        """Whether it claims to be a signature of cosign, Notation or Sigstore."""
        return any(word in self.kind.casefold() for word in ("signature", "cosign", "notary", "sigstore.bundle"))


@dataclass(frozen=True, slots=True)
class Attachments:
    """What is attached to a manifest, without duplicates; `incomplete` is why there may be more."""

    found: tuple[Attached, ...] = ()
    incomplete: Incomplete | None = None


async def known_referrers(repository: Repository, digest: Digest) -> tuple[Sequence[Descriptor], Incomplete | None]:
    """The referrers that a source lists, and why there may be more; empty if it doesn't support referrers."""
    try:
        return await repository.referrers(digest), None
    except Incomplete as error:
        return error.found, error
    except (NotFound, Unsupported):
        return (), None


async def attachments(repository: Repository, digest: Digest) -> Attachments:
    """What is attached to a manifest: cosign's tags, and referrers. Raises AuthError, NetworkError, ContentError."""

    async def tagged(tag: Tag) -> list[Attached]:
        named = attached_tag(tag)
        try:
            found = await repository.resolve(tag)
        except NotFound:
            return []
        return [Attached(named.kind if named else tag.rpartition(".")[2], found.digest, tag)]

    async def referring() -> Attachments:
        found, incomplete = await known_referrers(repository, digest)
        kinds = ((kind_of_type(one.artifact_type or one.media_type, one.annotations), one) for one in found)
        listed = (Attached(kind or one.artifact_type or one.media_type, one.digest) for kind, one in kinds)
        return Attachments(tuple(listed), incomplete)

    async def by_tag() -> list[list[Attached]]:
        return list(await together(*map(tagged, attached_tags(digest))))

    groups, referrers = await together(by_tag(), referring())
    once = {one.digest: one for one in [*referrers.found, *(one for group in groups for one in group)]}
    return Attachments(tuple(once.values()), referrers.incomplete)


@dataclass(frozen=True, slots=True)
class Shown:
    """One ModelKit for `show`: `tags` are those known to point to its digest.

    `attachments` is None if they could not be listed; `incomplete` says which lists may be incomplete, and why
    attachments are missing.
    """

    reference: str
    modelkit: ModelKit
    tags: tuple[str, ...]
    attachments: tuple[Attached, ...] | None = None
    incomplete: tuple[KittuiError, ...] = ()


async def show(repository: Repository, target: Target, modelkits: ModelKits, *, all_tags: bool = False) -> Shown:
    """Read one ModelKit with its tags (the given one and those known without a request) and what is attached to it.

    `all_tags` resolves every tag of the repository.
    """
    kit = await modelkits.open(repository, target)
    attached: tuple[Attached, ...] | None = None
    incomplete: list[KittuiError] = []
    try:
        attaching = await attachments(repository, kit.digest)
        attached = attaching.found
        incomplete += [attaching.incomplete] if attaching.incomplete else []
    except KittuiError as error:
        incomplete.append(error)
    tags = {target} if isinstance(target, Tag) else set()
    if all_tags or repository.source.traits.lists_digests:
        try:
            listing = await list_tags(repository)
        except NotFound:
            listing = TagListing((), {})
        incomplete += [listing.incomplete] if listing.incomplete else []
        tags |= await _on(kit.digest, repository, listing, modelkits)
    reference = repository.reference(target)
    return Shown(reference, kit, tuple(sorted(tags, key=natural_key)), attached, tuple(incomplete))


async def _on(digest: Digest, repository: Repository, listing: TagListing, modelkits: ModelKits) -> set[Tag]:
    """The listed tags that point to a digest."""
    rows: Sequence[tuple[Tag | None, Digest | None]]
    if repository.source.traits.lists_digests:
        rows = [(entry.name, entry.descriptor.digest if entry.descriptor else None) for entry in listing.tags]
    else:
        found = await modelkits.rows(repository, listing)
        rows = [(row.tag, row.digest) for row in found]
    return {tag for tag, at in rows if tag and at == digest}

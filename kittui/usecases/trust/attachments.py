"""Finds what is attached to a manifest: cosign's tags and the referrers, read whole within bounds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from kittui.errors import KittuiError, NotFound
from kittui.modelkit.kinds import Kind, kind_of
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import COSIGN_SIMPLE_SIGNING, NOTATION_SIGNATURE
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import spread
from kittui.trust.bundles import BUNDLE_PREFIX, ENVELOPE_TYPE, PREDICATE
from kittui.trust.documents import SIZE_LIMIT
from kittui.usecases.browse.showing import known_referrers
from kittui.usecases.browse.tag_names import attached_tags

ATTACHMENTS_LIMIT: Final = 1000
"""Maximum attachments of one manifest that are read."""
TOTAL_LIMIT: Final = 64 * 1024 * 1024
"""Maximum bytes of all attachments of one manifest."""
SIGNATURE: Final = "dev.cosignproject.cosign/signature"
CERTIFICATE: Final = "dev.sigstore.cosign/certificate"

Form = Literal["simple", "bundle", "envelope", "other"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """One thing attached to a manifest, as read and not yet checked.

    `manifest` is the digest of the manifest that carries it and `layer` that of its own bytes. `problem` says why it
    could not be read, `note` why something of the form `other` is not checked.
    """

    form: Form
    kind: Kind
    manifest: Digest
    layer: Digest
    content: bytes = b""
    signature: str | None = None
    certificate: str | None = None
    note: str = ""
    problem: str = ""
    foreign: bool = False
    """Whether the manifest that carries it has a different subject."""


@dataclass(frozen=True, slots=True)
class Attached:
    """Everything found; `complete` is False if there may be more."""

    attachments: tuple[Attachment, ...]
    complete: bool = True


async def attachments_of(
    repository: Repository, digest: Digest, wanted: str = "", tags: Collection[str] | None = None
) -> Attached:
    """Everything that is attached to a manifest, each once. Raises what the source raises while listing.

    `wanted` is a predicate type: referrers that declare a different one are skipped. `tags` are all tags of the
    repository, if known: then attachments under tags are only requested if the tag exists.
    """
    carriers: dict[Digest, Manifest | KittuiError] = {}
    tagged = () if wanted else attached_tags(digest)
    if tags is not None:
        tagged = tuple(tag for tag in tagged if tag in tags)
    by_tag: dict[Digest, Tag] = {}
    for tag, found in zip(tagged, await _each(repository, tagged), strict=True):
        if isinstance(found, Manifest):
            carriers[found.digest] = found
            by_tag[found.digest] = tag
        elif not isinstance(found, NotFound):
            raise found.at(repository.reference(tag))
    referrers: Sequence[Descriptor] = ()
    incomplete = None
    if tags is None or digest.referrers_tag in tags or not repository.source.capabilities.referrers.denied:
        referrers, incomplete = await known_referrers(repository, digest)
    named = [one for one in referrers if not wanted or one.annotations.get(PREDICATE, wanted) == wanted]
    new = [one.digest for one in named if one.digest not in by_tag]
    carriers.update(zip(new, await _each(repository, new), strict=True))
    parts: list[tuple[Attachment, Descriptor | None]] = []
    for carrier, read in carriers.items():
        if isinstance(read, KittuiError):
            parts.append((Attachment("other", "artifact", carrier, carrier, problem=read.message), None))
        else:
            parts.extend(_parts(read, digest, by_tag.get(carrier)))
    filled = await _filled(repository, parts[:ATTACHMENTS_LIMIT])
    return Attached(filled, incomplete is None and len(parts) <= ATTACHMENTS_LIMIT)


async def _each(repository: Repository, targets: Sequence[Target]) -> list[Manifest | KittuiError]:
    async def read(target: Target) -> Manifest | KittuiError:
        try:
            return await repository.manifest(target)
        except KittuiError as error:
            return error

    return await spread(targets, read, at_once=repository.source.traits.at_once)


def _parts(carrier: Manifest, digest: Digest, tag: Tag | None) -> list[tuple[Attachment, Descriptor | None]]:
    """The attachments in a manifest.

    Only the manifest itself says what it is and what it is about; a listing is an unverified claim. `tag` is the cosign
    tag under which it was found, if any.
    """
    kind = kind_of(carrier)
    foreign = tag is None and (carrier.subject is None or carrier.subject.digest != digest)
    found: list[tuple[Attachment, Descriptor | None]] = []
    for layer in carrier.layers:
        form = _form(layer)
        if form == "other":
            continue
        said = layer.annotations
        attachment = Attachment(
            form,
            kind,
            carrier.digest,
            layer.digest,
            signature=said.get(SIGNATURE),
            certificate=said.get(CERTIFICATE),
            foreign=foreign,
        )
        found.append((attachment, layer))
    if not found and kind in ("signature", "attestation", "sbom"):
        note = f"kittui does not check {kind}s of this form"
        if carrier.artifact_type == NOTATION_SIGNATURE:
            note = "kittui does not check Notation's signatures"
        found.append((Attachment("other", kind, carrier.digest, carrier.digest, note=note, foreign=foreign), None))
    elif not found and tag is not None:
        what = f"the tag {tag} holds something else than a signature, a statement or an SBOM"
        found.append((Attachment("other", "artifact", carrier.digest, carrier.digest, problem=what), None))
    return found


def _form(layer: Descriptor) -> Form:
    if layer.media_type == COSIGN_SIMPLE_SIGNING:
        return "simple"
    if layer.media_type.startswith(BUNDLE_PREFIX):
        return "bundle"
    return "envelope" if layer.media_type == ENVELOPE_TYPE else "other"


async def _filled(
    repository: Repository, parts: Sequence[tuple[Attachment, Descriptor | None]]
) -> tuple[Attachment, ...]:
    left = TOTAL_LIMIT

    async def fill(part: tuple[Attachment, Descriptor | None]) -> Attachment:
        nonlocal left
        attachment, layer = part
        if layer is None or attachment.foreign:
            return attachment
        left -= layer.size
        if left < 0:
            return replace(attachment, problem=f"all together are over {TOTAL_LIMIT // 1024 // 1024} MiB")
        try:
            return replace(attachment, content=await repository.read_blob(layer, SIZE_LIMIT))
        except KittuiError as error:
            return replace(attachment, problem=error.message)

    return tuple(await spread(parts, fill, at_once=repository.source.traits.at_once))

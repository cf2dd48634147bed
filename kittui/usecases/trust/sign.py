"""Signs ModelKits, and attaches statements to their digests, in cosign's formats."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kittui.crashpoints import crash_point
from kittui.disk.paths import typed_path
from kittui.errors import KittuiError, NotFound, RegistryError, Unsupported, UsageError
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.trust.bundles import EMPTY, pae, write_bundle, write_envelope, write_referrer
from kittui.trust.documents import SIZE_LIMIT, load_document, write_time
from kittui.trust.keys import key_digest, key_name
from kittui.trust.reviews import Decision, write_review
from kittui.trust.statements import PAYLOAD_TYPE, REJECTION_TYPE, REVIEW, SIGNED, write_statement
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.signer import Signer

TRIES: Final = 4
PAUSE: Final = 0.1
"""Seconds before a refused manifest is sent again, more with every try."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """What was attached to a ModelKit, and where: `manifest` is the digest of the manifest that holds it."""

    reference: str
    subject: Digest
    manifest: Digest
    predicate_type: str
    key: str

    def to_json(self) -> dict[str, str]:
        """As contract.md has it."""
        return {
            "reference": self.reference,
            "digest": self.subject,
            "attached": self.manifest,
            "type": self.predicate_type,
            "key": self.key,
        }


async def sign(repository: Repository, target: Target, signer: Signer) -> Attestation:
    """Sign a ModelKit: the key's owner vouches for the digest. Raises as `attest` does."""
    return await attest(repository, target, signer, SIGNED, {})


async def read_predicate(name: str) -> dict[str, Any]:
    """The JSON object in a file; `-` is stdin. Raises UsageError if it can't be read."""

    def read() -> bytes:
        if name == "-":
            return sys.stdin.buffer.read(SIZE_LIMIT + 1)
        with typed_path(name).open("rb") as file:
            return file.read(SIZE_LIMIT + 1)

    try:
        return load_document(await asyncio.to_thread(read), name)
    except OSError as error:
        raise UsageError(
            f"the predicate {name} can't be read: {error.strerror}", hint="Name a file that holds a JSON object."
        ) from None


async def attest(
    repository: Repository, target: Target, signer: Signer, predicate_type: str, predicate: Mapping[str, Any]
) -> Attestation:
    """Attach a signed statement to a ModelKit.

    Raises NotFound for the ModelKit, CredentialError from the signer, what the source raises while storing, and
    Unsupported if it can't store attachments.
    """
    return await _state(repository, target, signer, predicate_type, predicate, rejection=False)


async def review(
    repository: Repository,
    target: Target,
    signer: Signer,
    decision: Decision,
    tag: Tag,
    actor: str,
    reason: str = "",
    *,
    against: Digest | None = None,
) -> Attestation:
    """Attach one person's approval or rejection of a ModelKit for a tag. Raises as `attest` does, and BadReference.

    `against` is what the tag holds now, if every difference from it was reviewed.
    """
    Tag.parse(tag)
    predicate = write_review(decision, plain_name(repository), tag, actor, reason, datetime.now(UTC), against)
    return await _state(repository, target, signer, REVIEW, predicate, rejection=decision == "rejected")


async def _state(
    repository: Repository,
    target: Target,
    signer: Signer,
    predicate_type: str,
    predicate: Mapping[str, Any],
    *,
    rejection: bool,
) -> Attestation:
    check_attach(repository)
    manifest = await repository.manifest(target)
    manifest.digest.verify(manifest.raw, "the manifest")
    payload = write_statement(manifest.digest, plain_name(repository), predicate_type, predicate)
    content = await sealed(payload, signer, rejection=rejection)
    raw = write_referrer(
        manifest.descriptor, content, predicate_type, write_time(datetime.now(UTC)), rejection=rejection
    )
    stored = await attach(repository, raw, content)
    return Attestation(
        repository.reference(target), manifest.digest, stored.digest, predicate_type, key_name(signer.key)
    )


async def sealed(payload: bytes, signer: Signer | None, *, rejection: bool = False) -> bytes:
    """Sign a statement; without a signer, return a bundle that carries no signature."""
    load_document(payload, "the statement")
    if signer is None:
        return write_bundle(payload, b"", b"")
    payload_type = REJECTION_TYPE if rejection else PAYLOAD_TYPE
    signature = await signer.sign(pae(payload_type, payload))
    hint = key_digest(signer.key)
    if rejection:
        return write_envelope(payload, payload_type, signature, hint)
    return write_bundle(payload, signature, hint)


async def attach(repository: Repository, raw: bytes, content: bytes) -> Descriptor:
    """Store a referrer's manifest and its one blob. Raises Unsupported if the source can't store referrers."""
    check_attach(repository)
    manifest = Manifest.parse(raw, OCI_MANIFEST)
    (layer,) = manifest.layers
    try:
        await repository.put_blob(layer, BytesContent(content))
        crash_point("attach.before-manifest")
        for attempt in range(1, TRIES + 1):
            try:
                return await repository.put_manifest(raw, OCI_MANIFEST)
            except (NotFound, RegistryError):
                if attempt == TRIES:
                    raise
                # Nearly every repository has the two bytes of an empty config: send them only to one that may not.
                if attempt == 1:
                    await repository.put_blob(EMPTY, BytesContent(b"{}"))
                else:
                    # Registries may contradict themselves for a moment while several clients send the same blob.
                    await asyncio.sleep(PAUSE * attempt)
        raise AssertionError("the last try returns or raises")
    except KittuiError as error:
        raise error.at(repository.reference(manifest.digest)) from None


def check_attach(repository: Repository) -> None:
    """Raise Unsupported if nothing can be attached to a ModelKit."""
    power = repository.source.capabilities.attach
    if power.denied:
        raise Unsupported(power.reason, hint=power.remedy, reference=repository.reference())

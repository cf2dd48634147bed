"""Signing a ModelKit, and stating things about it: written as cosign writes it, attached to the digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kittui.crashpoints import crash_point
from kittui.errors import KittuiError, Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST, SIGSTORE_BUNDLE
from kittui.oci.protocols import Repository
from kittui.transfer.content import BytesContent
from kittui.trust.bundles import EMPTY, pae, write_bundle, write_referrer
from kittui.trust.documents import load_document, write_time
from kittui.trust.keys import key_digest, key_name
from kittui.trust.statements import PAYLOAD_TYPE, SIGNED, write_statement
from kittui.usecases.trust.signer import Signer


@dataclass(frozen=True, slots=True)
class Attestation:
    """What was attached to a ModelKit, and where: `manifest` is the digest of what holds it."""

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


async def sign(repository: Repository, target: str, signer: Signer) -> Attestation:
    """Sign a ModelKit: the key's owner vouches for the digest. Raises as `attest` does."""
    return await attest(repository, target, signer, SIGNED, {})


async def attest(
    repository: Repository, target: str, signer: Signer, predicate_type: str, predicate: Mapping[str, Any]
) -> Attestation:
    """State something about a ModelKit, signed.

    Raises NotFound for the ModelKit, CredentialError from the signer, and what the source raises while storing; where
    that keeps nothing beside ModelKits, Unsupported.
    """
    check_attach(repository)
    manifest = await repository.manifest(target)
    manifest.digest.verify(manifest.raw, "the manifest")
    payload = write_statement(manifest.digest, plain_name(repository), predicate_type, predicate)
    load_document(payload, "the statement")
    signature = await signer.sign(pae(PAYLOAD_TYPE, payload))
    bundle = write_bundle(payload, signature, key_digest(signer.key))
    stored = await attach(repository, manifest.descriptor, bundle, predicate_type)
    return Attestation(
        repository.reference(target), manifest.digest, stored.digest, predicate_type, key_name(signer.key)
    )


async def attach(repository: Repository, subject: Descriptor, bundle: bytes, predicate_type: str) -> Descriptor:
    """Store a bundle as a referrer of a manifest. Raises Unsupported where the source keeps none."""
    check_attach(repository)
    layer = Descriptor(SIGSTORE_BUNDLE, Digest.of(bundle), len(bundle))
    raw = write_referrer(subject, bundle, predicate_type, write_time(datetime.now(UTC)))
    try:
        for blob, content in ((EMPTY, b"{}"), (layer, bundle)):
            if blob is layer or not await repository.has_blob(blob):
                await repository.put_blob(blob, BytesContent(content))
        crash_point("attach.before-manifest")
        return await repository.put_manifest(raw, OCI_MANIFEST)
    except KittuiError as error:
        raise error.at(repository.reference(subject.digest)) from None


def check_attach(repository: Repository) -> None:
    """Raise Unsupported where nothing can be attached to a ModelKit."""
    power = repository.source.capabilities.attach
    if power.denied:
        raise Unsupported(power.reason, hint=power.remedy, reference=repository.reference())


def plain_name(repository: Repository) -> str:
    """HOST/REPO, as statements name a repository; a place that isn't a registry by its name alone."""
    host = repository.source.place.host
    return f"{host}/{repository.name}" if host else repository.name

"""Checking a ModelKit's signatures: found by tag and as referrers, checked with the user's key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

from kittui.errors import KittuiError, NotFound, Unsupported
from kittui.modelkit.kinds import kind_of
from kittui.modelkit.signatures import (
    SIGNATURE_ANNOTATION,
    PublicKey,
    Status,
    Verdict,
    check_bundle,
    check_simple_signing,
)
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import COSIGN_SIMPLE_SIGNING, NOTATION_SIGNATURE
from kittui.oci.protocols import Repository

SIGNATURES_LIMIT: Final = 100
"""Signatures looked at."""
SIZE_LIMIT: Final = 1024 * 1024
"""Bytes of one signature at most."""
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature or other claim about the ModelKit: `digest` is that of its manifest."""

    kind: str
    digest: Digest
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it. One signature that holds is enough for `verified`."""

    reference: str
    digest: Digest
    signatures: tuple[Signature, ...]

    @property
    def status(self) -> Literal["verified", "not verified", "none"]:
        """`none` where nothing claims to be a signature."""
        if not self.signatures:
            return "none"
        return "verified" if any(one.status == "verified" for one in self.signatures) else "not verified"


async def verify(repository: Repository, target: str, key: PublicKey) -> Verification:
    """Check every signature of a ModelKit with a key. Raises NotFound and the source's errors for the ModelKit itself.

    The digest is taken of the manifest's bytes as they are here, and a signature's own claims are checked against it.
    """
    manifest = await repository.manifest(target)
    digest = manifest.digest
    digest.verify(manifest.raw, "the manifest")
    found: list[Signature] = []
    async for signature in _all(repository, digest, key):
        found.append(signature)
        if len(found) >= SIGNATURES_LIMIT:
            break
    return Verification(repository.reference(target), digest, tuple(found))


async def _all(repository: Repository, digest: Digest, key: PublicKey) -> AsyncIterator[Signature]:
    seen: set[Digest] = set()
    stem = f"{digest.algorithm}-{digest.hex}"
    for suffix, kind in (("sig", "signature"), ("att", "attestation"), ("sbom", "sbom")):
        try:
            manifest = await repository.manifest(f"{stem}.{suffix}")
        except NotFound:
            continue
        seen.add(manifest.digest)
        if kind == "signature":
            async for signature in _simple(repository, manifest, digest, key):
                yield signature
        else:
            yield Signature(kind, manifest.digest, "not verified", f"a {kind} is listed and not checked")
    try:
        referrers = await repository.referrers(digest)
    except (NotFound, Unsupported):
        referrers = ()
    for descriptor in referrers[:SIGNATURES_LIMIT]:
        if descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        try:
            manifest = await repository.manifest(descriptor.digest)
        except KittuiError as error:
            yield Signature("referrer", descriptor.digest, "error", error.message)
            continue
        async for signature in _referrer(repository, manifest, digest, key):
            yield signature


async def _referrer(
    repository: Repository, manifest: Manifest, digest: Digest, key: PublicKey
) -> AsyncIterator[Signature]:
    """What a referrer says. Its own manifest tells what it is and of which ModelKit: the listing's word is a claim."""
    kind = kind_of(manifest)
    if manifest.subject is None or manifest.subject.digest != digest:
        if kind in ("signature", "attestation", "sbom"):
            yield Signature(kind, manifest.digest, "invalid", "its subject is another manifest")
        return
    if any(layer.media_type == COSIGN_SIMPLE_SIGNING for layer in manifest.layers):
        async for signature in _simple(repository, manifest, digest, key):
            yield signature
    elif any(layer.media_type.startswith(_BUNDLE) for layer in manifest.layers):
        for layer in manifest.layers[:SIGNATURES_LIMIT]:
            if layer.media_type.startswith(_BUNDLE):
                try:
                    raw = await repository.read_blob(layer, SIZE_LIMIT)
                except KittuiError as error:
                    yield Signature(kind, manifest.digest, "error", error.message)
                    continue
                verdict = await asyncio.to_thread(check_bundle, raw, key, digest)
                yield Signature(kind, manifest.digest, verdict.status, verdict.reason)
    elif kind in ("signature", "attestation", "sbom"):
        notation = manifest.artifact_type == NOTATION_SIGNATURE
        reason = "Notation's signatures are listed and not checked" if notation else f"a {kind} is not checked"
        yield Signature(kind, manifest.digest, "not verified", reason)


async def _simple(
    repository: Repository, manifest: Manifest, digest: Digest, key: PublicKey
) -> AsyncIterator[Signature]:
    """Each layer of a cosign signature manifest is one signature."""
    for layer in manifest.layers[:SIGNATURES_LIMIT]:
        if layer.media_type != COSIGN_SIMPLE_SIGNING:
            continue
        try:
            payload = await repository.read_blob(layer, SIZE_LIMIT)
        except KittuiError as error:
            yield Signature("signature", manifest.digest, "error", error.message)
            continue
        signature = layer.annotations.get(SIGNATURE_ANNOTATION)
        verdict: Verdict = await asyncio.to_thread(check_simple_signing, payload, signature, key, digest)
        yield Signature("signature", manifest.digest, verdict.status, verdict.reason)

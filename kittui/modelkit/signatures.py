"""Checking signatures with a public key: cosign's simple signing, and DSSE envelopes in Sigstore bundles.

A signature that holds shows that somebody with the key signed this digest: nothing about when, or that it still
stands (an old signed digest can be served again), or about the name it is served under.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from kittui.errors import KittuiError, UsageError
from kittui.oci.digest import Digest
from kittui.oci.manifest import load_object

Status = Literal["verified", "not verified", "invalid", "error"]
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

SIGNATURE_ANNOTATION: Final = "dev.cosignproject.cosign/signature"
SIMPLE_SIGNING_TYPE: Final = "cosign container image signature"
SIGN_PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"
STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
KEY_LIMIT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of checking one signature, and why."""

    status: Status
    reason: str


def load_public_key(pem: bytes) -> PublicKey:
    """Read a PEM public key (ECDSA, Ed25519, RSA); raises UsageError for anything else, private keys included."""
    try:
        key = load_pem_public_key(pem[:KEY_LIMIT])
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError("that is no public key", hint="A public key is a PEM file, as cosign.pub.") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        raise UsageError("the public key is of a kind that is not checked", hint="ECDSA, Ed25519 and RSA keys are.")
    return key


def key_digest(key: PublicKey) -> bytes:
    """The sha256 of the key's SubjectPublicKeyInfo: what a bundle's hint holds in base64."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def key_name(key: PublicKey) -> str:
    """The key as people compare it: `SHA256:` and its digest in base64."""
    return "SHA256:" + base64.b64encode(key_digest(key)).decode().rstrip("=")


def signed_by(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the key signed the message: ECDSA (DER) and RSA (PKCS 1 v1.5) with SHA-256, or Ed25519."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def check_simple_signing(payload: bytes, signature: str | None, key: PublicKey, digest: Digest) -> Verdict:
    """Check one simple-signing payload, its signature (base64, from the layer's annotation), against a manifest."""
    if signature is None:
        return Verdict("invalid", "the layer carries no signature")
    if not signed_by(key, _strict_base64(signature), payload):
        return Verdict("invalid", "it was not made by this key over this payload")
    try:
        critical = _map(load_object(payload, "the payload"), "critical")
    except KittuiError as error:
        return Verdict("invalid", error.message)
    if critical.get("type") != SIMPLE_SIGNING_TYPE:
        return Verdict("invalid", "the payload is of another type")
    claimed = _map(critical, "image").get("docker-manifest-digest")
    if claimed != digest:
        return Verdict("invalid", f"it was made for another digest: {str(claimed)[:100]}")
    return Verdict("verified", f"signed by key {key_name(key)} for {digest}")


def check_bundle(raw: bytes, key: PublicKey, digest: Digest) -> Verdict:
    """Check a Sigstore bundle with a DSSE envelope of a cosign signature, against a manifest."""
    try:
        bundle = load_object(raw, "the bundle")
    except KittuiError as error:
        return Verdict("invalid", error.message)
    envelope = bundle.get("dsseEnvelope")
    if not isinstance(envelope, dict):
        return Verdict("not verified", "the bundle holds no DSSE envelope")
    material = _map(bundle, "verificationMaterial")
    if "publicKey" not in material and ("certificate" in material or "x509CertificateChain" in material):
        return Verdict("not verified", "it was made with a certificate, not with a key")
    payload, kind = _strict_base64(envelope.get("payload")), envelope.get("payloadType")
    if not isinstance(kind, str):
        return Verdict("invalid", "the envelope has no payload type")
    message = b" ".join(
        (b"DSSEv1", *(part for text in (kind.encode(errors="replace"), payload) for part in (_length(text), text)))
    )
    signatures = envelope.get("signatures")
    given = [one.get("sig") for one in signatures if isinstance(one, dict)] if isinstance(signatures, list) else []
    if not any(signed_by(key, _strict_base64(one), message) for one in given[:100]):
        hint = _map(material, "publicKey").get("hint")
        other = isinstance(hint, str) and _strict_base64(hint) != key_digest(key)
        return Verdict("invalid", "it was made by another key" if other else "it was not made by this key")
    if kind != STATEMENT_TYPE:
        return Verdict("not verified", f"it signs something of type {kind[:100]}")
    return _check_statement(payload, key, digest)


def _check_statement(payload: bytes, key: PublicKey, digest: Digest) -> Verdict:
    try:
        statement = load_object(payload, "the statement")
    except KittuiError as error:
        return Verdict("invalid", error.message)
    subjects = statement.get("subject")
    claimed = (
        [_map(one, "digest").get(digest.algorithm) for one in subjects if isinstance(one, dict)]
        if isinstance(subjects, list)
        else []
    )
    if digest.hex not in claimed:
        return Verdict("invalid", "it was made for another digest")
    if statement.get("predicateType") != SIGN_PREDICATE:
        return Verdict("not verified", "it attests something else than a signature")
    return Verdict("verified", f"signed by key {key_name(key)} for {digest}")


def _length(content: bytes) -> bytes:
    return str(len(content)).encode()


def _map(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _strict_base64(text: Any) -> bytes:
    """The bytes; empty, which no key has signed with, for what is no base64."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""

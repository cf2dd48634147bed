"""Reads public keys, and checks signatures with them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from kittui.errors import UsageError

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
Outcome = Literal["holds", "fails", "unchecked"]
"""The result of checking a signature; `unchecked` if this key may have made it in an unsupported way."""

KEY_LIMIT: Final = 64 * 1024
"""Maximum bytes of a key file."""
RSA_BITS: Final = 2048
"""Minimum bits of RSA keys: shorter ones can be broken, so their signatures prove nothing."""
_HASHES: Final = (SHA256(), SHA384(), SHA512())
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a signature holds, and what was checked."""

    outcome: Outcome
    reason: str = ""


def load_public_key(pem: bytes, what: str = "the file") -> PublicKey:
    """Read a PEM public key (ECDSA, Ed25519, RSA); raises UsageError for anything else, private keys included."""
    try:
        key = load_pem_public_key(pem[:KEY_LIMIT])
    except (ValueError, UnsupportedAlgorithm):
        hint = "A public key is a PEM file such as cosign.pub, with BEGIN PUBLIC KEY in its first line."
        raise UsageError(f"{what} is not a PEM public key", hint=hint) from None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise UsageError(
        f"{what} holds a public key of a type that kittui does not support",
        hint=f"ECDSA on P-256, P-384 and P-521, Ed25519, and RSA of {RSA_BITS} bits or more are supported.",
    )


def key_digest(key: PublicKey) -> bytes:
    """The sha256 of the key's SubjectPublicKeyInfo: what a bundle's hint holds in base64."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def key_name(key: PublicKey) -> str:
    """The key's fingerprint: `SHA256:` and its digest in base64."""
    return name_of(key_digest(key))


def name_of(digest: bytes) -> str:
    """The fingerprint of a key's digest."""
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def key_kind(key: PublicKey) -> str:
    """What kind of key it is, as `ECDSA P-256`."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    return f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else "Ed25519"


def check_signature(key: PublicKey, signature: bytes, message: bytes) -> Checked:
    """Check a signature over a message with a key.

    ECDSA (DER) and RSA (PKCS 1 v1.5) with SHA-256, SHA-384 or SHA-512, since signers pick the hash by the key's size
    or by their own settings; and Ed25519. cosign signs with Ed25519ph for Ed25519 keys, which is not checked: such a
    signature can't be told from a broken one, so it is `unchecked`.
    """
    if isinstance(key, ed25519.Ed25519PublicKey):
        if _verifies(key, signature, message, None):
            return Checked("holds", "Ed25519")
        if len(signature) == 64:
            return Checked("unchecked", "it may be Ed25519ph, cosign's way with such keys, which is not checked")
        return Checked("fails")
    for algorithm in _HASHES:
        if _verifies(key, signature, message, algorithm):
            return Checked("holds", f"{key_kind(key)} with SHA-{algorithm.digest_size * 8}")
    return Checked("fails")


def _verifies(key: PublicKey, signature: bytes, message: bytes, algorithm: SHA256 | SHA384 | SHA512 | None) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif algorithm is None:
            return False
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(algorithm))
        else:
            key.verify(signature, message, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):
        return False
    return True

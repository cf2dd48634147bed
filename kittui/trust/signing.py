"""Reads private keys (PEM files and cosign's) and signs with them."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from kittui.errors import CredentialError, KittuiError, Unsupported, UsageError
from kittui.trust.documents import load_document, map_of, text_of
from kittui.trust.keys import KEY_LIMIT, PublicKey, load_public_key

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_SIGSTORE: Final = (b"ENCRYPTED SIGSTORE PRIVATE KEY", b"ENCRYPTED COSIGN PRIVATE KEY")
_MEMORY_LIMIT: Final = 256 * 1024 * 1024
"""Maximum memory for deriving a key from a passphrase; cosign's own setting takes 64 MiB."""


def is_public(pem: bytes) -> bool:
    """Whether a file holds a public key."""
    return b"-----BEGIN PUBLIC KEY-----" in pem[:KEY_LIMIT]


def needs_password(pem: bytes) -> bool:
    """Whether a private key can only be read with a passphrase."""
    return b"-----BEGIN ENCRYPTED" in pem or b"Proc-Type: 4,ENCRYPTED" in pem


def load_private_key(pem: bytes, password: bytes | None, what: str = "the file") -> PrivateKey:
    """Read a private key: PKCS#8 or the older PEM forms, and cosign's own; `password` where `needs_password`.

    Raises UsageError for what is not a private key of a kind that signs here, CredentialError for a passphrase that
    does not open it, Unsupported if reading cosign's form needs an extra that is not installed.
    """
    if any(b"-----BEGIN " + label in pem for label in _SIGSTORE):
        der = _open_cosign(pem, password or b"", what)
        try:
            key = load_der_private_key(der, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UsageError(f"{what} holds no readable private key") from None
    else:
        try:
            key = load_pem_private_key(pem[:KEY_LIMIT], password if needs_password(pem) else None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            if needs_password(pem):
                raise _wrong_password(what) from None
            raise UsageError(
                f"{what} is not a PEM private key",
                hint="Use a PEM private key, or a key file of cosign.",
            ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        raise UsageError(
            f"{what} holds a private key of a type that kittui does not support",
            hint="ECDSA, Ed25519 and RSA keys are supported.",
        )
    public_key(key, what)
    return key


def public_key(key: PrivateKey, what: str = "the file") -> PublicKey:
    """The public half; raises UsageError if signatures by such a key would not be accepted."""
    return load_public_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), what)


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign so that `cosign verify` accepts it without options: with SHA-256 whatever the curve, or Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), SHA256())
    return key.sign(message, ec.ECDSA(SHA256()))


def _wrong_password(what: str) -> CredentialError:
    return CredentialError(
        f"wrong passphrase for {what}", hint="Enter the right one when asked, or set $KITTUI_KEY_PASSWORD."
    )


def _open_cosign(pem: bytes, password: bytes, what: str) -> bytes:
    """Decrypt the PKCS#8 bytes in a key file of cosign (scrypt and NaCl's secretbox)."""
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError:
        raise Unsupported(
            f"{what} is a key file of cosign, and the library that reads it is not installed",
            hint="Install kittui[cosign], or use the key in PEM (PKCS#8).",
        ) from None
    damaged = UsageError(f"{what} is not a valid key file of cosign")
    try:
        body = b"".join(line for line in pem[:KEY_LIMIT].splitlines() if not line.startswith(b"-----"))
        document = load_document(base64.b64decode(body, validate=True), what)
    except (binascii.Error, KittuiError):
        raise damaged from None
    kdf, cipher = map_of(document, "kdf"), map_of(document, "cipher")
    if kdf.get("name") != "scrypt" or cipher.get("name") != "nacl/secretbox":
        raise damaged
    cost, block, lanes = (map_of(kdf, "params").get(name) for name in ("N", "r", "p"))
    numbers = [number for number in (cost, block, lanes) if isinstance(number, int) and 0 < number <= 1 << 24]
    if len(numbers) != 3 or 128 * numbers[0] * numbers[1] > _MEMORY_LIMIT or numbers[2] > 16:
        raise damaged
    try:
        salt, nonce = (base64.b64decode(text_of(part, key)) for part, key in ((kdf, "salt"), (cipher, "nonce")))
        derived = Scrypt(salt, SecretBox.KEY_SIZE, numbers[0], numbers[1], numbers[2]).derive(password)
        return SecretBox(derived).decrypt(base64.b64decode(text_of(document, "ciphertext")), nonce)
    except CryptoError:
        raise _wrong_password(what) from None
    except (binascii.Error, ValueError, TypeError):
        raise damaged from None

"""Keys: which are taken, which hashes their signatures may have, and what a changed byte does."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kittui.errors import UsageError
from kittui.oci.digest import Digest
from kittui.trust.bundles import pae, write_bundle
from kittui.trust.keyring import Keyring
from kittui.trust.keys import check_signature, key_digest, load_public_key
from kittui.trust.statements import PAYLOAD_TYPE, SIGNED, write_statement
from kittui.trust.verdicts import judge_bundle

HASHES = (SHA256(), SHA384(), SHA512())
RSA = rsa.generate_private_key(65537, 2048)


def name(algorithm: HashAlgorithm) -> str:
    return algorithm.name


@pytest.mark.parametrize("algorithm", HASHES, ids=name)
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: str(curve.name))
def test_ecdsa_with_any_of_the_hashes(curve: ec.EllipticCurve, algorithm: HashAlgorithm) -> None:
    key = ec.generate_private_key(curve)
    made = key.sign(b"message", ec.ECDSA(algorithm))
    found = check_signature(key.public_key(), made, b"message")
    assert found.outcome == "holds"
    assert found.reason.endswith(f"with SHA-{algorithm.digest_size * 8}")
    assert check_signature(key.public_key(), made, b"massage").outcome == "fails"


@pytest.mark.parametrize("algorithm", HASHES, ids=name)
def test_rsa_with_any_of_the_hashes(algorithm: HashAlgorithm) -> None:
    made = RSA.sign(b"message", padding.PKCS1v15(), algorithm)
    assert check_signature(RSA.public_key(), made, b"message").outcome == "holds"
    assert check_signature(RSA.public_key(), made, b"massage").outcome == "fails"


def test_ed25519() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    made = key.sign(b"message")
    assert check_signature(key.public_key(), made, b"message").outcome == "holds"
    assert check_signature(key.public_key(), made, b"massage").outcome == "unchecked"
    assert check_signature(key.public_key(), made[:-1], b"message").outcome == "fails"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        dsa.generate_private_key(1024).public_key(),
    ],
    ids=["short", "another curve", "dsa"],
)
def test_keys_that_prove_nothing_are_refused(key: rsa.RSAPublicKey) -> None:
    with pytest.raises(UsageError, match=r"p\.pub holds a public key of a type that kittui does not support"):
        load_public_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "p.pub")


def test_a_private_key_is_no_public_key() -> None:
    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(UsageError, match=r"p\.pem is not a PEM public key"):
        load_public_key(pem, "p.pem")


def test_a_changed_byte_makes_a_bundle_invalid() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    digest = Digest.of(b"kit")
    payload = write_statement(digest, "host/repo", SIGNED, {})
    made = key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(SHA256()))
    raw = write_bundle(payload, made, key_digest(key.public_key()))
    keyring = Keyring.of(key.public_key())
    assert judge_bundle(raw, keyring, digest).status == "verified"
    broken = made[:-1] + bytes([made[-1] ^ 1])
    raw = raw.replace(base64.b64encode(made), base64.b64encode(broken))
    found = judge_bundle(raw, keyring, digest)
    assert found.status == "invalid"
    assert keyring.keys[0].name in found.reason

"""What the real cosign wrote, in every form and with every kind of key, is assessed for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.oci.tag import Tag
from kittui.registry import RegistrySource
from kittui.trust.keyring import Keyring
from kittui.trust.keys import load_public_key
from kittui.trust.statements import BOM, SIGNED, SUMMARY
from kittui.usecases.trust.verify import verify

FIXTURES = Path(__file__).parent.parent / "fixtures" / "signed"
FORMS = ("c2tag", "c2oci", "c2bundle", "c3bundle")
HOW = {
    "p256": "ECDSA P-256 with SHA-256",
    "p384": "ECDSA P-384 with SHA-384",
    "p521": "ECDSA P-521 with SHA-512",
    "rsa2048": "RSA 2048 with SHA-256",
}
pytestmark = pytest.mark.real


def keyring(name: str) -> Keyring:
    return Keyring.of(load_public_key((FIXTURES / "keys" / f"{name}.pub").read_bytes()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", HOW)
async def test_its_own_key_holds_and_no_other(signed_source: RegistrySource, form: str, key: str) -> None:
    repository = signed_source.repository(f"acme/{form}-{key}")
    found = await verify(repository, Tag("v1"), keyring(key))
    (one,) = found.signatures
    assert (found.status, found.word, one.kind, one.status) == ("verified", "valid", "signature", "verified")
    assert HOW[key] in one.reason
    for other in HOW.keys() - {key}:
        found = await verify(repository, Tag("v1"), keyring(other))
        assert (found.status, found.word) == ("not verified", "unknown key")
        assert [one.status for one in found.signatures] == ["signed by another key"]


@pytest.mark.parametrize("form", FORMS)
async def test_ed25519ph_is_named_and_not_verified(signed_source: RegistrySource, form: str) -> None:
    repository = signed_source.repository(f"acme/{form}-ed25519")
    found = await verify(repository, Tag("v1"), keyring("ed25519"))
    (one,) = found.signatures
    assert (found.status, found.word, one.status) == ("not verified", "not verified", "not verified")
    assert "Ed25519ph" in one.reason
    (one,) = (await verify(repository, Tag("v1"), keyring("p256"))).signatures
    assert one.status == "signed by another key"


async def test_unsigned(signed_source: RegistrySource) -> None:
    found = await verify(signed_source.repository("acme/base"), Tag("v1"), keyring("p256"))
    assert (found.status, found.word, found.signatures) == ("none", "unsigned", ())


async def test_statements_are_told_from_signatures(signed_source: RegistrySource) -> None:
    found = await verify(signed_source.repository("acme/attested"), Tag("v1"), keyring("p256"))
    told = sorted((one.kind, one.predicate_type, one.status) for one in found.signatures)
    assert told == [
        ("attestation", BOM, "signed by another key"),
        ("attestation", SUMMARY, "verified"),
        ("attestation", SUMMARY, "verified"),
        ("signature", SIGNED, "verified"),
    ]
    assert (found.status, found.signers) == ("verified", (keyring("p256").keys[0].name,))
    found = await verify(signed_source.repository("acme/attested"), Tag("v1"), keyring("p384"))
    assert (found.status, found.word) == ("not verified", "unknown key")
    verdicts = {one.predicate_type: one.verdict for one in found.signatures}
    assert verdicts[BOM].holds
    assert verdicts[BOM].statement is not None
    assert verdicts[BOM].statement.predicate["bomFormat"] == "CycloneDX"

"""Signatures of every form cosign writes hold with their key, and with no other key and for no other digest."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from kittui.errors import NotFound, UsageError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import COSIGN_ARTIFACT, COSIGN_SIMPLE_SIGNING, NOTATION_SIGNATURE, OCI_EMPTY, OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.trust.bundles import pae, write_bundle
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.keys import PublicKey, key_digest, key_name, load_public_key
from kittui.trust.signing import public_key
from kittui.trust.statements import PAYLOAD_TYPE, SIGNED, write_statement
from kittui.trust.verdicts import judge_bundle, judge_raw_envelope, judge_simple
from kittui.usecases.trust.verify import verify
from tests.fakes.memory import MemoryRepository, MemorySource

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

KEYS: dict[str, Private] = {
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}
OTHER = ec.generate_private_key(ec.SECP256R1())


def public(key: Private) -> PublicKey:
    return load_public_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def only(key: Private) -> Keyring:
    return Keyring.of(public(key))


def sign(key: Private, message: bytes) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(message, ec.ECDSA(SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(message, padding.PKCS1v15(), SHA256())
    else:
        signature = key.sign(message)
    return base64.b64encode(signature).decode()


def simple_payload(digest: str) -> bytes:
    image = {"docker-manifest-digest": digest}
    return json.dumps(
        {"critical": {"identity": {}, "image": image, "type": "cosign container image signature"}}
    ).encode()


def bundle(key: Private, digest: Digest, predicate: str = "https://sigstore.dev/cosign/sign/v1") -> bytes:
    subject = [{"name": "", "digest": {"sha256": digest.hex}}]
    payload = json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate})
    kind = "application/vnd.in-toto+json"
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} {payload}".encode()
    hint = base64.b64encode(key_digest(public(key))).decode()
    envelope = {
        "payload": base64.b64encode(payload.encode()).decode(),
        "payloadType": kind,
        "signatures": [{"sig": sign(key, message)}],
    }
    return json.dumps({"verificationMaterial": {"publicKey": {"hint": hint}}, "dsseEnvelope": envelope}).encode()


class Kit:
    """A ModelKit in memory, and ways to say things about it."""

    def __init__(self) -> None:
        self.repository: MemoryRepository = MemorySource().repository("fraud")
        self.manifest = self.repository.add_kit("fraud", "v1")

    @property
    def digest(self) -> Digest:
        return self.manifest.digest

    def add(
        self,
        layers: list[tuple[str, bytes, dict[str, str]]],
        *,
        tag: str | None = None,
        subject: Manifest | None = None,
        artifact_type: str | None = None,
    ) -> Manifest:
        described: list[dict[str, Any]] = []
        for media_type, content, said in [(OCI_EMPTY, b"{}", {}), *layers]:
            digest = Digest.of(content)
            self.repository.blobs[digest] = content
            described.append(Descriptor(media_type, digest, len(content), said).to_json())
        document: dict[str, Any] = {"schemaVersion": 2, "config": described[0], "layers": described[1:]}
        if artifact_type:
            document["artifactType"] = artifact_type
        if subject:
            document["subject"] = subject.descriptor.to_json()
        raw = json.dumps(document).encode()
        manifest = Manifest.parse(raw, OCI_MANIFEST)
        self.repository.manifests[manifest.digest] = (OCI_MANIFEST, raw)
        if tag:
            self.repository.tagged[tag] = manifest.digest
        if subject:
            self.repository.subjects.setdefault(self.digest, []).append(manifest.descriptor)
        return manifest

    def sign_tag(self, key: Private, digest: str | None = None) -> Manifest:
        payload = simple_payload(digest or self.digest)
        annotations = {"dev.cosignproject.cosign/signature": sign(key, payload)}
        tag = f"sha256-{self.digest.hex}.sig"
        return self.add([(COSIGN_SIMPLE_SIGNING, payload, annotations)], tag=tag)


@pytest.mark.parametrize("name", KEYS)
async def test_a_signature_under_its_tag(name: str) -> None:
    kit, key = Kit(), KEYS[name]
    signed = kit.sign_tag(key)
    found = await verify(kit.repository, Tag("v1"), only(key))
    assert found.status == "verified"
    assert [(one.kind, one.digest, one.status) for one in found.signatures] == [
        ("signature", signed.digest, "verified")
    ]
    assert (await verify(kit.repository, Tag("v1"), only(OTHER))).status == "not verified"


@pytest.mark.parametrize("name", KEYS)
async def test_a_signature_as_referrer(name: str) -> None:
    kit, key = Kit(), KEYS[name]
    payload = simple_payload(kit.digest)
    annotations = {"dev.cosignproject.cosign/signature": sign(key, payload)}
    kit.add([(COSIGN_SIMPLE_SIGNING, payload, annotations)], subject=kit.manifest, artifact_type=COSIGN_ARTIFACT)
    assert (await verify(kit.repository, Tag("v1"), only(key))).status == "verified"
    assert [one.status for one in (await verify(kit.repository, Tag("v1"), only(OTHER))).signatures] == [
        "signed by another key"
    ]


@pytest.mark.parametrize("name", KEYS)
async def test_a_bundle_as_referrer(name: str) -> None:
    kit, key = Kit(), KEYS[name]
    kit.add([(BUNDLE, bundle(key, kit.digest), {})], subject=kit.manifest, artifact_type=BUNDLE)
    assert (await verify(kit.repository, kit.digest, only(key))).status == "verified"
    (wrong,) = (await verify(kit.repository, Tag("v1"), only(OTHER))).signatures
    assert (wrong.status, wrong.reason) == ("signed by another key", f"made by key {key_name(public(key))}")


async def test_none_is_said_so() -> None:
    found = await verify(Kit().repository, Tag("v1"), only(OTHER))
    assert (found.status, found.signatures) == ("none", ())


async def test_a_signature_of_another_digest_is_invalid() -> None:
    kit, key = Kit(), KEYS["ecdsa"]
    other = Digest.of(b"other")
    kit.sign_tag(key, other)
    kit.add([(BUNDLE, bundle(key, other), {})], subject=kit.manifest, artifact_type=BUNDLE)
    found = await verify(kit.repository, Tag("v1"), only(key))
    assert [one.status for one in found.signatures] == ["invalid", "invalid"]
    assert all("another digest" in one.reason for one in found.signatures)


async def test_a_referrer_of_another_subject_is_invalid() -> None:
    kit, key = Kit(), KEYS["ecdsa"]
    other = kit.repository.add_kit("other", "v2")
    kit.add([(BUNDLE, bundle(key, kit.digest), {})], subject=other, artifact_type=BUNDLE)
    (found,) = (await verify(kit.repository, Tag("v1"), only(key))).signatures
    assert (found.status, found.reason) == ("invalid", "its subject is another manifest")


async def test_what_is_not_checked_is_not_verified() -> None:
    kit, key = Kit(), KEYS["ecdsa"]
    kit.add([("application/jose+json", b"{}", {})], subject=kit.manifest, artifact_type=NOTATION_SIGNATURE)
    kit.add([("text/spdx", b"x", {})], tag=f"sha256-{kit.digest.hex}.sbom")
    found = await verify(kit.repository, Tag("v1"), only(key))
    assert [one.status for one in found.signatures] == ["not verified", "not verified"]
    assert (found.status, found.word) == ("not verified", "not verified")


async def test_a_statement_of_another_kind_is_no_signature() -> None:
    kit, key = Kit(), KEYS["ecdsa"]
    attested = bundle(key, kit.digest, "https://slsa.dev/provenance/v1")
    kit.add([(BUNDLE, attested, {})], subject=kit.manifest, artifact_type=BUNDLE)
    found = await verify(kit.repository, Tag("v1"), only(key))
    assert [(one.kind, one.status) for one in found.signatures] == [("attestation", "verified")]
    assert (found.status, found.word) == ("not verified", "unsigned")


async def test_one_that_holds_is_enough() -> None:
    kit, key = Kit(), KEYS["ecdsa"]
    kit.sign_tag(OTHER)
    kit.add([(BUNDLE, bundle(key, kit.digest), {})], subject=kit.manifest, artifact_type=BUNDLE)
    found = await verify(kit.repository, Tag("v1"), only(key))
    assert found.status == "verified"
    assert sorted(one.status for one in found.signatures) == ["signed by another key", "verified"]


async def test_a_broken_signature_blob_is_an_error_of_its_own() -> None:
    kit, key = Kit(), KEYS["ecdsa"]
    signed = kit.sign_tag(key)
    del kit.repository.blobs[signed.layers[0].digest]
    (found,) = (await verify(kit.repository, Tag("v1"), only(key))).signatures
    assert found.status == "error"


async def test_no_such_modelkit() -> None:
    with pytest.raises(NotFound):
        await verify(Kit().repository, Tag("nope"), only(OTHER))


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", b"\xff" * 40])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(UsageError):
        load_public_key(pem)


@given(st.binary(max_size=100), st.none() | st.text(max_size=100))
def test_noise_never_verifies(noise: bytes, text: str | None) -> None:
    keyring, digest = only(KEYS["ecdsa"]), Digest.of(noise)
    assert judge_simple(noise, text, text, keyring, digest).status == "invalid"
    assert judge_bundle(noise, keyring, digest).status == "invalid"
    assert judge_raw_envelope(noise, keyring, digest).status == "invalid"


@given(
    st.dictionaries(
        st.sampled_from(["payload", "payloadType", "signatures"]), st.none() | st.text() | st.lists(st.text())
    )
)
def test_noise_in_an_envelope_never_verifies(envelope: dict[str, Any]) -> None:
    raw = json.dumps({"dsseEnvelope": envelope, "verificationMaterial": {"publicKey": envelope}}).encode()
    assert judge_bundle(raw, only(KEYS["ecdsa"]), Digest.of(b"")).status in ("invalid", "not verified")


def doubled(raw: bytes, key: str) -> bytes:
    """The JSON with one key a second time, in front of the first and with another value."""
    name = json.dumps(key).encode()
    assert raw.count(name + b":") == 1
    return raw.replace(name + b":", name + b': "other", ' + name + b":")


def sealed_by(key: ec.EllipticCurvePrivateKey, payload: bytes) -> bytes:
    """A bundle that the key signed over the payload."""
    return write_bundle(payload, key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(SHA256())), b"")


def test_a_key_twice_is_refused_in_the_statement_and_around_it() -> None:
    key, digest = ec.generate_private_key(ec.SECP256R1()), Digest.of(b"kit")
    keyring = Keyring((TrustedKey("CI", public_key(key)),))
    payload = write_statement(digest, "x", SIGNED, {})
    bundle = sealed_by(key, payload)
    envelope = json.dumps(json.loads(bundle)["dsseEnvelope"], separators=(",", ":")).encode()
    assert judge_bundle(bundle, keyring, digest).status == "verified"
    assert judge_raw_envelope(envelope, keyring, digest).status == "verified"
    twice = judge_bundle(sealed_by(key, doubled(payload, "predicateType")), keyring, digest)
    assert (twice.status, twice.reason) == ("invalid", "the statement is not valid JSON")
    for name in ("payload", "payloadType"):
        assert judge_bundle(doubled(bundle, name), keyring, digest).reason == "the bundle is not valid JSON"
        assert judge_raw_envelope(doubled(envelope, name), keyring, digest).reason == "the envelope is not valid JSON"

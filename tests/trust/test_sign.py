"""Signing and stating: every kind of key and key file, commands that sign, and what is written."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kittui.errors import CredentialError, KittuiError, NotFound, Unsupported, UsageError
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.registry import Access, RegistrySource
from kittui.store import LocalSource
from kittui.trust.keyring import Keyring
from kittui.trust.keys import load_public_key
from kittui.trust.signing import PrivateKey, load_private_key, needs_password
from kittui.trust.statements import SIGNED, SUMMARY, predicate_uri
from kittui.usecases.trust.sign import attest, sign
from kittui.usecases.trust.signer import CommandSigner, KeySigner
from kittui.usecases.trust.verify import verify
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.memory import MemoryRepository, MemorySource

KEYS = Path(__file__).parent.parent / "fixtures" / "signed" / "keys"
PRIVATE: dict[str, PrivateKey] = {
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}


def pem(
    key: PrivateKey | dsa.DSAPrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def only(key: PrivateKey) -> Keyring:
    return Keyring.of(load_public_key(public_pem(key)))


@pytest.fixture
def repository() -> MemoryRepository:
    repository = MemorySource().repository("acme/fraud")
    repository.add_kit("fraud", "v1")
    return repository


@pytest.mark.parametrize("name", PRIVATE)
async def test_what_is_signed_verifies(repository: MemoryRepository, name: str) -> None:
    key = PRIVATE[name]
    done = await sign(repository, Tag("v1"), KeySigner(key))
    found = await verify(repository, Tag("v1"), only(key))
    (one,) = found.signatures
    assert (found.status, one.kind, one.predicate_type, one.digest) == ("verified", "signature", SIGNED, done.manifest)
    assert done.subject == (await repository.resolve(Tag("v1"))).digest
    assert found.signers == (done.key,)


async def test_what_is_written_is_what_cosign_writes(repository: MemoryRepository) -> None:
    done = await attest(repository, Tag("v1"), KeySigner(PRIVATE["p256"]), SUMMARY, {"verificationResult": "PASSED"})
    manifest = json.loads(repository.manifests[done.manifest][1])
    created = manifest["annotations"].pop("org.opencontainers.image.created")
    assert created.endswith("Z")
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "layers": manifest["layers"],
        "subject": (await repository.resolve(Tag("v1"))).to_json(),
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": SUMMARY,
        },
    }
    (layer,) = manifest["layers"]
    bundle = json.loads(repository.blobs[layer["digest"]])
    hint = base64.b64encode(only(PRIVATE["p256"]).keys[0].digest).decode()
    assert bundle["mediaType"] == layer["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint}}
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.test/acme/fraud", "digest": {"sha256": done.subject.hex}}],
        "predicateType": SUMMARY,
        "predicate": {"verificationResult": "PASSED"},
    }


async def test_a_statement_is_no_signature(repository: MemoryRepository) -> None:
    await attest(repository, Tag("v1"), KeySigner(PRIVATE["p256"]), SUMMARY, {})
    found = await verify(repository, Tag("v1"), only(PRIVATE["p256"]))
    assert (found.status, found.word) == ("not verified", "unsigned")
    assert [(one.kind, one.status) for one in found.signatures] == [("attestation", "verified")]


async def test_what_is_not_there_is_not_signed(repository: MemoryRepository) -> None:
    with pytest.raises(NotFound):
        await sign(repository, Tag("v2"), KeySigner(PRIVATE["p256"]))
    assert repository.subjects == {}


async def test_a_statement_too_deep_or_too_large_is_refused_before_it_is_signed(repository: MemoryRepository) -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"deep": deep}
    for predicate in (deep, {"text": "x" * 1024 * 1024}):
        with pytest.raises(KittuiError):
            await attest(repository, Tag("v1"), KeySigner(PRIVATE["p256"]), SUMMARY, predicate)
    assert repository.subjects == {}


async def test_the_store_keeps_no_signatures(kithome: Path) -> None:
    repository = LocalSource(kithome).repository("127.0.0.1:5055/fraud")
    with pytest.raises(Unsupported, match="kit's store can hold only ModelKits"):
        await sign(repository, Tag("v1.0.0"), KeySigner(PRIVATE["p256"]))


async def test_a_source_that_keeps_none_is_asked_for_nothing(repository: MemoryRepository) -> None:
    repository.source.powers["attach"] = Power("no", "it keeps none", "sign elsewhere")
    with pytest.raises(Unsupported, match="it keeps none"):
        await sign(repository, Tag("v1"), KeySigner(PRIVATE["p256"]))
    assert repository.source.requests == []


@pytest.mark.parametrize("name", PRIVATE)
def test_key_files(name: str) -> None:
    key = PRIVATE[name]
    assert public_pem(load_private_key(pem(key), None)) == public_pem(key)
    sealed = pem(key, encryption=BestAvailableEncryption(b"secret"))
    assert needs_password(sealed)
    assert not needs_password(pem(key))
    assert public_pem(load_private_key(sealed, b"secret")) == public_pem(key)
    for wrong in (b"wrong", b"", None):
        with pytest.raises(CredentialError, match=r"wrong passphrase for k\.pem"):
            load_private_key(sealed, wrong, "k.pem")


@pytest.mark.parametrize("name", ["p256", "rsa"])
def test_older_pem_forms(name: str) -> None:
    key = PRIVATE[name]
    plain = pem(key, PrivateFormat.TraditionalOpenSSL)
    assert public_pem(load_private_key(plain, None)) == public_pem(key)
    sealed = pem(key, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret"))
    assert needs_password(sealed)
    assert public_pem(load_private_key(sealed, b"secret")) == public_pem(key)


@pytest.mark.parametrize("name", ["p256", "ed25519"])
def test_key_files_of_cosign(name: str) -> None:
    sealed = (KEYS / f"c-{name}.key").read_bytes()
    assert needs_password(sealed)
    assert public_pem(load_private_key(sealed, b"")) == (KEYS / f"{name}.pub").read_bytes()
    with pytest.raises(CredentialError, match="wrong passphrase for"):
        load_private_key(sealed, b"wrong")


def cosign_key(**changes: object) -> bytes:
    sealed = (KEYS / "c-p256.key").read_text().splitlines()
    document = json.loads(base64.b64decode("".join(sealed[1:-1])))
    document["kdf"]["params"].update({key: value for key, value in changes.items() if key in "Nrp"})
    document.update({key: value for key, value in changes.items() if key not in "Nrp"})
    body = base64.b64encode(json.dumps(document).encode()).decode()
    return f"{sealed[0]}\n{body}\n{sealed[-1]}\n".encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"N": 1 << 40},
        {"r": 1 << 23},
        {"p": 1 << 20},
        {"N": -1},
        {"N": 3},
        {"N": "many"},
        {"ciphertext": "???"},
        {"ciphertext": ""},
        {"kdf": []},
        {"cipher": {"name": "rot13"}},
    ],
    ids=str,
)
def test_a_hostile_key_file_of_cosign_is_damaged(changes: dict[str, object]) -> None:
    with pytest.raises((UsageError, CredentialError)):
        load_private_key(cosign_key(**changes), b"", "cosign.key")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 100,
        public_pem(PRIVATE["p256"]),
        pem(dsa.generate_private_key(1024)),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ec.generate_private_key(ec.SECP256K1())),
        b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n!!\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
    ],
    ids=["empty", "noise", "public", "dsa", "short", "another curve", "damaged"],
)
def test_what_is_no_private_key_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError):
        load_private_key(content, None)


@pytest.mark.parametrize("encoded", [False, True])
async def test_a_command_signs(repository: MemoryRepository, tmp_path: Path, encoded: bool) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem(PRIVATE["p256"]))
    openssl = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    command = ["sh", "-c", '"$@" | base64', "sh", *openssl] if encoded else openssl
    signer = CommandSigner(command, load_public_key(public_pem(PRIVATE["p256"])))
    await sign(repository, Tag("v1"), signer)
    assert (await verify(repository, Tag("v1"), only(PRIVATE["p256"]))).status == "verified"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/nonexistent/signer"], "could not be started: No such file or directory"),
        ([sys.executable, "-c", "raise SystemExit('no token')"], "ended with status 1: no token"),
        ([sys.executable, "-c", "print('nonsense')"], "printed no valid signature by key SHA256:"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "took longer than 0 s"),
    ],
    ids=["missing", "failing", "nonsense", "endless"],
)
async def test_a_command_that_does_not_sign(repository: MemoryRepository, command: list[str], said: str) -> None:
    signer = CommandSigner(command, load_public_key(public_pem(PRIVATE["p256"])), 0.4 if "60" in command[-1] else 60)
    with pytest.raises(CredentialError) as caught:
        await sign(repository, Tag("v1"), signer)
    assert said in caught.value.message
    assert repository.subjects == {}


def test_predicate_types() -> None:
    assert predicate_uri("vsa") == SUMMARY
    assert predicate_uri("https://example.com/x/v1") == "https://example.com/x/v1"
    for wrong in ("", "vsa2", "no uri", "https://a b", "x:\x1b[31m"):
        with pytest.raises(UsageError):
            predicate_uri(wrong)


@pytest.mark.real
async def test_ten_who_sign_at_once_are_all_listed(kit_registry: DockerRegistry) -> None:
    sources = [RegistrySource(kit_registry.host, access=Access(plain_http=True)) for _ in range(10)]
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in sources]
    try:
        repositories = [source.repository("fraud") for source in sources]
        async with asyncio.TaskGroup() as group:
            pairs = zip(repositories, keys, strict=True)
            tasks = [group.create_task(sign(repository, Tag("v1.0.0"), KeySigner(key))) for repository, key in pairs]
        found = await verify(repositories[0], Tag("v1.0.0"), only(keys[0]))
        assert {one.digest for one in found.signatures} == {task.result().manifest for task in tasks}
    finally:
        for source in sources:
            await source.aclose()

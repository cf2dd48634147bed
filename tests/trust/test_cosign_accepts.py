"""What kittui writes, the real cosign takes; and after one changed byte it does not."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST, SIGSTORE_BUNDLE
from kittui.oci.tag import Tag
from kittui.registry import Access, RegistrySource
from kittui.trust.bundles import write_referrer
from kittui.trust.signing import PrivateKey
from kittui.trust.statements import REVIEW, SIGNED
from kittui.usecases.trust.sign import attest, review, sign
from kittui.usecases.trust.signer import KeySigner
from tests.fakes.docker_registry import DockerRegistry
from tests.trust.test_sign import PRIVATE

COSIGN = shutil.which("cosign")
pytestmark = pytest.mark.skipif(COSIGN is None, reason="cosign is not on PATH")
LOOSE = ("--insecure-ignore-tlog", "--allow-insecure-registry", "--allow-http-registry")


def cosign(folder: Path, command: str, key: PrivateKey, reference: str, *words: str) -> tuple[int, str]:
    pub = folder / "key.pub"
    pub.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    call = [str(COSIGN), command, "--key", str(pub), *LOOSE, *words, reference]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False, env={"HOME": str(folder)})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", PRIVATE)
async def test_signatures_and_statements(kit_registry: DockerRegistry, tmp_path: Path, name: str) -> None:
    key, reference = PRIVATE[name], f"{kit_registry.host}/fraud:v1.0.0"
    async with RegistrySource(kit_registry.host, access=Access(plain_http=True)) as source:
        repository = source.repository("fraud")
        assert cosign(tmp_path, "verify", key, reference)[0] != 0
        await sign(repository, Tag("v1.0.0"), KeySigner(key))
        assert cosign(tmp_path, "verify", key, reference)[0] == 0
        other = next(found for found in PRIVATE if found != name)
        assert cosign(tmp_path, "verify", PRIVATE[other], reference)[0] != 0
        await attest(repository, Tag("v1.0.0"), KeySigner(key), REVIEW, {"properties": ["X_APPROVED"]})
        status, said = cosign(tmp_path, "verify-attestation", key, reference, "--type", REVIEW)
        assert status == 0, said
        envelope = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
        assert json.loads(base64.b64decode(envelope["payload"]))["predicate"] == {"properties": ["X_APPROVED"]}


async def test_one_changed_byte(kit_registry: DockerRegistry, tmp_path: Path) -> None:
    key, reference = PRIVATE["p256"], f"{kit_registry.host}/fraud:v1.0.0"
    async with RegistrySource(kit_registry.host, access=Access(plain_http=True)) as source:
        repository = source.repository("fraud")
        done = await sign(repository, Tag("v1.0.0"), KeySigner(key))
        (layer,) = (await repository.manifest(done.manifest)).layers
        bundle = json.loads(await repository.read_blob(layer, 1 << 20))
        signature = bytearray(base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"]))
        signature[-1] ^= 1
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
        raw = json.dumps(bundle).encode()
        target = source.repository("other")
        manifest = await repository.manifest(Tag("v1.0.0"))
        for blob in (manifest.config, *manifest.layers):
            assert blob is not None
            assert await target.mount_blob(blob, repository)
        await target.put_manifest(manifest.raw, manifest.media_type, Tag("v1.0.0"))
        await target.put_blob(Descriptor(SIGSTORE_BUNDLE, Digest.of(raw), len(raw)), BytesContent(raw))
        await target.put_blob(Descriptor("", Digest.of(b"{}"), 2), BytesContent(b"{}"))
        forged = write_referrer(manifest.descriptor, raw, SIGNED, "2026-01-01T00:00:00Z")
        await target.put_manifest(forged, OCI_MANIFEST)
        assert cosign(tmp_path, "verify", key, reference)[0] == 0
        assert cosign(tmp_path, "verify", key, f"{kit_registry.host}/other:v1.0.0")[0] != 0


async def test_a_rejection_is_no_signature(kit_registry: DockerRegistry, tmp_path: Path) -> None:
    key, reference = PRIVATE["p256"], f"{kit_registry.host}/fraud:v1.0.0"
    async with RegistrySource(kit_registry.host, access=Access(plain_http=True)) as source:
        repository = source.repository("fraud")
        await review(repository, Tag("v1.0.0"), KeySigner(key), "rejected", Tag("champion"), "anna", "too slow")
        assert cosign(tmp_path, "verify", key, reference)[0] != 0
        assert cosign(tmp_path, "verify-attestation", key, reference, "--type", REVIEW)[0] != 0
        await review(repository, Tag("v1.0.0"), KeySigner(key), "approved", Tag("champion"), "anna", "")
        assert cosign(tmp_path, "verify-attestation", key, reference, "--type", REVIEW)[0] == 0

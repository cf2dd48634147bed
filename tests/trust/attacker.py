"""Somebody who can write to a registry and has no trusted key, but whatever others have signed and left there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_CONFIG, OCI_INDEX, OCI_MANIFEST, SIGSTORE_BUNDLE
from kittui.trust.bundles import EMPTY, pae, write_bundle
from kittui.trust.keys import key_digest
from kittui.trust.signing import public_key, sign
from kittui.trust.statements import PAYLOAD_TYPE, SIGNED, STATEMENT
from tests.fakes.docker_registry import DockerRegistry

PREDICATE = "dev.sigstore.bundle.predicateType"


class People:
    """Keys by name, also as files; the configuration of `home` and `elsewhere` trusts those that are not Mallory's."""

    def __init__(self, folder: Path, names: Sequence[str], gates: str) -> None:
        self.folder = folder
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in (*names, "mallory")}
        for name, key in self.keys.items():
            secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{name}.pem").write_bytes(secret)
            (folder / f"{name}.pub").write_bytes(
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
        trust = "".join(f"  - {{name: {name}, key: {folder / name}.pub}}\n" for name in names)
        for home in ("home", "elsewhere"):
            where = folder / home / "CONFIG" / "kittui"
            where.mkdir(parents=True)
            (where / "config.yaml").write_text(f"trust:\n{trust}{gates}")

    def file(self, name: str) -> str:
        """The file of a private key."""
        return str(self.folder / f"{name}.pem")

    def hint(self, name: str) -> bytes:
        """How a bundle names a key."""
        return key_digest(public_key(self.keys[name]))

    def bundle(self, payload: bytes, signer: str = "", *, payload_type: str = PAYLOAD_TYPE, hint: str = "") -> bytes:
        """A bundle by somebody, or unsigned; `hint` names another key than the one that signed."""
        signature = sign(self.keys[signer], pae(payload_type, payload)) if signer else b""
        named = hint or signer
        return write_bundle(payload, signature, self.hint(named) if named else b"")


def statement(manifest: Manifest, kind: Any, predicate: Mapping[str, Any], **changes: Any) -> bytes:
    """A statement about a manifest, with fields that are not what they should be."""
    subject = [{"name": "x", "digest": {"sha256": manifest.digest.hex}}]
    document = {"_type": STATEMENT, "subject": subject, "predicateType": kind, "predicate": predicate, **changes}
    return json.dumps(document).encode()


class Attacker:
    """Writes to a repository of a registry as anybody with an HTTP client can."""

    def __init__(self, server: DockerRegistry, repository: str) -> None:
        self.server = server
        self.repository = repository
        status, _, _ = server.request("GET", f"/v2/{repository}/referrers/{EMPTY.digest}")
        self.api = status == 200

    def blob(self, content: bytes) -> Descriptor:
        """Store a blob."""
        _, headers, _ = self.server.request("POST", f"/v2/{self.repository}/blobs/uploads/")
        location = headers["Location"].removeprefix(f"http://{self.server.host}")
        mark, digest = "&" if "?" in location else "?", Digest.of(content)
        put = {"Content-Type": "application/octet-stream"}
        status, _, body = self.server.request("PUT", f"{location}{mark}digest={digest}", content, put)
        assert status == 201, body
        return Descriptor("application/octet-stream", digest, len(content))

    def manifest(self, target: str) -> Manifest:
        """What is there."""
        accept = {"Accept": f"{OCI_MANIFEST}, {OCI_INDEX}"}
        status, headers, body = self.server.request("GET", f"/v2/{self.repository}/manifests/{target}", None, accept)
        assert status == 200, body
        return Manifest.parse(body, headers["Content-Type"])

    def put(self, document: Mapping[str, Any] | bytes, target: str = "", media_type: str = OCI_MANIFEST) -> Digest:
        """Store a manifest under a tag or its digest."""
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        path = f"/v2/{self.repository}/manifests/{target or Digest.of(raw)}"
        status, _, body = self.server.request("PUT", path, raw, {"Content-Type": media_type})
        assert status == 201, body
        return Digest.of(raw)

    def kit(self, version: str, *tags: str) -> Manifest:
        """Store a small ModelKit under tags."""
        kitfile = {"manifestVersion": "1.0.0", "package": {"name": "fraud", "version": version}}
        self.bare_kit(self.blob(json.dumps(kitfile).encode()), {}, *tags)
        return self.manifest(tags[0])

    def bare_kit(self, config: Descriptor, annotations: Mapping[str, str], *tags: str) -> None:
        """The same with a Kitfile that is there already."""
        named = {**config.to_json(), "mediaType": KIT_CONFIG}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": named, "layers": []}
        for tag in tags:
            self.put({**document, "annotations": dict(annotations)}, tag)

    def delete(self, digest: str) -> None:
        """Delete a manifest."""
        status, _, body = self.server.request("DELETE", f"/v2/{self.repository}/manifests/{digest}")
        assert status == 202, body

    def hang(
        self,
        subject: Manifest,
        content: bytes,
        *,
        says: str | None = SIGNED,
        layer: str = SIGSTORE_BUNDLE,
        artifact: str = SIGSTORE_BUNDLE,
        about: Manifest | None = None,
    ) -> Digest:
        """Hang something on a manifest; `about` is what its own subject names instead, `says` the annotation."""
        self.blob(b"{}")
        named = (about or subject).descriptor.to_json()
        part = {**self.blob(content).to_json(), "mediaType": layer}
        annotations = {PREDICATE: says} if says is not None else {}
        fields = {"artifactType": artifact, "config": EMPTY.to_json(), "layers": [part], "subject": named}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, **fields, "annotations": annotations}
        digest = self.put(document)
        if not self.api:
            entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(json.dumps(document))}
            self.list(subject, [*self.listed(subject), entry])
        return digest

    def listed(self, subject: Manifest) -> list[dict[str, Any]]:
        """The entries of the list under the fallback tag."""
        tag = subject.digest.referrers_tag
        status, _, body = self.server.request(
            "GET", f"/v2/{self.repository}/manifests/{tag}", headers={"Accept": OCI_INDEX}
        )
        return list(json.loads(body)["manifests"]) if status == 200 else []

    def list(self, subject: Manifest, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the list under the fallback tag."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
        self.put(document, subject.digest.referrers_tag, OCI_INDEX)

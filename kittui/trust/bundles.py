"""Reads and writes DSSE envelopes and the Sigstore bundles that carry them (bundle v0.3, as in cosign 3)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from kittui.errors import Malformed
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_EMPTY, OCI_MANIFEST, SIGSTORE_BUNDLE
from kittui.trust.documents import (
    decode_base64,
    dump_document,
    encode_base64,
    list_of,
    load_document,
    map_of,
    text_of,
)
from kittui.trust.statements import PAYLOAD_TYPE, REJECTION_TYPE

BUNDLE_PREFIX: Final = "application/vnd.dev.sigstore.bundle"
ENVELOPE_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
CONTENT: Final = "dev.sigstore.bundle.content"
PREDICATE: Final = "dev.sigstore.bundle.predicateType"
CREATED: Final = "org.opencontainers.image.created"
EMPTY: Final = Descriptor(OCI_EMPTY, Digest.of(b"{}"), 2)
"""The empty config of an artifact: the two bytes {}."""
_SIGNATURES: Final = 20
_HINT: Final = 32


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed, and its signatures; `hint` is the digest of the key, if given.

    `certificate` came instead of a key; whom it names is a claim.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]
    hint: bytes = b""
    certificate: bytes | None = None

    @property
    def message(self) -> bytes:
        """The bytes that are signed: DSSE's pre-authentication encoding."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    kind = payload_type.encode("utf-8", "surrogatepass")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def parse_envelope(document: Any) -> Envelope:
    """Read a DSSE envelope from parsed JSON; raises Malformed."""
    if not isinstance(document, dict):
        raise Malformed("the envelope is not a JSON object")
    payload_type = text_of(document, "payloadType")
    payload = decode_base64(document.get("payload"))
    if not payload_type or not payload:
        raise Malformed("the envelope has no payload")
    given = [entry for entry in list_of(document, "signatures")[:_SIGNATURES] if isinstance(entry, dict)]
    found = tuple(filter(None, (decode_base64(entry.get("sig")) for entry in given)))
    names = {text_of(entry, "keyid") for entry in given} if len(given) == 1 else set()
    hints = [hint for name in names if len(hint := decode_base64(name.removeprefix("SHA256:"))) == _HINT]
    return Envelope(payload_type, payload, found, hints[0] if hints else b"")


def parse_bundle(raw: bytes) -> Envelope | None:
    """Read a Sigstore bundle; None if it signs a message instead of an envelope. Raises Malformed, TooLarge."""
    document = load_document(raw, "the bundle")
    if "dsseEnvelope" not in document:
        if "messageSignature" in document:
            return None
        raise Malformed("the bundle holds no envelope")
    envelope = parse_envelope(document["dsseEnvelope"])
    material = map_of(document, "verificationMaterial")
    hint = decode_base64(map_of(material, "publicKey").get("hint")) or envelope.hint
    certificate = None if "publicKey" in material else _certificate(material)
    return Envelope(envelope.payload_type, envelope.payload, envelope.signatures, hint, certificate)


def _certificate(material: Any) -> bytes:
    chain = list_of(map_of(material, "x509CertificateChain"), "certificates")
    first = chain[0] if chain and isinstance(chain[0], dict) else map_of(material, "certificate")
    return decode_base64(first.get("rawBytes"))


def write_bundle(payload: bytes, signature: bytes, hint: bytes) -> bytes:
    """The bytes of a bundle around a statement; `hint` is the digest of the signer's public key.

    Without a signature, its statement is shown as unsigned.
    """
    return dump_document(
        {
            "mediaType": SIGSTORE_BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": encode_base64(hint)}},
            "dsseEnvelope": {
                "payload": encode_base64(payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": encode_base64(signature)}] if signature else [],
            },
        }
    )


def write_envelope(payload: bytes, payload_type: str, signature: bytes, hint: bytes) -> bytes:
    """The bytes of a bare envelope around a signed payload."""
    return dump_document(
        {
            "payload": encode_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"keyid": encode_base64(hint), "sig": encode_base64(signature)}],
        }
    )


def write_referrer(
    subject: Descriptor, content: bytes, predicate_type: str, created: str, *, rejection: bool = False
) -> bytes:
    """The bytes of the manifest that attaches a bundle, or a rejection's envelope, to another manifest."""
    annotations = {CREATED: created}
    if not rejection:
        annotations = {CONTENT: "dsse-envelope", PREDICATE: predicate_type, **annotations}
    layer = Descriptor(ENVELOPE_TYPE if rejection else SIGSTORE_BUNDLE, Digest.of(content), len(content))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": REJECTION_TYPE if rejection else SIGSTORE_BUNDLE,
        "config": EMPTY.to_json(),
        "layers": [layer.to_json()],
        "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_json(),
        "annotations": annotations,
    }
    return json.dumps(document, separators=(",", ":")).encode()

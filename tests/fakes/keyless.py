"""A Sigstore of its own: an authority, a certificate log and a signature log, and bundles that they vouch for."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from kittui.oci.digest import Digest
from kittui.trust.bundles import pae
from kittui.trust.statements import PAYLOAD_TYPE, SIGNED, write_statement

SCTS = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
WHO = "https://github.com/acme/fraud/.github/workflows/train.yml@refs/heads/main"
LOGIN = "https://token.actions.githubusercontent.com"
START = datetime(2026, 1, 1, tzinfo=UTC)
SIGNED_AT = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return key.sign(message, ec.ECDSA(SHA256()))


def _length(raw: bytes, size: int) -> bytes:
    return len(raw).to_bytes(size, "big") + raw


@dataclass
class Sigstore:
    """Keys of an authority and its two logs."""

    authority: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificates: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    signatures: ec.EllipticCurvePrivateKey = field(default_factory=_key)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority for tests")])
        public = self.authority.public_key()
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(1)
            .not_valid_before(START)
            .not_valid_after(START + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.authority, SHA256())
        )

    def trusted_root(self) -> dict[str, Any]:
        """trusted_root.json."""

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            details = {"rawBytes": _b64(_public(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {**details, "validFor": {"start": "2026-01-01T00:00:00Z"}},
                "logId": {"keyId": _b64(hashlib.sha256(_public(key)).digest())},
            }

        chain = {"certificates": [{"rawBytes": _b64(self.root.public_bytes(Encoding.DER))}]}
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.signatures, "https://log.test")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "tests", "commonName": "an authority for tests"},
                    "uri": "https://authority.test",
                    "certChain": chain,
                    "validFor": {"start": "2026-01-01T00:00:00Z"},
                }
            ],
            "ctlogs": [log(self.certificates, "https://certificates.test")],
            "timestampAuthorities": [],
        }

    def certificate(self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str) -> x509.Certificate:
        """A certificate of ten minutes for somebody who was logged in, with the certificate log's promise."""
        public = self.authority.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(SIGNED_AT - timedelta(seconds=5))
            .not_valid_after(SIGNED_AT + timedelta(minutes=10))
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]),
                critical=True,
            )
            .add_extension(x509.UnrecognizedExtension(ISSUER, issuer.encode()), critical=False)
        )
        before = builder.sign(self.authority, SHA256()).tbs_certificate_bytes
        at = int(SIGNED_AT.timestamp() * 1000)
        entry = hashlib.sha256(_public(self.authority)).digest() + _length(before, 3)
        said = struct.pack("!BBQH", 0, 0, at, 1) + entry + b"\0\0"
        promise = b"\0" + hashlib.sha256(_public(self.certificates)).digest() + struct.pack("!Q", at) + b"\0\0"
        promise += b"\x04\x03" + _length(_sign(self.certificates, said), 2)
        listed = _length(_length(promise, 2), 2)
        octets = b"\x04" + (bytes([len(listed)]) if len(listed) < 128 else b"\x81" + bytes([len(listed)])) + listed
        return builder.add_extension(x509.UnrecognizedExtension(SCTS, octets), critical=False).sign(
            self.authority, SHA256()
        )

    def bundle(
        self, digest: Digest, identity: str = WHO, issuer: str = LOGIN, predicate_type: str = SIGNED
    ) -> dict[str, Any]:
        """A signature of a digest as `cosign sign` writes it for whoever logs in."""
        key = _key()
        certificate = self.certificate(key, identity, issuer)
        payload = write_statement(digest, "host/fraud", predicate_type, {})
        signature = _sign(key, pae(PAYLOAD_TYPE, payload))
        envelope = {"payload": _b64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": _b64(signature)}]}
        pem = certificate.public_bytes(Encoding.PEM)
        body = json.dumps(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(b"envelope").hexdigest()},
                    "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
                    "signatures": [{"signature": _b64(signature), "verifier": _b64(pem)}],
                },
            },
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._logged(body)],
                "timestampVerificationData": None,
            },
            "dsseEnvelope": envelope,
        }

    def _logged(self, body: bytes) -> dict[str, Any]:
        """The only entry of the signature log, with its proof and its promise."""
        log_id, at = hashlib.sha256(_public(self.signatures)).digest(), int(SIGNED_AT.timestamp())
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"log.test\n1\n{_b64(root)}\n"
        checkpoint = f"{note}\n— log.test {_b64(log_id[:4] + _sign(self.signatures, note.encode()))}\n"
        entry = {"body": _b64(body), "integratedTime": at, "logID": log_id.hex(), "logIndex": 0}
        promise = _sign(self.signatures, json.dumps(entry, separators=(",", ":"), sort_keys=True).encode())
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(at),
            "inclusionPromise": {"signedEntryTimestamp": _b64(promise)},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": _b64(body),
        }


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})

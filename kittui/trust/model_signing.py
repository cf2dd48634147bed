"""Checks OpenSSF Model Signing 1.0: `model.sig`, a signature over a model's files that lies among them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.trust.bundles import Envelope, parse_bundle
from kittui.trust.documents import decode_base64, list_of, load_document, map_of, text_of
from kittui.trust.keyring import Keyring
from kittui.trust.statements import PAYLOAD_TYPE, Statement, parse_statement
from kittui.trust.verdicts import Verdict, judge_envelope

NAME: Final = "model.sig"
PREDICATE: Final = "https://model_signing/signature/v1.0"
HASHES: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512, "blake2b": hashlib.blake2b}
)
"""Hash algorithms for files, by their names in signatures."""
_HEX: Final = re.compile(r"[0-9a-f]{16,256}\Z")


@dataclass(frozen=True, slots=True)
class Resource:
    """A file of the model as it was signed: its path in the model's folder."""

    path: str
    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """What a `model.sig` says and proves; its files are not checked yet.

    `ignored` are paths that the signer left out, with all below them.
    """

    verdict: Verdict
    resources: Mapping[str, Resource] = field(default_factory=dict, hash=False)
    ignored: tuple[str, ...] = ()

    def ignores(self, path: str) -> bool:
        """Whether the signer left a path out."""
        return path == NAME or any(path == one or path.startswith(f"{one}/") for one in self.ignored)


def read_model_signature(raw: bytes, keyring: Keyring, now: datetime | None = None) -> ModelSignature:
    """Assess a `model.sig` with the keys that count. Never fails: what can't be read is a verdict."""
    try:
        envelope = parse_bundle(raw)
        if envelope is None or envelope.payload_type != PAYLOAD_TYPE:
            return ModelSignature(Verdict("not verified", "it signs something else than a statement about files"))
        statement = parse_statement(envelope.payload)
        if statement.predicate_type != PREDICATE:
            kind = statement.predicate_type[:100]
            return ModelSignature(Verdict("not verified", f"it is a statement of another kind: {kind}"))
        predicate = load_document(envelope.payload, "the statement")["predicate"]
        return _assessed(envelope, statement, predicate, keyring, now)
    except KittuiError as error:
        return ModelSignature(Verdict("invalid", error.message))


def _assessed(
    envelope: Envelope, statement: Statement, predicate: Mapping[str, Any], keyring: Keyring, now: datetime | None
) -> ModelSignature:
    how = map_of(predicate, "serialization")
    if text_of(how, "method") != "files":
        method = text_of(how, "method")[:40] or "none"
        return ModelSignature(Verdict("not verified", f"files are signed one by one here, not as {method!r}"))
    root = hashlib.sha256()
    resources: dict[str, Resource] = {}
    for entry in list_of(predicate, "resources"):
        found = _resource(entry)
        if found is None or found.path in resources:
            return ModelSignature(Verdict("invalid", "its list of files can't be read"))
        resources[found.path] = found
        root.update(bytes.fromhex(found.digest))
    # The subject's digest is over the digests of all files, in order, so the list and the subject must agree.
    verdict = judge_envelope(_hinted(envelope, keyring), keyring, Digest(f"sha256:{root.hexdigest()}"), now)
    ignored = tuple(text.strip("/") for text in list_of(how, "ignore_paths") if isinstance(text, str) and text)
    return ModelSignature(verdict, resources, ignored)


def _resource(entry: Any) -> Resource | None:
    if not isinstance(entry, dict):
        return None
    path, algorithm, digest = (text_of(entry, key) for key in ("name", "algorithm", "digest"))
    if not path or not _HEX.match(digest) or len(digest) % 2:
        return None
    return Resource(path, algorithm, digest)


def _hinted(envelope: Envelope, keyring: Keyring) -> Envelope:
    """Find the key in the hint, which is the hash of its PEM form here, in hex."""
    for trusted in keyring.keys:
        pem = trusted.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if envelope.hint == decode_base64(hashlib.sha256(pem).hexdigest()):
            return replace(envelope, hint=trusted.digest)
    return replace(envelope, hint=b"")

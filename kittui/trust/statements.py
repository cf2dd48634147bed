"""Reads and writes in-toto statements: their subjects' digests and predicate types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from kittui.errors import Malformed, UsageError
from kittui.oci.digest import Digest
from kittui.trust.documents import dump_document, list_of, load_document, map_of, text_of

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
_STATEMENTS: Final = (STATEMENT, "https://in-toto.io/Statement/v0.1")

REJECTION_TYPE: Final = "application/vnd.kittui.rejection.v1+json"
"""The payload type of a rejection, so that no tool accepts it as a signature."""
OURS: Final = "https://github.com/kitops-ml/kittui"
"""The prefix of the URIs of kittui's own predicates and fields; they are names, never fetched."""

SIGNED: Final = "https://sigstore.dev/cosign/sign/v1"
SUMMARY: Final = "https://slsa.dev/verification_summary/v1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
REVIEW: Final = "https://in-toto.io/attestation/svr/v0.2"
BOM: Final = "https://cyclonedx.org/bom"
SPDX: Final = "https://spdx.dev/Document"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        SIGNED: "signature",
        SUMMARY: "verification summary",
        TEST_RESULT: "test result",
        REVIEW: "review",
        BOM: "CycloneDX BOM",
        SPDX: "SPDX document",
        PROVENANCE: "provenance",
        "https://slsa.dev/provenance/v0.2": "provenance",
        "https://in-toto.io/attestation/link/v0.3": "in-toto link",
        "https://in-toto.io/attestation/svr/v0.1": "review",
        f"{OURS}/tag-move/v1": "record of a move",
    }
)
"""Names of predicate types for people."""
_SUBJECTS: Final = 1000
SHORT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sign": SIGNED,
        "cyclonedx": BOM,
        "provenance": PROVENANCE,
        "spdx": SPDX,
        "svr": REVIEW,
        "tag-move": f"{OURS}/tag-move/v1",
        "test-result": TEST_RESULT,
        "vsa": SUMMARY,
    }
)
"""Short names of predicate types."""
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,1000}\Z")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and its subjects' digests (`ALGORITHM:HEX`); `rejects`: it was signed as a rejection."""

    predicate_type: str
    predicate: Mapping[str, Any] = field(hash=False)
    subjects: frozenset[str]
    rejects: bool = False

    @property
    def kind(self) -> str:
        """The statement's name; the predicate's own URI if unknown."""
        return "rejection" if self.rejects else kind_of_predicate(self.predicate_type)

    @property
    def signs(self) -> bool:
        """Whether it vouches for the whole ModelKit, as a signature does."""
        return self.predicate_type == SIGNED and not self.rejects

    def is_about(self, digest: Digest) -> bool:
        """Whether it is about the manifest."""
        return digest in self.subjects


def kind_of_predicate(uri: str) -> str:
    """The name of a predicate type, its URI if unknown; versions share a name."""
    known = KINDS.get(uri)
    if known is None and uri.startswith((BOM + "/", SPDX + "/")):
        known = KINDS[BOM] if uri.startswith(BOM) else KINDS[SPDX]
    return known or uri


def predicate_uri(text: str) -> str:
    """A predicate type from its short name or its URI; raises UsageError for anything else."""
    known = SHORT.get(text)
    if known is None and not _URI.match(text):
        raise UsageError(
            f"{text!r} is not a predicate type",
            hint=f"A predicate type is a URI such as {SUMMARY}, or one of {', '.join(SHORT)}.",
        )
    return known or text


def parse_statement(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> Statement:
    """Read a statement that was signed as a payload of a type; raises Malformed and TooLarge."""
    document = load_document(payload, "the statement")
    if document.get("_type") not in _STATEMENTS:
        raise Malformed("it is not an in-toto statement")
    predicate_type = text_of(document, "predicateType")
    if not predicate_type:
        raise Malformed("the statement has no predicate type")
    subjects = frozenset(
        f"{algorithm}:{value}"
        for subject in list_of(document, "subject")[:_SUBJECTS]
        if isinstance(subject, dict)
        for algorithm, value in map_of(subject, "digest").items()
        if isinstance(value, str)
    )
    rejects = payload_type == REJECTION_TYPE
    if rejects and predicate_type != REVIEW:
        raise Malformed("a rejection contains something other than a review")
    return Statement(predicate_type, map_of(document, "predicate"), subjects, rejects)


def write_statement(digest: Digest, name: str, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """The bytes of a statement about one manifest; `name` is HOST/REPO."""
    subject = {"name": name, "digest": {digest.algorithm: digest.hex}}
    return dump_document(
        {"_type": STATEMENT, "subject": [subject], "predicateType": predicate_type, "predicate": dict(predicate)}
    )

"""Checks what is attached to a ModelKit: signatures and statements, with the keys that count for it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from kittui.modelkit.kinds import Kind
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.target import Target
from kittui.trust.keyring import Keyring
from kittui.trust.verdicts import Status, Verdict, judge_bundle, judge_raw_envelope, judge_simple
from kittui.usecases.trust.attachments import Attachment, attachments_of
from kittui.usecases.trust.words import Word

_BY_RANK: Final[Mapping[Status, Word]] = {
    "verified": "valid",
    "invalid": "INVALID",
    "no longer trusted": "not verified",
    "not verified": "not verified",
    "error": "not verified",
    "signed by another key": "unknown key",
    "unknown key": "unknown key",
    "unsigned": "unsigned",
}
"""The word for a signature's status; of several signatures the first in this order counts."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature or statement about the ModelKit: `digest` is that of its manifest, `layer` its own."""

    kind: Kind
    digest: Digest
    layer: Digest
    verdict: Verdict

    @property
    def status(self) -> Status:
        """The result of checking it."""
        return self.verdict.status

    @property
    def reason(self) -> str:
        """Why."""
        return self.verdict.reason

    @property
    def about(self) -> str:
        """Its name: what it states, if readable."""
        return self.verdict.statement.kind if self.verdict.statement else self.kind

    @property
    def predicate_type(self) -> str | None:
        """The URI of the predicate type, if the statement is readable."""
        return self.verdict.statement.predicate_type if self.verdict.statement else None

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        signer = self.verdict.signer
        return {
            "kind": self.kind,
            "digest": self.digest,
            "status": self.status,
            "reason": self.reason,
            "type": self.predicate_type,
            "about": self.about,
            "key": signer.name if signer else None,
            "owner": (signer.owner or None) if signer else None,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of checking a ModelKit.

    One valid signature is enough for `verified`; statements of other kinds never are.
    """

    reference: str
    digest: Digest
    signatures: tuple[Signature, ...]
    complete: bool = True

    @property
    def status(self) -> Literal["verified", "not verified", "none"]:
        """The overall status: `none` if no attachment claims to be a signature or statement, and all were read."""
        if not self.signatures and self.complete:
            return "none"
        return "verified" if self.word == "valid" else "not verified"

    @property
    def word(self) -> Word:
        """The verdict on the ModelKit's signatures in one word; `unsigned` only if everything attached was read."""
        statuses = {one.status for one in self.signatures if one.kind == "signature"}
        # Anything unreadable may have been a signature, whatever its manifest calls it.
        seen = self.complete and all(
            one.verdict.statement is not None or one.status not in ("error", "invalid") for one in self.signatures
        )
        return next(
            (word for status, word in _BY_RANK.items() if status in statuses), "unsigned" if seen else "not verified"
        )

    @property
    def signers(self) -> tuple[str, ...]:
        """The signers with valid signatures: the owners of the keys, else the keys' names."""
        found = (one.verdict.signer for one in self.signatures if one.kind == "signature" and one.verdict.holds)
        return tuple(dict.fromkeys(signer.owner or signer.name for signer in found if signer))

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "signatures": [one.to_json() for one in self.signatures],
            "status": self.status,
            "word": self.word,
            "signers": list(self.signers),
            "complete": self.complete,
        }


async def verify(
    repository: Repository,
    target: Target,
    keyring: Keyring,
    now: datetime | None = None,
    tags: Collection[str] | None = None,
) -> Verification:
    """Check everything attached to a ModelKit. Raises NotFound and the source's errors for the ModelKit itself.

    The digest is computed from the manifest's bytes, and a signature's own claims are checked against it. `tags` are
    all tags of the repository, if known: that saves requests.
    """
    manifest = await repository.manifest(target)
    digest = manifest.digest
    digest.verify(manifest.raw, "the manifest")
    found = await check_attached(repository, digest, keyring, now, tags)
    return replace(found, reference=repository.reference(target))


async def check_attached(
    repository: Repository,
    digest: Digest,
    keyring: Keyring,
    now: datetime | None = None,
    tags: Collection[str] | None = None,
) -> Verification:
    """Check everything attached to a digest whose manifest was read before; `tags` as in `verify`."""
    attached = await attachments_of(repository, digest, tags=tags)
    checked = await asyncio.to_thread(lambda: tuple(check(one, keyring, digest, now) for one in attached.attachments))
    return Verification(repository.reference(digest), digest, checked, attached.complete)


def check(attachment: Attachment, keyring: Keyring, digest: Digest, now: datetime | None = None) -> Signature:
    """Check one attachment against the keys that count."""
    verdict = _assess(attachment, keyring, digest, now)
    kind = attachment.kind
    if verdict.statement is not None:
        kind = "signature" if verdict.statement.signs else "attestation"
    return Signature(kind, attachment.manifest, attachment.layer, verdict)


def _assess(attachment: Attachment, keyring: Keyring, digest: Digest, now: datetime | None) -> Verdict:
    if attachment.foreign:
        return Verdict("invalid", "its subject is another manifest")
    if attachment.problem:
        return Verdict("error", attachment.problem)
    if attachment.form == "simple":
        signature, certificate = attachment.signature, attachment.certificate
        return judge_simple(attachment.content, signature, certificate, keyring, digest)
    if attachment.form == "bundle":
        return judge_bundle(attachment.content, keyring, digest, now)
    if attachment.form == "envelope":
        return judge_raw_envelope(attachment.content, keyring, digest, now)
    return Verdict("not verified", attachment.note)

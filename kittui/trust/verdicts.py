"""Judges what a signature proves, for one manifest and one keyring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.trust.bundles import Envelope, parse_bundle, parse_envelope
from kittui.trust.certificates import Identity, identity_of, key_of
from kittui.trust.documents import decode_base64, load_document, map_of, text_of
from kittui.trust.keyring import Keyring, TrustedIdentity, TrustedKey
from kittui.trust.keys import check_signature, name_of
from kittui.trust.statements import PAYLOAD_TYPE, REJECTION_TYPE, SIGNED, Statement, parse_statement

Status = Literal[
    "verified",
    "no longer trusted",
    "unknown key",
    "signed by another key",
    "not verified",
    "unsigned",
    "invalid",
    "error",
]
"""The result of checking one signature.

`verified`: a trusted key made it for this digest. `no longer trusted`: the key has expired. `unknown key`: by none of
the configured keys; `signed by another key` if the user named the key to check with. `not verified`: it can't be
checked here. `unsigned`: a statement without signature. `invalid`: provably wrong. `error`: it can't be read.
"""
SIMPLE_SIGNING: Final = "cosign container image signature"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of checking one signature, and why.

    `signer` is the trusted key or identity that made it (even if expired); `statement` what it signs as far as
    readable, credible only if the status is `verified`.
    """

    status: Status
    reason: str
    signer: TrustedKey | TrustedIdentity | None = None
    statement: Statement | None = None

    @property
    def holds(self) -> bool:
        """Whether a trusted key vouches for the statement now."""
        return self.status == "verified"


def judge_bundle(raw: bytes, keyring: Keyring, digest: Digest, now: datetime | None = None) -> Verdict:
    """Assess a Sigstore bundle that is attached to a manifest."""
    try:
        envelope = parse_bundle(raw)
    except KittuiError as error:
        return Verdict("invalid", error.message)
    if envelope is None:
        return Verdict("not verified", "the bundle signs a message, not a statement")
    return judge_envelope(envelope, keyring, digest, now, raw)


def judge_raw_envelope(raw: bytes, keyring: Keyring, digest: Digest, now: datetime | None = None) -> Verdict:
    """Assess a bare DSSE envelope, as cosign 2 attached attestations."""
    try:
        envelope = parse_envelope(load_document(raw, "the envelope"))
    except KittuiError as error:
        return Verdict("invalid", error.message)
    return judge_envelope(envelope, keyring, digest, now)


def judge_envelope(
    envelope: Envelope, keyring: Keyring, digest: Digest, now: datetime | None = None, bundle: bytes = b""
) -> Verdict:
    """Assess a DSSE envelope: a statement, or a rejection. `bundle` is what it came in, with a certificate."""
    if envelope.payload_type not in (PAYLOAD_TYPE, REJECTION_TYPE):
        return Verdict("not verified", f"it signs something of type {envelope.payload_type[:100]}")
    try:
        statement = parse_statement(envelope.payload, envelope.payload_type)
    except KittuiError as error:
        return Verdict("invalid", error.message)
    if not statement.is_about(digest):
        return Verdict("invalid", "it is about another digest", statement=statement)
    if not envelope.signatures:
        return Verdict("unsigned", "the statement has no signature", statement=statement)
    if envelope.certificate is not None:
        return _keyless(envelope, envelope.certificate, bundle, keyring, statement, now or datetime.now(UTC))
    return _assess(envelope.message, envelope.signatures, envelope.hint, keyring, statement, now)


def judge_simple(
    payload: bytes, signature: str | None, certificate: str | None, keyring: Keyring, digest: Digest
) -> Verdict:
    """Assess cosign's older form: a simple-signing payload, and what its layer carries as annotations."""
    try:
        critical = map_of(load_document(payload, "the payload"), "critical")
    except KittuiError as error:
        return Verdict("invalid", error.message)
    if text_of(critical, "type") != SIMPLE_SIGNING:
        return Verdict("invalid", "the payload is of another type")
    claimed = text_of(map_of(critical, "image"), "docker-manifest-digest")
    if claimed != digest:
        return Verdict("invalid", f"it was signed for another digest: {claimed[:100]}")
    statement = Statement(SIGNED, {}, frozenset({claimed}))
    made = decode_base64(signature)
    if not made:
        return Verdict("unsigned", "the layer has no signature", statement=statement)
    if certificate:
        return _shown(identity_of(certificate.encode(errors="replace")), statement)
    return _assess(payload, (made,), b"", keyring, statement, None)


def _shown(identity: Identity, statement: Statement, why: str = "certificates are shown, not verified") -> Verdict:
    return Verdict("not verified", f"signed with a certificate of {identity}; {why}", statement=statement)


def _keyless(
    envelope: Envelope, certificate: bytes, bundle: bytes, keyring: Keyring, statement: Statement, now: datetime
) -> Verdict:
    """Assess what a certificate's key signed, by the root of trust if one is configured."""
    identity, key = identity_of(certificate), key_of(certificate)
    made = [check_signature(key, signature, envelope.message) for signature in envelope.signatures] if key else []
    if made and all(each.outcome == "fails" for each in made):
        return Verdict("invalid", "the key in its certificate did not make this signature", statement=statement)
    if keyring.certificates is None or not bundle:
        return _shown(identity, statement)
    found = keyring.certificates.check(bundle, keyring.identities)
    if found.problem:
        return _shown(identity, statement, f"it can't be verified: {found.problem}")
    if (found.payload_type, found.payload) != (envelope.payload_type, envelope.payload):
        return Verdict("invalid", "the bundle is ambiguous", statement=statement)
    if found.identity is None:
        return Verdict("unknown key", f"signed by {identity}, which is not a trusted identity", statement=statement)
    return _held(found.identity, "by certificate", statement, now)


def _assess(
    message: bytes,
    signatures: tuple[bytes, ...],
    hint: bytes,
    keyring: Keyring,
    statement: Statement,
    now: datetime | None,
) -> Verdict:
    now = now or datetime.now(UTC)
    # A key with two entries counts if one of them does.
    candidates = sorted(keyring.candidates(hint), key=lambda trusted: not trusted.counts(now))
    unchecked = ""
    for trusted in candidates:
        for signature in signatures:
            checked = check_signature(trusted.key, signature, message)
            if checked.outcome == "holds":
                return _held(trusted, checked.reason, statement, now)
            if checked.outcome == "unchecked":
                unchecked = checked.reason
    if unchecked:
        return Verdict("not verified", unchecked, statement=statement)
    if hint and candidates:
        reason = f"it names key {candidates[0].name}, which did not make this signature"
        return Verdict("invalid", reason, statement=statement)
    return _foreign(hint, keyring, statement)


def _foreign(hint: bytes, keyring: Keyring, statement: Statement) -> Verdict:
    """The verdict for an unavailable key.

    A signature in the older form has no key name, so a broken one looks the same.
    """
    if keyring.named:
        by = f"made by key {name_of(hint)}" if hint else "this key did not make it, and no other is named"
        return Verdict("signed by another key", by, statement=statement)
    by = f"key {name_of(hint)} is not a trusted key" if hint else "none of the trusted keys made it"
    return Verdict("unknown key", by, statement=statement)


def _held(trusted: TrustedKey | TrustedIdentity, how: str, statement: Statement, now: datetime) -> Verdict:
    if isinstance(trusted, TrustedIdentity):
        whose = f"{trusted.owner} as {trusted.identity}, authenticated by {trusted.issuer}"
    else:
        whose = f"{trusted.owner} with key {trusted.name}" if trusted.owner else f"key {trusted.name}"
    if trusted.until is not None and not trusted.counts(now):
        reason = f"signed by {whose}, which was trusted until {trusted.until.date().isoformat()}"
        return Verdict("no longer trusted", reason, trusted, statement)
    return Verdict("verified", f"signed by {whose} ({how})", trusted, statement)

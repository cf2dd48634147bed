"""Approvals and rejections: whose count, for what, and what never does."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kittui.oci.digest import Digest
from kittui.trust.bundles import pae, write_bundle, write_envelope
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.keys import key_digest
from kittui.trust.reviews import APPROVED, DETAILS, REJECTED, Decision, decisions, write_review
from kittui.trust.signing import sign
from kittui.trust.statements import PAYLOAD_TYPE, REJECTION_TYPE, REVIEW, SIGNED, write_statement
from kittui.trust.verdicts import Verdict, judge_bundle, judge_raw_envelope

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DIGEST = Digest.of(b"kit")
PEOPLE = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("anna", "ben", "mallory")}
KEYRING = Keyring(tuple(TrustedKey(name, PEOPLE[name].public_key()) for name in ("anna", "ben")))


def judged(
    who: str,
    decision: Decision = "approved",
    *,
    at: datetime = NOW,
    tag: str = "champion",
    repository: str = "host/fraud",
    digest: Digest = DIGEST,
    predicate: Mapping[str, Any] | None = None,
    payload_type: str | None = None,
) -> Verdict:
    said = predicate if predicate is not None else write_review(decision, repository, tag, who, "because", at)
    payload = write_statement(digest, repository, REVIEW, said)
    kind = payload_type or (REJECTION_TYPE if decision == "rejected" else PAYLOAD_TYPE)
    key = PEOPLE[who]
    made, hint = sign(key, pae(kind, payload)), key_digest(key.public_key())
    if kind == PAYLOAD_TYPE:
        return judge_bundle(write_bundle(payload, made, hint), KEYRING, DIGEST, NOW)
    return judge_raw_envelope(write_envelope(payload, kind, made, hint), KEYRING, DIGEST, NOW)


def found(*verdicts: Verdict) -> dict[str, Decision]:
    return {owner: one.decision for owner, one in decisions(verdicts, {"host/fraud"}, "champion", NOW).items()}


def test_each_person_counts_once_with_the_last_decision() -> None:
    hour = timedelta(hours=1)
    assert found(judged("anna"), judged("anna"), judged("ben", "rejected")) == {"anna": "approved", "ben": "rejected"}
    assert found(judged("anna", at=NOW - hour), judged("anna", "rejected")) == {"anna": "rejected"}
    assert found(judged("anna"), judged("anna", "rejected", at=NOW - hour)) == {"anna": "approved"}
    assert found(judged("anna"), judged("anna", "rejected")) == {"anna": "rejected"}


@pytest.mark.parametrize(
    "verdict",
    [
        judged("mallory"),
        judged("anna", tag="rollback"),
        judged("anna", repository="host/other"),
        judged("anna", digest=Digest.of(b"other")),
        judged("anna", at=NOW + timedelta(hours=1)),
        judged("anna", "rejected", payload_type=PAYLOAD_TYPE),
        judged("anna", "approved", payload_type=REJECTION_TYPE),
        judged("anna", predicate={}),
        judged("anna", predicate={"properties": [APPROVED, REJECTED], "timeCreated": "2026-11-29T12:00:00Z"}),
        judged("anna", predicate={"properties": APPROVED, DETAILS: [], "timeCreated": 5}),
    ],
    ids=[
        "unknown key",
        "another tag",
        "another repository",
        "another digest",
        "from the future",
        "a rejection as a statement",
        "an approval as a rejection",
        "empty",
        "both",
        "other types",
    ],
)
def test_what_never_counts(verdict: Verdict) -> None:
    assert found(verdict) == {}


def test_what_a_person_said_before_the_key_was_withdrawn_does_not_count() -> None:
    withdrawn = Keyring((TrustedKey("anna", PEOPLE["anna"].public_key(), until=NOW),))
    payload = write_statement(
        DIGEST, "host/fraud", REVIEW, write_review("approved", "host/fraud", "champion", "a", "", NOW)
    )
    hint = key_digest(PEOPLE["anna"].public_key())
    raw = write_bundle(payload, sign(PEOPLE["anna"], pae(PAYLOAD_TYPE, payload)), hint)
    before = judge_bundle(raw, withdrawn, DIGEST, NOW - timedelta(days=1))
    assert before.status == "verified"
    after = judge_bundle(raw, withdrawn, DIGEST, NOW)
    assert after.status == "no longer trusted"
    assert "trusted until 2026-11-29" in after.reason
    assert found(after) == {}


def test_a_rejection_can_not_be_wrapped_into_a_signature() -> None:
    payload = write_statement(DIGEST, "host/fraud", SIGNED, {})
    key = PEOPLE["anna"]
    made, hint = sign(key, pae(REJECTION_TYPE, payload)), key_digest(key.public_key())
    assert judge_bundle(write_bundle(payload, made, hint), KEYRING, DIGEST, NOW).status == "invalid"
    envelope = json.loads(write_envelope(payload, REJECTION_TYPE, made, hint))
    bundle = {
        "verificationMaterial": {"publicKey": {"hint": base64.b64encode(hint).decode()}},
        "dsseEnvelope": envelope,
    }
    found = judge_bundle(json.dumps(bundle).encode(), KEYRING, DIGEST, NOW)
    assert (found.status, found.reason) == ("invalid", "a rejection contains something other than a review")

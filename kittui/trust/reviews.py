"""Approvals and rejections of a ModelKit: approvals are Simple Verification Results, rejections have their own format.

`cosign verify` accepts any in-toto statement by a key as its signature. A rejection is therefore signed with a payload
type of its own: no tool accepts it as a signature, and nobody can rewrap it so that one does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from kittui.trust.documents import list_of, map_of, parse_time, text_of, write_time
from kittui.trust.statements import OURS, REVIEW, Statement
from kittui.trust.verdicts import Verdict

APPROVED: Final = "ORG_PROMOTION_APPROVED"
REJECTED: Final = "ORG_PROMOTION_REJECTED"
REVIEWER: Final = f"{OURS}/reviewer/v1"
DETAILS: Final = f"{OURS}/review/v1"
"""The additional field: about which repository and tag, by whom, and why."""
SKEW: Final = timedelta(minutes=5)
"""How far a clock may be ahead before its times count as in the future."""

Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class SignedReview:
    """One person's decision; `owner` is whose key signed it, `time` what the statement claims."""

    decision: Decision
    owner: str
    time: datetime
    repository: str
    tag: str
    reason: str = ""


def write_review(
    decision: Decision, repository: str, tag: str, actor: str, reason: str, now: datetime, against: str | None = None
) -> dict[str, Any]:
    """The predicate of a review; `against` is the digest against which every change was reviewed."""
    seen = {"reviewedAgainst": against} if against else {}
    return {
        "verifier": {"id": REVIEWER, "policies": []},
        "timeCreated": write_time(now),
        "properties": [APPROVED if decision == "approved" else REJECTED],
        DETAILS: {"repository": repository, "tag": tag, "actor": actor, "reason": reason, **seen},
    }


def read_review(statement: Statement, owner: str) -> SignedReview | None:
    """Read a statement's decision; None if it is not a review by kittui, or contradicts itself."""
    if statement.predicate_type != REVIEW:
        return None
    properties = list_of(statement.predicate, "properties")
    wanted: Decision = "rejected" if statement.rejects else "approved"
    if (APPROVED in properties) == (REJECTED in properties) or (REJECTED in properties) != statement.rejects:
        return None
    details = map_of(statement.predicate, DETAILS)
    time = parse_time(statement.predicate.get("timeCreated"))
    repository, tag = text_of(details, "repository"), text_of(details, "tag")
    if time is None or not repository or not tag:
        return None
    return SignedReview(wanted, owner, time, repository, tag, text_of(details, "reason"))


def decisions(
    verdicts: Iterable[Verdict], repositories: Collection[str], tag: str, now: datetime
) -> dict[str, SignedReview]:
    """The last decision of each person about a tag, by the owners of trusted keys.

    Reviews of other repositories and tags, or by keys that do not count, are left out, and approvals that are dated in
    the future. A rejection counts whatever its date; of two reviews with the same time the rejection counts.
    """
    last: dict[str, SignedReview] = {}
    for verdict in verdicts:
        if not verdict.holds or verdict.statement is None or verdict.signer is None:
            continue
        review = read_review(verdict.statement, verdict.signer.owner or verdict.signer.name)
        if review is None or review.repository not in repositories or review.tag != tag:
            continue
        if review.decision == "approved" and review.time > now + SKEW:
            continue
        known = last.get(review.owner)
        if known is None or (review.time, review.decision == "rejected") > (known.time, known.decision == "rejected"):
            last[review.owner] = review
    return last

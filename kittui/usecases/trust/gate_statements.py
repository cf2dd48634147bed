"""Evaluates gates on a ModelKit's attachments: signatures, statements, approvals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from kittui.trust.documents import list_of, map_of, parse_time, text_of
from kittui.trust.gates import ApprovedBy, Attested, SignedBy
from kittui.trust.reviews import DETAILS, SKEW, decisions, read_review
from kittui.trust.statements import SUMMARY
from kittui.usecases.trust.answers import Answer, Case
from kittui.usecases.trust.verify import Signature, Verification

_RESULTS: Final = ("verificationResult", "result")
_TIMES: Final = ("timeVerified", "timeCreated", "time")


def _owned(one: Signature, people: Sequence[str]) -> bool:
    signer = one.verdict.signer
    return one.verdict.holds and signer is not None and (not people or signer.owner in people)


def _missing(found: Verification, reason: str, remedy: str) -> Answer:
    """Fail, or cannot tell if something unread may be what is missing."""
    if _hidden(found):
        return Answer("unknown", f"{reason}, and not everything attached to it could be read", remedy)
    return Answer("fail", reason, remedy)


def _hidden(found: Verification) -> str:
    """A remark if an unread attachment may count against the ModelKit; empty otherwise."""
    unread = not found.complete or any(one.status == "error" for one in found.signatures)
    return "not everything attached to it could be read" if unread else ""


def signed(gate: SignedBy, found: Verification) -> Answer:
    """Whether one of the people signed it."""
    held = [one for one in found.signatures if one.kind == "signature" and _owned(one, gate.people)]
    if held:
        owner = held[0].verdict.signer
        return Answer("pass", f"signed by {owner.owner if owner else ''}", evidence=(held[0].digest,))
    unchecked = [one for one in found.signatures if one.kind == "signature" and one.status == "not verified"]
    if unchecked:
        return Answer("unknown", f"a signature is there that can't be checked: {unchecked[0].reason}")
    who = " or ".join(gate.people)
    return _missing(found, f"it is not signed by {who}", f"have {who} sign it: kittui sign REF --key FILE")


def attested(gate: Attested, found: Verification, case: Case) -> Answer:
    """Whether a statement of the type holds, with the result.

    A summary about another tag or repository does not count.
    """
    now = case.now
    held = [one for one in found.signatures if one.predicate_type == gate.type and _owned(one, gate.by)]
    named = gate.short or gate.type
    held = [one for one in held if not _elsewhere(one, case)]
    if not held:
        who = f" by {' or '.join(gate.by)}" if gate.by else " by a trusted key"
        return _missing(
            found, f"no {named} statement{who} holds", "attach one: kittui attest REF --type TYPE --predicate FILE"
        )
    if hidden := _hidden(found):
        return Answer("unknown", f"{hidden}, and it may include another result", "see kittui verify REF")
    if not gate.result:
        return Answer("pass", f"a {named} statement holds", evidence=tuple(one.digest for one in held))
    dated = [(_time(one), one) for one in held]
    if any(time is not None and time > now + SKEW for time, _ in dated):
        return Answer("unknown", f"a {named} statement is dated in the future")
    if len(held) > 1 and all(time is not None for time, _ in dated):
        last = max(time for time, _ in dated if time is not None)
        held = [one for time, one in dated if time == last]
    results = {one.digest: _results(one) for one in held}
    agreeing = [digest for digest, said in results.items() if gate.result in said]
    if len(agreeing) == len(held):
        return Answer("pass", f"a {named} statement says {gate.result}", evidence=tuple(agreeing))
    if agreeing:
        return Answer(
            "unknown", f"{named} statements contradict each other and have no time", "remove the one that is outdated"
        )
    said = next(iter(results.values()))
    result = ", ".join(sorted(said)) or "nothing"
    return Answer("fail", f"the {named} statement says {result} instead of {gate.result}")


def _elsewhere(one: Signature, case: Case) -> bool:
    """Whether it is a rejection, or a verification summary about another tag or repository."""
    statement = one.verdict.statement
    if statement is None or statement.rejects:
        return True
    scheme, _, resource = text_of(statement.predicate, "resourceUri").partition("://")
    if statement.predicate_type != SUMMARY or scheme != "oci":
        return False
    return not any(resource in (name, f"{name}:{case.tag}", f"{name}@{case.after.digest}") for name in case.names)


def _results(one: Signature) -> set[str]:
    predicate = one.verdict.statement.predicate if one.verdict.statement else {}
    said = {text_of(predicate, key) for key in _RESULTS} - {""}
    return said | {text for text in list_of(predicate, "properties") if isinstance(text, str)}


def _time(one: Signature) -> datetime | None:
    predicate = one.verdict.statement.predicate if one.verdict.statement else {}
    return next((time for key in _TIMES if (time := parse_time(predicate.get(key))) is not None), None)


def approved(gate: ApprovedBy, found: Verification, case: Case) -> Answer:
    """Whether enough of the people approve, and none rejects."""
    decided = decisions((one.verdict for one in found.signatures), case.names, case.tag, case.now)
    counted = {person: decided[person] for person in gate.people if person in decided}
    for person, review in counted.items():
        if review.decision == "rejected":
            because = f": {review.reason}" if review.reason else ""
            return Answer("fail", f"{person} rejected it{because}", f"have {person} approve it again")
    missing = [person for person in gate.people if person not in counted]
    if len(counted) >= gate.count and (hidden := _hidden(found)):
        return Answer("unknown", f"{hidden}, and it may include a rejection", "see kittui verify REF")
    if len(counted) >= gate.count:
        evidence = tuple(one.digest for one in found.signatures if _is_review(one, counted))
        return Answer("pass", f"approved by {', '.join(counted)}", evidence=evidence)
    have = f"approved by {', '.join(counted)}; " if counted else ""
    need = gate.count - len(counted)
    who = ", ".join(missing)
    reason = f"{have}{who if need == len(missing) else f'{need} more of {who}'} must approve"
    return _missing(found, reason, f"approve it: kittui approve REF --for {case.tag} --key FILE")


def _is_review(one: Signature, counted: Mapping[str, object]) -> bool:
    signer, statement = one.verdict.signer, one.verdict.statement
    if signer is None or statement is None or not one.verdict.holds or statement.rejects:
        return False
    return signer.owner in counted and read_review(statement, signer.owner) is not None


def reviewed(found: Verification, case: Case, known: str) -> Answer:
    """Whether somebody states that they reviewed every change against what the tag holds now.

    `known` is this machine's answer, used otherwise.
    """
    decided = decisions((one.verdict for one in found.signatures), case.names, case.tag, case.now)
    for one in found.signatures:
        statement, signer = one.verdict.statement, one.verdict.signer
        if not one.verdict.holds or statement is None or signer is None:
            continue
        review = read_review(statement, signer.owner or signer.name)
        if review is None or review.decision != "approved" or decided.get(review.owner) != review:
            continue
        against = text_of(map_of(statement.predicate, DETAILS), "reviewedAgainst")
        if case.before is not None and against == case.before.digest:
            return Answer("pass", f"{review.owner} reviewed every change", evidence=(one.digest,))
        if against and not known:
            known = f"{review.owner} reviewed it against another {case.tag} than the present one"
    reason = known or f"nobody stated that every change against the present {case.tag} was reviewed"
    stated = f"kittui approve REF --for {case.tag} --reviewed --key FILE"
    remedy = f"tick every change in the comparison, or state it: {stated}"
    return _missing(found, reason, remedy)

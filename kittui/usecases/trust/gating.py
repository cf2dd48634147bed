"""Evaluates gates: each answers pass, fail or cannot tell, with its reason and what to do."""

from __future__ import annotations

from dataclasses import replace

from kittui.errors import KittuiError
from kittui.terminal import size_text
from kittui.trust.gates import (
    ApprovedBy,
    Attested,
    Gate,
    KitfileHas,
    LicenseIn,
    Metric,
    NotOlderThan,
    Reviewed,
    Scanned,
    SignedBy,
)
from kittui.usecases.trust.answers import Answer, Case
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.gate_kitfiles import has, licensed, measured, young
from kittui.usecases.trust.gate_statements import approved, attested, reviewed, signed
from kittui.usecases.trust.verify import Verification
from kittui.usecases.trust.words import left_text


async def answer(gate: Gate, case: Case, evidence: Evidence) -> Answer:
    """Evaluate one gate. Never fails: what can't be read is `unknown`."""
    try:
        return await _answer(gate, case, evidence)
    except KittuiError as error:
        return Answer("unknown", error.message, error.hint or "")


def price(gate: Gate, case: Case) -> str:
    """What evaluating a gate reads, in words."""
    if isinstance(gate, NotOlderThan):
        return "nothing"
    if isinstance(gate, Metric) and gate.not_worse:
        return "two Kitfiles"
    if isinstance(gate, LicenseIn | KitfileHas | Metric):
        return "the Kitfile"
    if isinstance(gate, Scanned):
        size = sum(layer.size for layer in case.after.layers)
        return f"files of up to {size_text(size)}" if gate.by == "modelscan" else "parts of the layers"
    return "ticks here, else what is attached to it" if isinstance(gate, Reviewed) else "what is attached to it"


async def _answer(gate: Gate, case: Case, evidence: Evidence) -> Answer:
    if isinstance(gate, Reviewed):
        return await _reviewed(case, evidence)
    if isinstance(gate, SignedBy | Attested | ApprovedBy):
        return _with_copying(await _stated(gate, case, evidence), case)
    if isinstance(gate, Scanned):
        return await _scanned(gate, case, evidence)
    kit = await evidence.kit(case.content, case.after)
    if isinstance(gate, LicenseIn):
        return licensed(gate, kit)
    if isinstance(gate, KitfileHas):
        return has(gate, kit, case.tag)
    if isinstance(gate, NotOlderThan):
        return young(gate, kit, case.now)
    before = await evidence.kit(case.repository, case.before) if gate.not_worse and case.before else None
    return measured(gate, kit, before)


async def _reviewed(case: Case, evidence: Evidence) -> Answer:
    """Use this machine's ticks, which cost nothing to read; else signed statements."""
    if case.before is None:
        return Answer("pass", f"there is no {case.tag} to compare it with yet")
    ticks = await evidence.review(case.before.digest, case.after.digest)
    if ticks.whole:
        return Answer("pass", f"all {ticks.changes} changes are ticked on this machine")
    known = left_text(ticks, case.tag)
    if not known and await evidence.reviewed_before(case.after.digest):
        known = f"it was reviewed here against another {case.tag} than the present one"
    return _with_copying(reviewed(await _statements(case, evidence), case, known), case)


async def _stated(gate: SignedBy | Attested | ApprovedBy, case: Case, evidence: Evidence) -> Answer:
    found = await _statements(case, evidence)
    if isinstance(gate, SignedBy):
        return signed(gate, found)
    if isinstance(gate, Attested):
        return attested(gate, found, case)
    return approved(gate, found, case)


async def _statements(case: Case, evidence: Evidence) -> Verification:
    """The ModelKit's attachments, including those that its copy will bring."""
    origin = case.origin if case.carried else None
    return await evidence.statements(case.repository, case.after.digest, origin=origin)


def _with_copying(said: Answer, case: Case) -> Answer:
    """Add to the answer what to do if a copy would leave signatures behind."""
    if said.state == "pass" or case.origin is None or case.carried:
        return said
    along = "copy the signatures and statements too with --referrers"
    return replace(said, remedy=f"{along}, or {said.remedy}" if said.remedy else along)


async def _scanned(gate: Scanned, case: Case, evidence: Evidence) -> Answer:
    if gate.by == "modelscan":
        scan = await evidence.scan(case.content, case.after)
        if scan.issues:
            return Answer("fail", scan.badge, f"look at {scan.issues[0].path} with kittui tree REF --scan")
        return Answer("unknown" if scan.failed or not scan.scanned else "pass", scan.badge)
    risk = await evidence.risk(case.content, case.after)
    if any(finding.kind != "license" for finding in risk.findings):
        return Answer("fail", risk.badge, "look at it with kittui tree REF --risk")
    return Answer("unknown" if risk.skipped else "pass", risk.badge)

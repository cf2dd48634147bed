"""Adds the gates to the policy as a rule, for every command that moves a tag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.state.history import History
from kittui.trust.gates import Gate, GateSet, cost
from kittui.trust.moves import MOVE, read_move
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.policy import Announced, Verdict
from kittui.usecases.trust.answers import Case
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.gating import answer, price
from kittui.usecases.trust.names import plain_name

TAKING_BACK: Final = frozenset({"rollback", "undo"})
GATES: Final = "gates"
"""The name of the rule if the configuration's gates can't be read."""


def _alone(name: str) -> frozenset[str]:
    return frozenset({name})


def _label(gates: GateSet, gate: Gate) -> str:
    return f"gate {gate.name} ({gates.name})" if gates.name else f"gate {gate.name}"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class GateRule:
    """Evaluates the gates of a configuration for a plan.

    `history` and the records in the registry show what a tag held before; `siblings` returns the repositories whose
    reviews count for one (HOST/REPO); `mistaken` says why the configuration's gates can't be read: then no tag in
    `stages` moves.
    """

    sets: tuple[GateSet, ...]
    evidence: Evidence
    history: History
    stages: Collection[str]
    mistaken: str = ""
    siblings: Callable[[str], frozenset[str]] = _alone
    now: Callable[[], datetime] = _now

    async def assess(self, plan: ChangePlan) -> Sequence[Verdict]:
        """The verdict of every gate that a plan concerns, cheapest first."""
        return [verdict async for verdict in self.verdicts(plan)]

    async def verdicts(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """Yield the same verdicts as they become known.

        kit's store has no gates: it can't hold statements about a ModelKit.
        """
        if plan.repository.source.capabilities.attach.denied:
            return
        for tag in self._unreadable(plan):
            reason = f"they can't be read: {self.mistaken}"
            yield Verdict(GATES, "unknown", reason, "fix config.yaml", moved=tag)
        for gates, gate, case in await self._asked(plan):
            said = await answer(gate, case, self.evidence)
            yield Verdict(
                _label(gates, gate),
                said.state,
                said.reason,
                said.remedy,
                gates.enforce,
                gate=True,
                moved=case.tag,
                evidence=said.evidence,
            )

    async def announced(self, plan: ChangePlan) -> Sequence[Announced]:
        """The gates that apply to a plan, and what each of them reads."""
        if plan.repository.source.capabilities.attach.denied:
            return ()
        unreadable = [Announced(GATES, tag, "nothing") for tag in self._unreadable(plan)]
        asked = await self._asked(plan)
        return unreadable + [Announced(_label(gates, gate), case.tag, price(gate, case)) for gates, gate, case in asked]

    def _unreadable(self, plan: ChangePlan) -> list[str]:
        """The tags of a plan to which unreadable gates may apply."""
        return [change.tag for change in plan.changes if self.mistaken and change.tag in self.stages]

    async def _asked(self, plan: ChangePlan) -> list[tuple[GateSet, Gate, Case]]:
        """The gates that apply to a plan, the cheapest first."""
        name, asked = plain_name(plan.repository), []
        for change in plan.changes:
            if change.after is None:
                continue
            case = Case(
                plan.repository,
                self.siblings(name),
                change.tag,
                change.before,
                change.after,
                self.now(),
                plan.origin,
                plan.carried,
            )
            for gates in self.sets:
                if gates.concerns(name, change.tag) and not await self._exempt(gates, plan, change):
                    asked += [(gates, gate, case) for gate in gates.gates]
        return sorted(asked, key=lambda one: cost(one[1]))

    async def _exempt(self, gates: GateSet, plan: ChangePlan, change: TagChange) -> bool:
        """Whether the tag returns to a digest that it held before, and the gates are not those of a rollback."""
        if plan.action not in TAKING_BACK or (gates.origin and gates.origin in plan.watched) or change.after is None:
            return False
        return await self._held(plan, change, change.after.digest)

    async def _held(self, plan: ChangePlan, change: TagChange, digest: Digest) -> bool:
        """Whether the tag has pointed to a digest before, by this machine's history or by a record that proves it."""
        reference = plan.repository.reference()
        events = await asyncio.to_thread(self.history.events, reference, change.tag)
        if any(digest in (event.before, event.after) for event in events):
            return True
        here = self.siblings(plain_name(plan.repository))
        for place in (digest, *((change.before.digest,) if change.before else ())):
            try:
                found = await self.evidence.statements(plan.repository, place)
            except KittuiError:
                continue
            for one in found.signatures:
                if not one.verdict.holds or one.predicate_type != MOVE or one.verdict.statement is None:
                    continue
                move = read_move(one.verdict.statement.predicate)
                if move is None or move.subject != place or move.tag != change.tag or move.repository not in here:
                    continue
                if digest in (move.before, move.after):
                    return True
        return False

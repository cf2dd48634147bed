"""The policy that every plan is checked against; its verdicts can be shown with the plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from kittui.errors import ReadOnly, Refused, TagProtected

if TYPE_CHECKING:
    from kittui.oci.digest import Digest
    from kittui.usecases.change.plan import ChangePlan

State = Literal["pass", "fail", "unknown"]
PROMOTIONS = frozenset({"promote", "rollback"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's verdict on a plan: pass, fail or unknown, why, and what to do about it.

    An `enforced` verdict that does not pass stops the plan, unless it is overridden with a reason. `tag` is the
    tag whose typed name answers it instead. `gate` is a gate's verdict on the tag `moved`, with the digests of the
    statements that it rests on.
    """

    rule: str
    state: State
    reason: str
    remedy: str = ""
    enforced: bool = True
    tag: str = ""
    gate: bool = False
    moved: str = ""
    evidence: tuple[Digest, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether it stops the plan."""
        return self.enforced and self.state != "pass"

    def to_json(self) -> dict[str, object]:
        """As JSON, in the form of the contract."""
        return {
            "gate": self.rule,
            "tag": self.moved or self.tag,
            "state": self.state,
            "reason": self.reason,
            "remedy": self.remedy,
            "enforced": self.enforced,
            "evidence": [str(digest) for digest in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Announced:
    """A verdict still to come: the rule, the tag it is about, and what it reads."""

    rule: str
    moved: str
    price: str


class Rule(Protocol):
    """A condition for moving tags. To add one, see docs/architecture.md."""

    def verdicts(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """Its verdicts on a plan, cheapest first; empty if it does not apply. A network failure is a verdict too."""
        ...

    async def announced(self, plan: ChangePlan) -> Sequence[Announced]:
        """The verdicts to come, with their costs, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """Refuses all changes in read-only mode, moves protected tags only if their name was typed, and asks every rule.

    Without `protect_promotions`, promote and rollback move protected tags without asking for their names.
    """

    read_only: bool = False
    protected: frozenset[str] = frozenset()
    protect_promotions: bool = True
    rules: tuple[Rule, ...] = ()

    def check_write(self, reference: str) -> None:
        """Raise ReadOnly if nothing may be changed."""
        if self.read_only:
            raise ReadOnly(
                "kittui is in read-only mode",
                hint="To make changes, start it without --read-only, and without read_only in config.yaml.",
                reference=reference,
            )

    def guarded(self, tags: Collection[str], action: str = "") -> tuple[str, ...]:
        """The tags whose names must be typed before the action moves or removes them."""
        if action in PROMOTIONS and not self.protect_promotions:
            return ()
        return tuple(tag for tag in tags if tag in self.protected)

    def check_tags(self, tags: Collection[str], typed: Collection[str], reference: str, action: str = "") -> None:
        """Raise TagProtected for the first protected tag whose name was not typed."""
        for tag in self.guarded(tags, action):
            if tag not in typed:
                raise TagProtected(
                    f"the tag {tag} is protected",
                    hint=f"Type its name when asked, or give --confirm {tag}.",
                    reference=reference,
                )

    async def assess(self, plan: ChangePlan) -> tuple[Verdict, ...]:
        """All verdicts on a plan."""
        return tuple([verdict async for verdict in self.verdicts(plan)])

    async def verdicts(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """Yield all verdicts on a plan as they become known."""
        if not plan.changes:
            return
        for tag in self.guarded(plan.overwritten, plan.action):
            yield Verdict("protected", "fail", f"{tag} is protected", "type its name", tag=tag)
        async for verdict in self.gates(plan):
            yield verdict

    async def gates(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """Yield the rules' verdicts on a plan as they become known; shown as its gates."""
        for rule in self.rules if plan.changes else ():
            async for verdict in rule.verdicts(plan):
                yield verdict

    async def announced(self, plan: ChangePlan) -> tuple[Announced, ...]:
        """The verdicts that `gates` will yield."""
        return tuple([one for rule in self.rules for one in await rule.announced(plan)]) if plan.changes else ()

    async def check(self, plan: ChangePlan, typed: Collection[str] = (), override: str = "") -> tuple[Verdict, ...]:
        """Check a plan, and raise for the first verdict that stops it.

        `typed` are protected tags whose names the user typed, `override` is the reason to proceed although a rule
        refuses. Raises ReadOnly, TagProtected, and Refused naming the rule.
        """
        if not plan.changes:
            return ()
        reference = plan.repository.reference()
        self.check_write(reference)
        self.check_tags(plan.overwritten, typed, reference, plan.action)
        verdicts = await self.assess(plan)
        self.stop(verdicts, override, reference)
        return verdicts

    def stop(self, verdicts: Sequence[Verdict], override: str, reference: str) -> None:
        """Raise Refused for the first verdict that stops a plan, unless it is overridden."""
        stopping = [verdict for verdict in verdicts if verdict.blocks and not verdict.tag]
        if not stopping or override.strip():
            return
        first = stopping[0]
        remedy = f"{first.remedy[:1].upper() + first.remedy[1:]}. " if first.remedy else ""
        raise Refused(
            f"{first.rule}: {first.reason}",
            hint=f"{remedy}To proceed anyway, give --override REASON.",
            reference=reference,
        )

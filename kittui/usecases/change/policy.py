"""What may be changed: one policy that every plan is held against, with verdicts that the plan can show."""

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
    """What one rule says of a plan: pass, fail or cannot tell, why, and what to do about it.

    A verdict that is `enforced` and does not pass stops the plan, unless a reason is given to override it. `tag` is the
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
        """Whether the plan may not go ahead because of it."""
        return self.enforced and self.state != "pass"

    def to_json(self) -> dict[str, object]:
        """As contract.md has it."""
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
    """A verdict that is to come: the rule, the tag it is about, and what it reads."""

    rule: str
    moved: str
    price: str


class Rule(Protocol):
    """One more thing that has to hold before tags move. To add one, see docs/architecture.md."""

    def verdicts(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """Its verdicts on a plan, the cheapest first; none where it is not concerned. A bad network is a verdict."""
        ...

    async def announced(self, plan: ChangePlan) -> Sequence[Announced]:
        """The verdicts that will come, with their prices, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """Nothing changes in read-only mode, protected tags only with their name typed, and every rule has a say.

    Without `protect_promotions`, promote and rollback move protected tags without asking for their names.
    """

    read_only: bool = False
    protected: frozenset[str] = frozenset()
    protect_promotions: bool = True
    rules: tuple[Rule, ...] = ()

    def check_write(self, reference: str) -> None:
        """Raise ReadOnly where nothing may be changed."""
        if self.read_only:
            raise ReadOnly(
                "kittui is in read-only mode",
                hint="Start it without --read-only, and without read_only in config.yaml, to change things.",
                reference=reference,
            )

    def guarded(self, tags: Collection[str], action: str = "") -> tuple[str, ...]:
        """Those of the tags whose names must be typed before the action moves or removes them."""
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
        """Every verdict on a plan, for the plan to show."""
        return tuple([verdict async for verdict in self.verdicts(plan)])

    async def verdicts(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """The same, each as it is known."""
        if not plan.changes:
            return
        for tag in self.guarded(plan.overwritten, plan.action):
            yield Verdict("protected", "fail", f"{tag} is protected", "type its name", tag=tag)
        async for verdict in self.gates(plan):
            yield verdict

    async def gates(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        """What the rules alone say of a plan, each as it is known: what every place shows as its gates."""
        for rule in self.rules if plan.changes else ():
            async for verdict in rule.verdicts(plan):
                yield verdict

    async def announced(self, plan: ChangePlan) -> tuple[Announced, ...]:
        """What `gates` will say, before it does."""
        return tuple([one for rule in self.rules for one in await rule.announced(plan)]) if plan.changes else ()

    async def check(self, plan: ChangePlan, typed: Collection[str] = (), override: str = "") -> tuple[Verdict, ...]:
        """Assess a plan, and raise for the first verdict that stops it.

        `typed` are protected tags whose names the user typed, `override` is the reason for going ahead although a rule
        says no. Raises ReadOnly, TagProtected, and Refused naming the rule.
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
        """Raise Refused for the first verdict that stops a plan, unless there is a reason for going ahead."""
        stopping = [verdict for verdict in verdicts if verdict.blocks and not verdict.tag]
        if not stopping or override.strip():
            return
        first = stopping[0]
        remedy = f"{first.remedy[:1].upper() + first.remedy[1:]}. " if first.remedy else ""
        raise Refused(
            f"{first.rule}: {first.reason}",
            hint=f"{remedy}To go ahead all the same, give --override REASON.",
            reference=reference,
        )

"""What promote and rollback share: the plan with this machine's review of what it changes, the question, the moves."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.cli.moving import agree, answers_of, show_changed
from kittui.cli.run import Call
from kittui.compare.review import Review
from kittui.oci.tag import Tag
from kittui.usecases.change.plan import ChangePlan
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.trust.words import review_lines


async def carry_out(
    call: Call,
    plan: ChangePlan,
    target: Tag,
    ask: tuple[str, str],
    reason: str,
    confirm: Sequence[str],
    override: str,
    more: Sequence[str] = (),
) -> None:
    """Show the plan, ask, and move the tags; `ask` begins the plan and is the question, `more` are lines of its own."""
    composition = call.composition
    found = await _review(call, plan, target)
    review, lines = found if found is not None else (None, [])
    said = {"review": review.to_json() if review is not None and not review.empty else None}
    await agree(call, plan, *ask, override, [*more, *(f"  {line}" for line in lines)], said)
    answers = answers_of(call, plan.overwritten, confirm, reason, override, plan.action)
    done = await apply_changes(plan, composition.ledger, composition.policy, answers)
    show_changed(call, plan, done, said)


async def _review(call: Call, plan: ChangePlan, target: Tag) -> tuple[Review, list[str]] | None:
    """The review of what the target holds and what it gets, with its words; None where there is nothing to compare."""
    change = next((each for each in plan.changes if each.tag == target), None)
    if change is None or change.before is None or change.after is None:
        return None
    before, after = change.before.digest, change.after.digest
    review = await call.composition.evidence.review(before, after)
    repository = plan.repository
    return review, review_lines(review, f"kittui diff {repository.reference(before)} {repository.reference(after)}")

"""Remove: shows what goes and what stays before anything is removed, once for all rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kittui.errors import Unsupported
from kittui.oci.tag import Tag
from kittui.terminal import clean, counted
from kittui.tui.change.changing import marked, type_names
from kittui.tui.change.wording import few, listed
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.plan import Change, PlanDialog
from kittui.tui.frame.changes import Batch, say_removed
from kittui.tui.frame.context import Context
from kittui.tui.frame.deleting import agree_to_delete
from kittui.tui.frame.failures import left_out
from kittui.tui.frame.selection import Mark
from kittui.usecases.change.plan import Answers, new_batch
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import removed_text, undo_text

if TYPE_CHECKING:
    from kittui.usecases.change.plan import OnMoved
    from kittui.usecases.change.removal import RemovePlan
    from kittui.usecases.change.removals import Removals


async def remove(context: Context) -> None:
    """Untag or delete the ModelKit under the cursor or the marked ones, with one plan and one answer."""
    from kittui.usecases.change.removals import Removals, plan_removals

    tools = context.ports.change_tools()
    marks = marked(context.selection)
    for mark in marks:
        tools.policy.check_write(mark.reference)
    rows = [(mark.repository, mark.target) for mark in marks]
    tagged = [(repository, target) for repository, target in rows if isinstance(target, Tag)]

    def far(number: int) -> None:
        context.progress(f"{number} of {len(rows)} read")

    def looked(done: int, total: int) -> None:
        context.progress(f"{done} of {counted(total, 'tag')} looked at")

    untag = await plan_removals(tagged, on_read=looked, on_planned=far) if tagged else Removals(())
    if untag.failed and not untag.plans and len(tagged) == len(rows):
        context.fail_all(untag.failed, len(rows))
        return
    while True:
        answer = await _ask(context, marks, untag)
        if answer is None:
            return
        choice, reason = answer
        plan = untag
        typed: list[str] = []
        if choice != "untag":
            plan = await plan_removals(rows, "delete", referrers=choice == "referrers", on_read=looked, on_planned=far)
            if not plan.plans:
                context.fail_all(plan.failed, len(rows))
                return
            names = await _confirm(context, marks, plan)
            if names is None:
                return
            typed = names
        more = await type_names(context, tools, [tag for tag in plan.tags if tag not in typed])
        if more is None:
            return
        refused = await _apply(context, tools, marks, plan, reason, [*typed, *more])
        if refused is None:
            return
        # Only now did the registry say that a tag can't be removed alone: offer the other ways.
        untag = await plan_removals(tagged, "placeholder", refused=refused.message, on_read=looked, on_planned=far)


async def _ask(context: Context, marks: Sequence[Mark], untag: Removals) -> tuple[str, str] | None:
    """Ask for the way to remove, and what each removes: untagging first, deleting after Cancel."""
    plans = untag.plans
    tags, bare = sorted(untag.tags), len({mark.key for mark in marks}) - len(plans) - len(untag.failed)
    deletes = next((plan.deletes for plan in plans if plan.deletes.denied), None)
    off = "deletes are off here" if deletes else ""
    displaced = any(plan.mode == "placeholder" for plan in plans)
    ways: list[Choice[str]] = []
    if plans:
        only = clean(tags[0]) if len(tags) == 1 else counted(len(tags), "tag")
        label = "Untag with a placeholder" if displaced else "Untag"
        ways.append(Choice("untag", label, f"only {only} {_go(len(tags))}", off if displaced else ""))
    doubt = next((plan.doubt for plan in plans if plan.doubt), "")
    doubtful = off or ("not all of its tags are known" if doubt else "")
    many = len(marks) > 1
    after = [Choice("delete", f"Delete the ModelKit{'s' * many} …", "with all tags, shown first", doubtful)]
    if not all(mark.repository.source.traits.is_store for mark in marks):
        after.append(Choice("referrers", "Delete with attachments …", "signatures, statements, SBOMs", doubtful))
    notes = [clean(untag.refused[:1].upper() + untag.refused[1:])] if untag.refused else []
    if deletes:
        notes.append(clean(deletes.remedy))
    elif displaced:
        notes.append("A placeholder is an empty manifest: the tag is moved to it, then it is deleted.")
    if plans:
        notes.append(clean(f"Untag: {removed_text(untag, done=False)}."))
        if lasting := undo_text(plans):
            notes.append(clean(lasting))
    notes += _shared(plans)
    if doubt:
        notes.append(f"It may have other tags: {clean(doubt)}.")
    if bare:
        notes.append(f"{counted(bare, 'ModelKit')} without a tag can only be deleted.")
    notes += map(clean, left_out(untag.failed))
    named = _names_of(plans)
    changes, rest = few(
        [Change(named(plan, plan.tag or ""), plan.manifest.digest.short, None) for plan in plans], "tag"
    )
    title = f"Remove {clean(marks[0].target)}" if not many else f"Remove {len(marks)} ModelKits"
    places = list(dict.fromkeys(mark.repository.reference() for mark in marks))
    answer = await context.ask(
        PlanDialog(
            title, listed(places, 2), changes, ways, notes=[*rest, *notes], reason=True, danger=True, after=after
        )
    )
    return None if answer is None else (answer.choice, answer.reason)


def _names_of(plans: Sequence[RemovePlan]) -> Callable[[RemovePlan, str], str]:
    """A tag's name, with its repository if there are several."""
    many = len({plan.place for plan in plans}) > 1
    return lambda plan, tag: f"{plan.repository.name}:{tag}" if many else tag


def _go(number: int) -> str:
    return "goes" if number == 1 else "go"


def _shared(plans: Sequence[RemovePlan]) -> list[str]:
    """Which other tags a delete would remove, as far as known."""
    going = {(plan.place, tag) for plan in plans for tag in plan.tags}
    others = {tag for plan in plans for tag in plan.siblings or () if (plan.place, tag) not in going}
    if others:
        return [f"A delete would also remove {listed(sorted(others))}."]
    if plans and all(plan.siblings is not None and not plan.doubt for plan in plans):
        return [f"No other tag is on {plans[0].manifest.digest.short if len(plans) == 1 else 'them'}."]
    return []


async def _confirm(context: Context, marks: Sequence[Mark], plan: Removals) -> list[str] | None:
    """The second step of a delete: shows everything that goes, and whether undo can restore it."""
    digests = [each.manifest.digest.short for each in plan.plans]
    named = _names_of(plan.plans)
    tags = sorted(named(each, tag) for each in plan.plans for tag in each.tags)
    words = [clean(f"{listed(digests)} with {listed(tags, 12) or 'no tag'}"), ""]
    words.append(clean(f"{removed_text(plan, done=False)}."))
    attached = sum(len(each.attached) for each in plan.plans)
    if attached and plan.plans[0].referrers:
        words.append(f"{counted(attached, 'attached manifest')} {_go(attached)} too.")
    elif attached:
        words.append(f"What is attached ({attached}) stays, orphaned.")
    words.append(clean(undo_text(plan.plans) or "Undo can restore it."))
    words += map(clean, left_out(plan.failed))
    title = f"Delete {digests[0] if len(digests) == 1 else counted(len(digests), 'ModelKit')}"
    pointed = {(mark.repository.reference(), mark.target) for mark in marks}
    return await agree_to_delete(context, title, words, plan.plans, pointed)


async def _apply(
    context: Context, tools: ChangeTools, marks: Sequence[Mark], plan: Removals, reason: str, typed: Sequence[str]
) -> Unsupported | None:
    """Untag the rows of each repository as one change, and remove the rest row by row.

    Returns the refusal if the registry turns out not to untag.
    """
    from kittui.usecases.change.remove import apply_remove, untag_all
    from kittui.usecases.change.siblings import TagsOfBatch

    answers = Answers(reason, typed, asked=True, batch=new_batch())
    batch: Batch[RemovePlan] = Batch(
        context, "removed", len(plan.plans), lambda each: (each.repository, each.tag or each.manifest.digest)
    )

    async def remove_some(plans: Sequence[RemovePlan], on_moved: OnMoved) -> None:
        if len(plans) > 1:
            await untag_all(plans, tools.ledger, tools.policy, answers, on_moved)
        else:
            each = plans[0]
            await apply_remove(each, tools.ledger, tools.policy, answers, on_moved, tags[each.place])

    stages = [stage.name for stage in context.ports.settings.stages]
    tags = {each.place: TagsOfBatch(each.repository, stages) for each in plan.plans}
    groups: dict[object, list[RemovePlan]] = {}
    for each in plan.plans:
        groups.setdefault(id(each) if each.mode == "delete" else each.place, []).append(each)
    try:
        await batch.run([*groups.values()], remove_some)
    finally:
        for repository in {each.place: each.repository for each in plan.plans}.values():
            context.changed(repository)
        done = [each for plans in batch.done for each in plans]
        gone = {(each.place, name) for each in done for name in (*each.tags, each.manifest.digest)}
        left = [mark for mark in marks if (mark.repository.reference(), mark.target) not in gone]
        context.clear_marks(keep=left if context.selection.marks else ())
        await say_removed(context, tools, batch.done)
        refusal = batch.failed[0][1] if batch.failed else None
        refused = refusal if isinstance(refusal, Unsupported) and plan.plans[0].mode == "untag" and not done else None
        if refused is None:
            context.fail_all([*batch.named, *plan.failed], len(marks))
        if not batch.failed:
            context.program.drafts.drop(reason)
    return refused

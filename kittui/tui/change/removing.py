"""Remove: what goes and what stays is said before anything goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.errors import Unsupported
from kittui.terminal import clean, size_text
from kittui.tui.change.changing import UNDO, for_each_mark, type_names
from kittui.tui.change.wording import listed
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.plan import Change, PlanDialog
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark
from kittui.usecases.change.tools import ChangeTools

if TYPE_CHECKING:
    from kittui.usecases.change.remove import Mode, RemovePlan


async def remove(context: Context) -> None:
    """Untag, or delete, the ModelKit under the cursor or the marked ones."""
    await for_each_mark(context, _remove)


async def _remove(context: Context, tools: ChangeTools, mark: Mark) -> bool:
    from kittui.usecases.change.remove import plan_remove

    refused = ""
    tagged = ":" not in mark.target
    look: Mode = "untag" if tagged else "delete"
    try:
        plan = await plan_remove(mark.repository, mark.target, look)
    except Unsupported as error:
        if not tagged:
            raise
        refused = error.message
        plan = await plan_remove(mark.repository, mark.target, "placeholder")
    while True:
        answer = await _ask(context, plan, refused)
        if answer is None:
            return False
        chosen = await plan_remove(mark.repository, mark.target, answer[0], referrers=answer[2])
        if chosen.mode == "delete" and (plan.siblings is None or len(chosen.attached) > len(plan.attached)):
            # Which other tags would go was not looked for yet: nothing goes that was not shown.
            plan = chosen
            continue
        typed = await type_names(context, tools, chosen.tags)
        if typed is None:
            return False
        try:
            await _apply(context, tools, chosen, answer[1], typed)
        except Unsupported as error:
            if answer[0] != "untag":
                raise
            refused = error.message
            continue
        finally:
            context.changed(mark.repository)
        return True


async def _ask(context: Context, plan: RemovePlan, refused: str) -> tuple[Mode, str, bool] | None:
    """What can be done, what each takes along."""
    digest = plan.manifest.digest.short
    deletes = plan.deletes
    off = "deletes are off here" if deletes.denied else ""
    choices: list[Choice[str]] = []
    if plan.tag:
        if refused:
            choices.append(Choice("placeholder", "Untag by a placeholder", f"only {clean(plan.tag)} goes", off))
        else:
            choices.append(Choice("untag", "Untag", f"only {clean(plan.tag)} goes, the ModelKit stays"))
    all_tags = sorted({*(plan.siblings or ()), *([plan.tag] if plan.tag else [])})
    goes = (
        "with all its tags, which are shown first" if plan.siblings is None else f"with {listed(all_tags) or 'no tag'}"
    )
    doubtful = off or ("its tags are known only in part" if plan.doubt else "")
    choices.append(Choice("delete", "Delete the ModelKit", goes, doubtful))
    if plan.attached:
        count = f"{len(plan.attached)} attached"
        choices.append(Choice("referrers", "Delete with what is attached", f"{goes}, and {count}", doubtful))
    notes = [clean(refused[:1].upper() + refused[1:])] if refused else []
    if off:
        notes.append(clean(deletes.remedy))
    elif refused and plan.tag:
        notes.append("A placeholder is an empty manifest: the tag is moved to it, and it is deleted.")
    if plan.siblings:
        notes.append(f"Deleting {digest} would also remove {listed(plan.siblings)}.")
    elif plan.tag and plan.siblings is not None and not plan.doubt:
        notes.append(f"{clean(plan.tag)} is the only tag on {digest}.")
    if plan.doubt:
        notes.append(f"Other tags may be on it too: {clean(plan.doubt)}.")
    if plan.attached:
        notes.append(f"Deleting it alone leaves what is attached to it ({len(plan.attached)}) without a ModelKit.")
    if plan.freed:
        notes.append(f"A delete frees {size_text(plan.freed)}.")
    title = f"Untag {clean(plan.tag)}" if plan.tag else f"Delete {digest}"
    changes = [Change(plan.tag, digest, None)] if plan.tag else []
    answer = await context.ask(PlanDialog(title, plan.place, changes, choices, notes=notes, reason=True, danger=True))
    if answer is None:
        return None
    referrers = answer.choice == "referrers"
    mode: Mode = (
        "delete"
        if answer.choice == "delete" or referrers
        else "placeholder"
        if answer.choice == "placeholder"
        else "untag"
    )
    return mode, answer.reason, referrers


async def _apply(context: Context, tools: ChangeTools, plan: RemovePlan, reason: str, typed: list[str]) -> None:
    from kittui.usecases.change.remove import apply_remove

    done = await apply_remove(plan, tools.ledger, tools.policy, reason=reason, typed=typed, asked=True)
    if plan.mode == "delete":
        context.toast(f"Deleted {plan.manifest.digest.short} with {listed(plan.tags) or 'no tag'}", undo=UNDO)
    else:
        context.toast(f"{listed([change.tag for change in done.changes])} removed", undo=UNDO)

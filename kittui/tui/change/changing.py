"""What the keys that change tags share: what they work on, protected names, a plan shown, then applied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from kittui.terminal import clean
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark, Selection
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import done_text, verdict_lines

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.change.plan import ChangePlan

UNDO = "undo"


def marked(selection: Selection) -> Sequence[Mark]:
    """What a command works on: the marked tags, else the one under the cursor."""
    if selection.marks:
        return selection.marks
    if selection.repository is None or selection.target is None:
        return ()
    return (Mark(selection.repository, selection.target, selection.digest),)


def repositories(selection: Selection) -> list[Repository]:
    """The repositories that a command works on, each once."""
    found = {mark.repository.reference(): mark.repository for mark in selection.marks}
    if not found and selection.repository is not None:
        found[selection.repository.reference()] = selection.repository
    return list(found.values())


async def for_each_mark(context: Context, work: Callable[[Context, ChangeTools, Mark], Awaitable[bool]]) -> None:
    """Do the work for what is marked, in order, until one is cancelled; then the marks are used up."""
    tools = context.ports.change_tools()
    marks = marked(context.selection)
    if not marks:
        return
    for mark in marks:
        tools.policy.check_write(mark.reference)
        if not await work(context, tools, mark):
            return
    context.clear_marks()


async def type_names(context: Context, tools: ChangeTools, tags: Sequence[str], action: str = "") -> list[str] | None:
    """Ask the user to type each protected tag's name. Returns None if they cancel."""
    typed: list[str] = []
    for tag in tools.policy.guarded(tags, action):
        words = [f"{clean(tag)} is protected by your configuration."]
        if not await context.ask(ConfirmDialog(f"Change {clean(tag)}", words, "Change it", typed=tag)):
            return None
        typed.append(tag)
    return typed


async def overrule(context: Context, tools: ChangeTools, plans: Sequence[ChangePlan]) -> str | None:
    """Show which rules stop the plans, and ask why to go ahead. Returns "" where none does, None if they cancel."""
    lines: list[str] = []
    for plan in plans:
        verdicts = await tools.policy.assess(plan)
        if any(verdict.blocks and not verdict.tag for verdict in verdicts):
            lines += verdict_lines(verdicts)
    if not lines:
        return ""
    words = [*map(clean, lines), "", "To go ahead all the same, say why. It is recorded as an override."]
    missing = "An override needs a reason. Esc changes nothing."
    return await context.ask(
        InputDialog("A gate says no", words, check=lambda text: "" if text.strip() else missing, placeholder="why")
    )


def undoable(plan: ChangePlan) -> str | None:
    """The undo command, unless a tag was created where tags may not go alone."""
    created = any(change.before is None for change in plan.changes)
    return None if created and plan.repository.source.capabilities.untag.state != "yes" else UNDO


async def apply(context: Context, tools: ChangeTools, plan: ChangePlan, reason: str) -> None:
    """Apply a promotion or a roll-back, and say what was done."""
    from kittui.usecases.change.tags import apply_changes

    typed = await type_names(context, tools, plan.overwritten, plan.action)
    if typed is None:
        return
    override = await overrule(context, tools, [plan])
    if override is None:
        return
    try:
        done = await apply_changes(
            plan, tools.ledger, tools.policy, reason=reason, typed=typed, override=override, asked=True
        )
    finally:
        context.changed(plan.repository)
    if plan.changes:
        context.toast(done_text(plan, done.unseen), undo=undoable(plan))

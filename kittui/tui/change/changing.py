"""Shared by the commands that change tags: their targets, protected names, showing and applying a plan."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.errors import KittuiError
from kittui.modelkit.variants import needs_choice, variants_of
from kittui.oci.digest import Digest
from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import UNDO, done_undo, row_by_row
from kittui.tui.frame.context import Context
from kittui.tui.frame.failures import left_out
from kittui.tui.frame.selection import Mark, Selection
from kittui.tui.frame.ways import with_keys
from kittui.usecases.browse.variants import target_of_variant
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import done_text, verdict_lines

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit
    from kittui.usecases.change.plan import ChangePlan

REDO = "redo"


def marked(selection: Selection) -> Sequence[Mark]:
    """The targets of a command: the marked tags, else the one under the cursor."""
    if selection.marks:
        return selection.marks
    if selection.repository is None or selection.target is None:
        return ()
    return (Mark(selection.repository, selection.target, selection.digest),)


Failed = list[tuple[Mark, KittuiError]]


async def choose_variants(context: Context, marks: Sequence[Mark]) -> tuple[list[Mark], Failed] | None:
    """The marks with a chosen variant for each index (by its tag, if its entry names one), and the unreadable ones.

    None if the user cancels.
    """

    async def read(mark: Mark) -> tuple[Mark, ModelKit]:
        return mark, await context.ports.modelkit(mark.repository, mark.target)

    found: list[Mark] = []
    kits, failed = await row_by_row(context, marks, read)
    for mark, kit in kits:
        try:
            picked = await _one(context, mark, kit)
        except KittuiError as error:
            failed.append((mark, error))
            continue
        if picked is None:
            return None
        found.append(picked)
    return found, failed


async def _one(context: Context, mark: Mark, kit: ModelKit) -> Mark | None:
    if not kit.manifest.is_index:
        return mark
    choices = [Choice(one, clean(one.words), one.descriptor.digest.short) for one in variants_of(kit.manifest)]
    if not choices:
        raise needs_choice(kit.manifest, mark.reference)
    chosen = await context.ask(ChoiceDialog(f"Which variant of {clean(mark.target)}?", choices))
    if chosen is None:
        return None
    target = await target_of_variant(mark.repository, chosen)
    return Mark(mark.repository, target, chosen.descriptor.digest)


def filled(template: str, mark: Mark) -> str:
    """Expand a name typed for several rows: `{tag}` is each row's tag, `{name}` its repository without the registry."""
    tag = mark.target.short if isinstance(mark.target, Digest) else mark.target
    host, slash, rest = mark.repository.name.partition("/")
    name = rest if slash and ("." in host or ":" in host or host == "localhost") else mark.repository.name
    return template.strip().replace("{tag}", tag).replace("{name}", name)


def name_clash(texts: Sequence[str]) -> str:
    """What is wrong with the names for several rows; empty if they are distinct."""
    twice = next((text for text in texts if texts.count(text) > 1), None)
    return "" if twice is None else f"Two would be {clean(twice)}: write {{tag}} to insert each row's tag."


def name_failures(context: Context, failed: Sequence[tuple[Mark, KittuiError]], total: int) -> None:
    """Report the marked rows that failed, by reference."""
    context.fail_all([(mark.reference, error) for mark, error in failed], total)


def left_out_notes(failed: Sequence[tuple[Mark, KittuiError]]) -> list[str]:
    """Notes for a plan about the marked rows that are not in it, cleaned."""
    return [clean(note) for note in left_out([(mark.target, error) for mark, error in failed])]


async def type_names(context: Context, tools: ChangeTools, tags: Sequence[str], action: str = "") -> list[str] | None:
    """Ask the user to type each protected tag's name. Returns None if they cancel."""
    typed: list[str] = []
    for tag in tools.policy.guarded(tags, action):
        words = [f"{clean(tag)} is protected by your configuration."]
        if not await context.ask(ConfirmDialog(f"Change {clean(tag)}", words, "Change it", typed=tag)):
            return None
        typed.append(tag)
    return typed


async def ask_override(context: Context, tools: ChangeTools, plans: Sequence[ChangePlan]) -> str | None:
    """Show the rules that stop the plans, and ask for a reason to override. Returns "" if none does, None on cancel."""
    lines: list[str] = []
    for plan in plans:
        verdicts = [verdict async for verdict in tools.policy.gates(plan)]
        if any(verdict.blocks for verdict in verdicts):
            lines += verdict_lines(sorted(verdicts, key=lambda verdict: not verdict.blocks))
    if not lines:
        return ""
    words = [
        *(clean(with_keys(line, context.ports.keys)) for line in lines),
        "",
        "To proceed anyway, give a reason. It is recorded as an override.",
    ]
    missing = "An override needs a reason. Esc changes nothing."
    return await context.ask(
        InputDialog(
            "A gate does not pass",
            words,
            check=lambda text: "" if text.strip() else missing,
            placeholder="why",
            decides=True,
            draft="\n".join(["override", *(plan.place for plan in plans)]),
        )
    )


def _undoable(context: Context, plan: ChangePlan) -> bool:
    """Whether undo would revert a stopped plan, judged without any request."""
    here = context.selection.repository
    if here is None or here.reference() != plan.repository.reference():
        return False
    created = any(change.before is None for change in plan.changes)
    return not created or plan.repository.source.capabilities.untag.state == "yes"


async def apply(context: Context, tools: ChangeTools, plan: ChangePlan, reason: str) -> None:
    """Apply a promotion or a rollback, and report the result."""
    from kittui.usecases.change.half_way import NOTHING
    from kittui.usecases.change.tags import apply_changes

    typed = await type_names(context, tools, plan.overwritten, plan.action)
    if typed is None:
        return
    override = await ask_override(context, tools, [plan])
    if override is None:
        return
    try:
        done = await apply_changes(plan, tools.ledger, tools.policy, Answers(reason, typed, override, asked=True))
    except asyncio.CancelledError as stopped:
        keys = context.ports.keys
        if [*getattr(stopped, "__notes__", ())] not in ([], [NOTHING]):
            back = f" {keys[UNDO]} undoes what was done." if _undoable(context, plan) else ""
            stopped.add_note(f"{keys[plan.action]} again finishes it.{back}")
        raise
    finally:
        context.changed(plan.repository)
    context.program.drafts.drop(reason)
    context.program.drafts.drop(override)
    if plan.changes:
        # A stopped change that is finished now may have created tags that can't be removed.
        key, how = await done_undo(context, tools, [plan.repository])
        context.toast(done_text(plan, done.unseen), undo=key, how=how)

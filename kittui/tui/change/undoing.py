"""Undo and redo: shows the plan, then applies it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kittui.errors import KittuiError, NotFound
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.terminal import clean, some_of
from kittui.tui.change.changing import REDO, ask_override, type_names
from kittui.tui.change.wording import changes_of, few, moment_text
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.frame.changes import UNDO
from kittui.tui.frame.context import Context
from kittui.tui.frame.failures import left_out
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import FEW, costs_of, done_text, nothing_to_do

if TYPE_CHECKING:
    from kittui.usecases.change.turns import UndoPlan


async def undo(context: Context) -> None:
    """Undo the last tag change in this repository."""
    from kittui.usecases.change.undo import plan_undo

    tools, repository = context.ports.change_tools(), context.selection.repository
    if repository is None:
        return
    tools.policy.check_write(repository.reference())
    try:
        turn = await plan_undo(repository, tools.ledger)
    except NotFound:
        if not await _can_redo(repository, tools):
            raise
        context.toast("All changes by kittui here are undone already.", undo=REDO, how="redoes it")
        return
    await _turn(context, tools, turn, "Undo")


async def redo(context: Context) -> None:
    """Redo what was undone last in this repository."""
    from kittui.usecases.change.redo import plan_redo

    tools, repository = context.ports.change_tools(), context.selection.repository
    if repository is None:
        return
    tools.policy.check_write(repository.reference())
    await _turn(context, tools, await plan_redo(repository, tools.ledger), "Redo")


async def _turn(context: Context, tools: ChangeTools, turn: UndoPlan, verb: str) -> None:
    from kittui.usecases.change.redo import apply_redo
    from kittui.usecases.change.undo import apply_undo

    apply = apply_undo if verb == "Undo" else apply_redo
    repository = turn.plan.repository
    plan = replace(turn.plan, names=_names(context, repository))
    if not plan.changes:
        await apply(turn, tools.ledger, tools.policy)
        tags = some_of([step.tag for step in turn.entry.steps], FEW)
        context.toast(f"{nothing_to_do(plan)}\n{turn.entry.action} of {moment_text(turn.entry.time)}: {tags}")
        return
    shown, rest = few(changes_of(plan), "tag")
    answer = await context.ask(
        PlanDialog(
            f"{verb} {clean(turn.entry.action)} of {moment_text(turn.entry.time)}",
            plan.place,
            shown,
            [Choice("do", verb)],
            notes=[*rest, *map(clean, left_out([(error.reference or "", error) for error in turn.left]))],
            costs=costs_of(plan),
        )
    )
    if answer is None:
        return
    typed = await type_names(context, tools, plan.overwritten)
    if typed is None:
        return
    override = await ask_override(context, tools, [plan])
    if override is None:
        return
    try:
        done = await apply(turn, tools.ledger, tools.policy, Answers("", typed, override, asked=True))
    finally:
        context.changed(repository)
    said = done_text(plan, done.unseen)
    if verb == "Redo":
        context.toast(f"Redone: {said}", undo=UNDO)
        return
    works = await _can_redo(repository, tools)
    context.toast(f"Undone: {said}", undo=REDO if works else None, how="redoes it")


async def _can_redo(repository: Repository, tools: ChangeTools) -> bool:
    from kittui.usecases.change.redo import plan_redo

    try:
        return bool((await plan_redo(repository, tools.ledger)).plan.changes)
    except KittuiError:
        return False


def _names(context: Context, repository: Repository) -> dict[Digest, tuple[str, ...]]:
    """Tags by digest, as known in the tags pane."""
    found: dict[Digest, tuple[str, ...]] = {}
    for tag, digest in sorted(context.browser.known_digests(repository).items()):
        found[digest] = (*found.get(digest, ()), tag)
    return found

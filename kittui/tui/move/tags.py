"""Promote, roll back, retag and undo: plan, dialog, apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kittui.errors import KittuiError
from kittui.oci.reference import check_tag
from kittui.terminal import clean
from kittui.tui.context import Context
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.plan import PlanAnswer, PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.move.service import Moves, moves_of
from kittui.tui.move.wording import changes_of, costs_of, done_text, notes_of
from kittui.tui.selection import Mark, Selection

if TYPE_CHECKING:
    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Repository
    from kittui.usecases.tag_changes import ChangePlan

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


def known_tags(context: Context, repository: Repository) -> dict[str, Digest]:
    """Tags that the tags pane has read already: names for digests, and fewer requests."""
    return {
        row.target: row.modelkit.digest
        for row in context.browse.tags_pane.body.rows
        if row.modelkit is not None and row.repository.reference() == repository.reference()
    }


async def type_names(context: Context, moves: Moves, tags: Sequence[str]) -> list[str] | None:
    """Have the name of each protected tag typed; None where the user would not."""
    typed: list[str] = []
    for tag in moves.rules.guarded(tags):
        words = [f"{clean(tag)} is protected by your configuration."]
        if not await context.ask(ConfirmDialog(f"Change {clean(tag)}", words, "Change it", typed=tag)):
            return None
        typed.append(tag)
    return typed


async def promote(context: Context) -> None:
    """Challenger becomes champion, the champion rollback."""
    from kittui.usecases.promote import plan_promote

    for repository in repositories(context.selection):
        plan = await plan_promote(repository, known=known_tags(context, repository))
        retire = [Choice("retire", "Promote and retire", "tags what rollback held `retired`")] if plan.orphans else []
        answer = await _ask(context, plan, f"Promote {clean(repository.name)}", "Promote", retire)
        if answer is None:
            return
        if answer.choice == "retire":
            plan = await plan_promote(repository, retire=True)
        await _apply(context, plan, answer.reason, exempt=True)


async def roll_back(context: Context) -> None:
    """The champion becomes what rollback holds."""
    from kittui.usecases.promote import plan_rollback

    for repository in repositories(context.selection):
        plan = await plan_rollback(repository, known=known_tags(context, repository))
        answer = await _ask(context, plan, f"Roll back {clean(repository.name)}", "Roll back")
        if answer is None:
            return
        await _apply(context, plan, answer.reason, exempt=True)


def undoable(plan: ChangePlan) -> str | None:
    """The undo command, unless a tag was created where tags may not go alone."""
    created = any(change.before is None for change in plan.changes)
    return None if created and plan.repository.source.capabilities.untag.state != "yes" else UNDO


async def _ask(
    context: Context, plan: ChangePlan, title: str, verb: str, more: Sequence[Choice[str]] = ()
) -> PlanAnswer | None:
    if not plan.changes:
        context.toast("Nothing to do: it is so already.")
        return PlanAnswer("none")
    moves = moves_of(context.ports)
    if moves is not None:
        moves.rules.check_write(plan.place)
    choices = [Choice("do", verb), *more]
    return await context.ask(
        PlanDialog(
            title, plan.place, changes_of(plan), choices, notes=notes_of(plan), costs=costs_of(plan), reason=True
        )
    )


async def _apply(context: Context, plan: ChangePlan, reason: str, *, exempt: bool) -> None:
    from kittui.usecases.tag_changes import apply_changes

    moves = moves_of(context.ports)
    if moves is None:
        return
    typed: list[str] | None = None
    if not exempt:
        typed = await type_names(context, moves, plan.overwritten)
        if typed is None:
            return
    try:
        await apply_changes(plan, moves.ledger, moves.rules, reason=reason, typed=typed)
    finally:
        context.changed(plan.repository)
    if plan.changes:
        context.toast(done_text(plan), undo=undoable(plan))


async def retag(context: Context) -> None:
    """Give the ModelKit under the cursor, or each marked one, another tag."""
    moves = moves_of(context.ports)
    marks = marked(context.selection)
    if moves is None or not marks:
        return
    for mark in marks:
        moves.rules.check_write(mark.reference)
        if not await _retag(context, moves, mark):
            return
    context.clear_marks()


async def _retag(context: Context, moves: Moves, mark: Mark) -> bool:
    from kittui.usecases.retag import apply_retag, plan_retag

    stages = [stage.name for stage in context.ports.settings.stages]
    known = sorted({entry.name async for page in mark.repository.tags() for entry in page if entry.name})
    offers = [*stages, *(tag for tag in known if tag not in stages)]
    name = await context.ask(
        InputDialog(
            f"Retag {clean(mark.target)}",
            [f"New tag in {clean(mark.repository.reference())}, or REPOSITORY:TAG:"],
            check=_tag_check(context),
            complete=lambda start: (offer for offer in offers if offer.startswith(start)),
        )
    )
    if name is None:
        return False
    destination = await _destination(context, mark.repository, name.strip())
    plan = await plan_retag(mark.repository, mark.target, [destination])
    changes = [change for each in plan.changes for change in changes_of(each)]
    if not changes:
        context.toast("Nothing to do: the tag points there already.")
        return True
    if plan.overwritten or plan.missing:
        notes = ["The tag exists and moves."] if plan.overwritten else []
        costs = f"{plan.missing} bytes are copied." if plan.missing else "No layer is moved."
        answer = await context.ask(
            PlanDialog(
                f"Retag {clean(mark.target)}",
                destination[0].reference(),
                changes,
                [Choice("do", "Retag")],
                notes=notes,
                costs=costs,
                reason=True,
            )
        )
        if answer is None:
            return False
        reason = answer.reason
    else:
        reason = ""
    typed = await type_names(context, moves, plan.overwritten)
    if typed is None:
        return False
    await apply_retag(plan, moves.ledger, moves.rules, reason=reason, typed=typed)
    context.changed(destination[0])
    undo_with = UNDO if all(undoable(each) for each in plan.changes) else None
    context.toast("; ".join(done_text(each) for each in plan.changes), undo=undo_with)
    return True


def _tag_check(context: Context) -> Callable[[str], str]:
    def check(text: str) -> str:
        text = text.strip()
        try:
            if "/" in text or ":" in text:
                _, name, target = context.ports.locate(text)
                return "" if name and target else "Write REPOSITORY:TAG."
            check_tag(text)
        except KittuiError as error:
            return clean(" ".join(filter(None, (error.message, error.hint))))
        return ""

    return check


async def _destination(context: Context, repository: Repository, text: str) -> tuple[Repository, str]:
    if "/" not in text and ":" not in text:
        return repository, text
    place, name, target = context.ports.locate(text)
    source = await context.ports.source(place)
    return source.repository(name), target or ""


async def undo(context: Context) -> None:
    """Take the last tag change back: of this repository, else of any that is open here."""
    from kittui.usecases.undo import apply_undo, plan_undo

    moves = moves_of(context.ports)
    repository = context.selection.repository
    if moves is None or repository is None:
        return
    undoing = await plan_undo(repository, moves.ledger)
    plan = undoing.plan
    answer = await context.ask(
        PlanDialog(
            f"Undo {clean(undoing.entry.action)} of {clean(undoing.entry.time)}",
            plan.place,
            changes_of(plan),
            [Choice("do", "Undo")],
            costs=costs_of(plan),
        )
    )
    if answer is None:
        return
    typed = await type_names(context, moves, plan.overwritten)
    if typed is None:
        return
    try:
        await apply_undo(undoing, moves.ledger, moves.rules, typed=typed)
    finally:
        context.changed(repository)
    context.toast(f"Undone: {done_text(plan)}")

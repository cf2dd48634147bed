"""Retag: plan, dialog, apply."""

from __future__ import annotations

from collections.abc import Callable

from kittui.errors import KittuiError
from kittui.oci.protocols import Repository
from kittui.oci.reference import check_tag
from kittui.terminal import clean, size_text
from kittui.tui.change.changing import UNDO, for_each_mark, overrule, type_names, undoable
from kittui.tui.change.wording import attached_note, changes_of
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import attached_text, done_text, unseen_text


async def retag(context: Context) -> None:
    """Give the ModelKit under the cursor, or each marked one, another tag."""
    await for_each_mark(context, _retag)


async def _retag(context: Context, tools: ChangeTools, mark: Mark) -> bool:
    from kittui.usecases.change.retag import apply_retag, plan_retag

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
        context.toast("Nothing to do: the tag already points to this digest.")
        return True
    attached = [attached_note(move) for move in plan.elsewhere if attached_text(move)]
    if plan.overwritten or plan.missing or plan.notes or attached:
        notes = ["The tag exists and moves."] if plan.overwritten else []
        notes += [clean(note[:1].upper() + note[1:]) for note in plan.notes] + attached
        costs = f"{size_text(plan.missing)} are copied." if plan.missing else "No layer is moved."
        answer = await context.ask(
            PlanDialog(
                f"Retag {clean(mark.target)}",
                destination[0].reference(),
                changes,
                [Choice("do", "Retag")],
                notes=notes,
                costs=costs,
                reason=True,
                danger=bool(plan.overwritten),
            )
        )
        if answer is None:
            return False
        reason = answer.reason
    else:
        reason = ""
    typed = await type_names(context, tools, plan.overwritten)
    if typed is None:
        return False
    override = await overrule(context, tools, plan.changes)
    if override is None:
        return False
    done = await apply_retag(
        plan, tools.ledger, tools.policy, reason=reason, typed=typed, override=override, asked=True
    )
    context.changed(destination[0])
    undo_with = UNDO if all(undoable(context, each) for each in plan.changes) else None
    unseen = [tag for changed in done.done for tag in changed.unseen]
    words = [*(done_text(each) for each in plan.changes), unseen_text(unseen)]
    context.toast("; ".join(filter(None, words)), undo=undo_with)
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

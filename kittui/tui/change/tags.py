"""Retag: plan, dialog, apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kittui.errors import BadReference, KittuiError, sentences
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.terminal import clean, size_text
from kittui.tui.change.changing import (
    Failed,
    ask_override,
    filled,
    left_out_notes,
    marked,
    name_clash,
    name_failures,
    type_names,
)
from kittui.tui.change.wording import attached_notes, changes_of, few, listed
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import Batch, done_undo, row_by_row
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark
from kittui.tui.frame.ways import with_keys
from kittui.usecases.change.plan import Answers, new_batch
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import FEW, done_text, unseen_text

if TYPE_CHECKING:
    from kittui.oci.target import Target
    from kittui.usecases.change.plan import OnMoved
    from kittui.usecases.change.retag import RetagPlan


@dataclass(frozen=True, slots=True)
class _Retag:
    """One row's plan, and the destination of its tag."""

    mark: Mark
    plan: RetagPlan
    destination: Repository

    @property
    def place(self) -> tuple[Repository, Target]:
        """The repository it changes."""
        return self.destination, next(change.tag for each in self.plan.changes for change in each.changes)


async def retag(context: Context) -> None:
    """Give the ModelKit under the cursor, or all marked ones, another tag, with one name, one plan and one answer."""
    from kittui.usecases.change.retag import plan_retag

    tools = context.ports.change_tools()
    marks = marked(context.selection)
    for mark in marks:
        tools.policy.check_write(mark.reference)
    name = await _ask_name(context, marks)
    if name is None:
        return

    async def plan(mark: Mark) -> _Retag:
        repository, tag = await _destination(context, mark.repository, filled(name, mark))
        made = await plan_retag(mark.repository, mark.target, [(repository, tag)], shown=False)
        return _Retag(mark, made, repository)

    rows, failed = await row_by_row(context, marks, plan)
    await _carry_out(context, rows, failed, f"Retag {clean(marks[0].target)}" if len(marks) == 1 else "")


async def restore(context: Context, repository: Repository, tag: Tag, digest: Digest) -> None:
    """Point a tag back to what it once pointed to: a retag whose plan is always shown."""
    from kittui.usecases.change.retag import plan_retag

    context.ports.change_tools().policy.check_write(repository.reference(tag))
    mark = Mark(repository, digest, digest)
    row = _Retag(mark, await plan_retag(repository, digest, [(repository, tag)], shown=False), repository)
    await _carry_out(context, [row], [], f"Restore {clean(tag)}", verb="Restore", always=True)


async def _carry_out(
    context: Context,
    rows: Sequence[_Retag],
    failed: Failed,
    title: str,
    *,
    verb: str = "Retag",
    always: bool = False,
) -> None:
    """Show the plans of all rows, and apply them, those of one repository as one change.

    `always` is for a row that does not come from the panes: its plan is always shown, and their marks stay.
    """
    from kittui.usecases.change.retag import apply_retag

    tools = context.ports.change_tools()
    total = len(rows) + len(failed)
    rows = [row for row in rows if any(each.changes for each in row.plan.changes)]
    if not rows:
        name_failures(context, failed, total)
        if not failed:
            context.toast("Nothing to do: the tag already points to this digest.")
        return
    reason = await _agree(context, rows, failed, title or f"Retag {total} ModelKits", verb=verb, always=always)
    if reason is None:
        return
    typed = await type_names(context, tools, [tag for row in rows for tag in row.plan.overwritten])
    if typed is None:
        return
    override = await ask_override(context, tools, [each for row in rows for each in row.plan.changes])
    if override is None:
        return

    answers = Answers(reason, typed, override, asked=True, batch=new_batch())
    late: list[str] = []
    batch: Batch[_Retag] = Batch(context, "set", len(rows), lambda row: row.place)

    async def apply(together: Sequence[_Retag], on_moved: OnMoved) -> None:
        done = await apply_retag(_one_plan(together), tools.ledger, tools.policy, answers, on_moved=on_moved)
        late.extend(tag for changed in done.done for tag in changed.unseen)

    try:
        await batch.run(_by_repository(rows), apply)
    finally:
        for repository in {row.destination.reference(): row.destination for row in rows}.values():
            context.changed(repository)
        if not always:
            moved = {id(row) for together in batch.done for row in together}
            context.clear_marks(
                keep=[*(mark for mark, _ in failed), *(row.mark for row in rows if id(row) not in moved)]
            )
        await _say_done(context, tools, batch.done, late)
        name_failures(context, [*failed, *((row.mark, error) for row, error in batch.failed)], total)
    if not batch.failed:
        context.program.drafts.drop(reason)
        context.program.drafts.drop(override)


async def _say_done(
    context: Context, tools: ChangeTools, done: Sequence[Sequence[_Retag]], late: Sequence[str]
) -> None:
    plans = [each for together in done for each in _one_plan(together).changes]
    if not plans:
        return
    count = sum(len(each.changes) for each in plans)
    words = [done_text(each) for each in plans] if count <= FEW else [f"{count} tags set"]
    key, how = await done_undo(context, tools, [each.repository for each in plans])
    context.toast("; ".join(filter(None, (*words, unseen_text(late)))), undo=key, how=how)


def _by_repository(rows: Sequence[_Retag]) -> list[list[_Retag]]:
    """Group the rows whose tags stay in one repository into one change, which one undo reverts; others go alone."""
    groups: dict[object, list[_Retag]] = {}
    for row in rows:
        groups.setdefault(id(row) if row.plan.elsewhere else row.destination.reference(), []).append(row)
    return list(groups.values())


def _one_plan(rows: Sequence[_Retag]) -> RetagPlan:
    """Merge the plans of rows into one."""
    first = rows[0].plan
    plans = [row.plan.here for row in rows if row.plan.here is not None]
    if len(rows) == 1 or not plans:
        return first
    changes = tuple(change for plan in plans for change in plan.changes)
    watched = {tag: digest for plan in plans for tag, digest in plan.watched.items()}
    own = {change.tag for change in changes}
    here = replace(
        plans[0],
        changes=changes,
        watched={tag: digest for tag, digest in watched.items() if tag not in own},
        notes=tuple(dict.fromkeys(note for plan in plans for note in plan.notes)),
        read_at=min(plan.read_at for plan in plans),
    )
    return replace(first, here=here)


async def _ask_name(context: Context, marks: Sequence[Mark]) -> str | None:
    first = marks[0]
    stages = [stage.name for stage in context.ports.settings.stages]
    offers: list[str] = []
    if len(marks) == 1:
        known = sorted({entry.name async for page in first.repository.tags() for entry in page if entry.name})
        offers = [*stages, *(tag for tag in known if tag not in stages)]
    words = [f"New tag in {clean(first.repository.reference())}, or REPOSITORY:TAG:"]
    if len(marks) > 1:
        words = [
            f"New tag of {listed([mark.target for mark in marks])}, or REPOSITORY:TAG.",
            "{tag} is each row's tag:",
        ]
    one = _tag_check(context)

    def check(text: str) -> str:
        texts = [filled(text, mark) for mark in marks]
        places = [
            each if "/" in each or ":" in each else f"{mark.repository.reference()}:{each}"
            for mark, each in zip(marks, texts, strict=True)
        ]
        return next(filter(None, map(one, texts)), "") or name_clash(places)

    return await context.ask(
        InputDialog(
            f"Retag {clean(first.target) if len(marks) == 1 else f'{len(marks)} ModelKits'}",
            words,
            value="" if len(marks) == 1 else "{tag}",
            edit=True,
            check=check,
            complete=lambda start: (offer for offer in offers if offer.startswith(start)),
        )
    )


async def _agree(
    context: Context, rows: Sequence[_Retag], failed: Failed, title: str, *, verb: str, always: bool
) -> str | None:
    """Show the plan if it says more than the user just typed. Returns the reason, None for a no."""
    overwritten = [tag for row in rows for tag in row.plan.overwritten]
    missing = sum(row.plan.missing for row in rows)
    notes = [with_keys(note, context.ports.keys) for note in await _lasting(rows)]
    notes += attached_notes([move for row in rows for move in row.plan.elsewhere])
    if len(rows) == 1 and not (overwritten or missing or notes or failed or always):
        return ""
    if overwritten:
        notes.insert(
            0, "The tag exists and will move." if len(rows) == 1 else f"{listed(overwritten)} exist and will move."
        )
    notes += left_out_notes(failed)
    changes, rest = few([change for row in rows for each in row.plan.changes for change in changes_of(each)], "tag")
    places = list(dict.fromkeys(row.destination.reference() for row in rows))
    answer = await context.ask(
        PlanDialog(
            title,
            listed(places, 2),
            changes,
            [Choice("do", verb)],
            notes=[*rest, *notes],
            costs=f"{size_text(missing)} are copied." if missing else "No layer is moved.",
            reason=True,
            danger=bool(overwritten),
        )
    )
    return None if answer is None else answer.reason


async def _lasting(rows: Sequence[_Retag]) -> list[str]:
    """What undo can't revert, once per repository."""
    from kittui.usecases.change.retag import irreversible_retag_notes

    notes: list[str] = []
    for together in _by_repository([row for row in rows if row.plan.here is not None]):
        changes = [change for row in together for plan in row.plan.changes for change in plan.changes]
        notes += await irreversible_retag_notes(together[0].destination, changes)
    return [clean(note[:1].upper() + note[1:]) for note in notes]


def _tag_check(context: Context) -> Callable[[str], str]:
    def check(text: str) -> str:
        text = text.strip()
        try:
            if "/" in text or ":" in text:
                _, name, target = context.ports.locate(text)
                return "" if name and isinstance(target, Tag) else "Write REPOSITORY:TAG."
            Tag.parse(text)
        except KittuiError as error:
            return clean(sentences(error))
        return ""

    return check


async def _destination(context: Context, repository: Repository, text: str) -> tuple[Repository, Tag]:
    if "/" not in text and ":" not in text:
        return repository, Tag.parse(text)
    place, name, target = context.ports.locate(text)
    source = await context.ports.source(place)
    if not isinstance(target, Tag):
        raise BadReference(f"{clean(text)} has no tag", hint="Write REPOSITORY:TAG.")
    return source.repository(name), target

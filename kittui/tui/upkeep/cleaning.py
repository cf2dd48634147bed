"""Cleans up ModelKits by age, by stage or without a tag, with one plan and one confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.errors import KittuiError
from kittui.oci.tag import Tag
from kittui.terminal import clean, counted
from kittui.trust.documents import read_age
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import Batch, say_removed
from kittui.tui.frame.context import Context
from kittui.tui.frame.deleting import agree_to_delete
from kittui.tui.frame.failures import left_out
from kittui.usecases.change.clean import CleanRules, Selected
from kittui.usecases.change.plan import Answers, new_batch
from kittui.usecases.change.removals import plan_removals
from kittui.usecases.change.siblings import TagsOfBatch
from kittui.usecases.change.words import removed_text, undo_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kittui.oci.protocols import Repository
    from kittui.tui.frame.failures import Failures
    from kittui.usecases.change.plan import OnMoved
    from kittui.usecases.change.removal import RemovePlan
    from kittui.usecases.change.removals import Removals

LISTED = 12
"""Maximum ModelKits listed in the plan; further ones are counted."""


async def clean_up(context: Context) -> None:
    """Clean up the repository under the cursor, or the whole place."""
    rules = await _ask(context)
    if rules is None:
        return
    tools = context.ports.change_tools()
    repositories, unlisted = await _repositories(context)
    for repository in repositories:
        tools.policy.check_write(repository.reference())
    cleaner = context.ports.upkeep.cleaner()
    found = await cleaner.select(repositories, rules, lambda what: context.progress(f"looking at {what}"))
    total = len(found.rows)
    plan = await plan_removals(
        found.rows,
        "delete",
        on_read=lambda done, tags: context.progress(f"{done} of {counted(tags, 'tag')} looked at"),
        on_planned=lambda number: context.progress(f"{number} of {total} read"),
    )
    failed = [*((error.reference or "", error) for error in (*unlisted, *found.failed)), *plan.failed]
    if not plan.plans:
        context.fail_all(failed, len(failed))
        stays = ". ".join(_stays(found))
        context.toast(f"Nothing to delete. {stays}." if stays else f"There are no {rules.words}.")
        return
    words = _words(rules, plan, found, failed)
    production = rules.stages & _production(context)
    if production:
        words.insert(0, clean(f"{min(production)} is in production; this deletes it."))
    typed = await agree_to_delete(context, "Clean up", words, plan.plans)
    if typed is not None:
        await _apply(context, rules, plan, failed, typed)


def _production(context: Context) -> frozenset[Tag]:
    """The stages that are in production."""
    return frozenset(stage.name for stage in context.ports.settings.stages if stage.role == "champion")


async def _ask(context: Context) -> CleanRules | None:
    production = _production(context)
    stages = sorted((stage.name for stage in context.ports.settings.stages), key=lambda name: name in production)
    by_age = CleanRules()
    choices = [
        Choice(CleanRules(untagged=True), "Without a tag", "no tag points to them"),
        Choice(by_age, "Older than …", "by creation date"),
        *(
            Choice(
                CleanRules(stages=frozenset({name})),
                f"At stage {clean(name)}",
                "in production; its name has to be typed" if name in production else "and at no other stage",
            )
            for name in stages
        ),
    ]
    repository = context.selection.repository
    about = repository.reference() if repository is not None else str(context.selection.place)
    chosen = await context.ask(ChoiceDialog(f"Clean up {clean(about)}: which go?", choices))
    if chosen != by_age:
        return chosen
    text = await context.ask(
        InputDialog(
            "Older than",
            ("Hours, days, weeks or years: 12h, 30d, 6w, 1y.",),
            value="90d",
            check=lambda text: "" if read_age(text) else "Write 12h, 30d, 6w or 1y.",
        )
    )
    return CleanRules(older=read_age(text)) if text is not None else None


async def _repositories(context: Context) -> tuple[list[Repository], list[KittuiError]]:
    """The repositories to clean up, and why some may be missing."""
    selection = context.selection
    if selection.repository is not None:
        return [selection.repository], []
    found, failed = await context.ports.trust.named([str(selection.place)])
    if failed and not found:
        raise failed[0]
    return found, failed


def _words(rules: CleanRules, plan: Removals, found: Selected, failed: Failures) -> list[str]:
    words = [clean(f"{rules.words}:")]
    for each in plan.plans[:LISTED]:
        tags = ", ".join(each.tags) or "no tag"
        words.append(clean(f"  {each.manifest.digest.short}  {each.place}  {tags}"))
    if len(plan.plans) > LISTED:
        words.append(f"  and {len(plan.plans) - LISTED} more")
    words += ["", clean(f"{removed_text(plan, done=False)}.")]
    words.append(undo_text(plan.plans) or "Undo can bring them back.")
    attached = sum(len(each.attached) for each in plan.plans)
    words += [f"What is attached to them ({attached}) stays, without a ModelKit."] if attached else []
    words += [clean(f"{line}.") for line in _stays(found)]
    words += map(clean, left_out(failed))
    return words


def _stays(found: Selected) -> list[str]:
    return [
        f"{counted(len(names), 'ModelKit')} {'stays' if len(names) == 1 else 'stay'}: {why}"
        for why, names in found.stays.items()
    ]


async def _apply(context: Context, rules: CleanRules, plan: Removals, failed: Failures, typed: Sequence[str]) -> None:
    """Delete one after another; failures are listed, and the rest is done."""
    from kittui.usecases.change.remove import apply_remove

    tools = context.ports.change_tools()
    answers = Answers(f"clean-up: {rules.words}", typed, asked=True, batch=new_batch())
    batch: Batch[RemovePlan] = Batch(
        context, "deleted", len(plan.plans), lambda each: (each.repository, each.manifest.digest)
    )

    stages = [stage.name for stage in context.ports.settings.stages]
    tags = {each.place: TagsOfBatch(each.repository, stages) for each in plan.plans}

    async def delete(one: Sequence[RemovePlan], on_moved: OnMoved) -> None:
        await apply_remove(one[0], tools.ledger, tools.policy, answers, on_moved, tags[one[0].place])

    try:
        await batch.run([[each] for each in plan.plans], delete)
    finally:
        for repository in {each.place: each.repository for each in plan.plans}.values():
            context.changed(repository)
        await say_removed(context, tools, batch.done)
        context.fail_all([*failed, *batch.named], len(plan.plans) + len(failed))

"""Pull and push: choose, show the costs, then run in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kittui.errors import KittuiError
from kittui.oci.reference import LOCAL, WHOLE_LAYOUT
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.terminal import clean, size_text
from kittui.transfer.progress import Progress
from kittui.tui.change.changing import (
    ask_override,
    choose_variants,
    filled,
    left_out_notes,
    marked,
    name_clash,
    name_failures,
    type_names,
)
from kittui.tui.change.jobs import Job, Jobs
from kittui.tui.change.wording import attached_notes, few, listed
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.plan import Change, PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import row_by_row
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.words import attached_text

if TYPE_CHECKING:
    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Repository
    from kittui.transfer.plan import BlobPlan
    from kittui.usecases.change.transfer import MovePlan


async def pull(context: Context) -> None:
    """Pull into the local store, with the ModelKits that model references name."""
    chosen = await choose_variants(context, marked(context.selection))
    if chosen is None:
        return
    marks, unread = chosen
    store = await context.ports.source(LOCAL)
    names: dict[str, str] = {}
    for mark in marks:
        reference = mark.repository.reference()
        if reference not in names:
            name = await _store_name(context, mark)
            if name is None:
                return
            names[reference] = name

    async def plan(mark: Mark) -> MovePlan:
        return await _plan("pull", mark, store.repository(names[mark.repository.reference()]))

    plans, failed = await row_by_row(context, marks, plan)
    await _confirm_and_start(context, plans, [*unread, *failed], "Pull", "⬇")


async def _store_name(context: Context, mark: Mark) -> str | None:
    """The repository's name in the store: known for a registry, asked for a layout."""
    place = mark.repository.source.place
    if place.kind == "remote":
        return f"{place.host}/{mark.repository.name}"
    if mark.repository.name != WHOLE_LAYOUT:
        return mark.repository.name
    return await context.ask(InputDialog("Pull", [f"{clean(str(place))} has no repository name. Name for the store:"]))


async def push(context: Context) -> None:
    """Push into a registry; suggests the registry in the store's repository name."""
    marks = marked(context.selection)
    typed = await _ask_destination(context, marks)
    if typed is None:
        return

    async def plan(mark: Mark) -> MovePlan:
        place, name, target = context.ports.locate(filled(typed, mark))
        return await _plan("push", mark, (await context.ports.source(place)).repository(name), target)

    if await _confirm_and_start(context, *await row_by_row(context, marks, plan), "Push", "⬆"):
        context.program.drafts.drop(typed)


async def _ask_destination(context: Context, marks: Sequence[Mark]) -> str | None:
    """Ask for the destination; for several rows one name with `{tag}`, and `{name}` for several repositories."""
    repositories = {mark.repository.reference(): mark.repository for mark in marks}
    offered = [reference.removeprefix("local://") for reference in repositories]
    hosts = {name.partition("/")[0] for name in offered if "/" in name}
    tag = marks[0].target if len(marks) == 1 else "{tag}"
    host = next(iter(hosts)) if len(hosts) == 1 else ""
    value = ""
    if "." in host or ":" in host:
        name = offered[0] if len(offered) == 1 else f"{host}/{{name}}"
        value = f"remote://{name}{'@' if ':' in tag else ':'}{tag}"

    def check(text: str) -> str:
        texts = [filled(text, mark) for mark in marks]
        try:
            found = [context.ports.locate(each) for each in texts]
        except KittuiError as error:
            return clean(error.message)
        if any(not name or place == LOCAL for place, name, _ in found):
            return "Write remote://HOST/REPOSITORY:TAG or oci:DIR:TAG."
        wanted = [
            f"{place} {name}:{target or mark.target}" for (place, name, target), mark in zip(found, marks, strict=True)
        ]
        return name_clash(wanted)

    words = ["Destination:"]
    if len(marks) > 1:
        words.append("{tag} is each row's tag, {name} its repository:")
    return await context.ask(
        InputDialog(
            f"Push {clean(marks[0].target) if len(marks) == 1 else f'{len(marks)} ModelKits'}",
            words,
            value=value,
            placeholder="HOST/REPOSITORY:TAG",
            check=check,
            edit=len(marks) > 1,
            draft="\n".join(["push", *repositories]),
        )
    )


async def _plan(action: str, mark: Mark, destination: Repository, target: Target | None = None) -> MovePlan:
    from kittui.usecases.change.transfer import plan_move, with_attached

    wanted = target or mark.target
    tag = wanted if isinstance(wanted, Tag) else None
    return await with_attached(await plan_move(action, mark.repository, mark.target, destination, tag))


async def _confirm_and_start(
    context: Context,
    plans: Sequence[MovePlan],
    failed: Sequence[tuple[Mark, KittuiError]],
    verb: str,
    mark: str,
) -> bool:
    """Show the plan, then start one transfer per row; reports rows that can't be planned."""
    tools, total = context.ports.change_tools(), len(plans) + len(failed)
    if not plans:
        name_failures(context, failed, total)
        return False
    for plan in plans:
        tools.policy.check_write(plan.place)
    missing, whole = _bytes(plans)
    changes, rest = few([_change(plan) for plan in plans], "ModelKit")
    notes = [*attached_notes(plans), *left_out_notes(failed)]
    answer = await context.ask(
        PlanDialog(
            f"{verb} {len(plans)} ModelKits" if len(plans) > 1 else f"{verb} {clean(plans[0].target)}",
            listed(list(dict.fromkeys(plan.place for plan in plans)), 2),
            changes,
            _choices(verb, plans),
            notes=[*rest, *notes],
            costs=_costs(missing, whole),
            danger=verb == "Push" and any(plan.changes.overwritten for plan in plans),
        )
    )
    if answer is None:
        return False
    if answer.choice == "other":
        plans = [replace(plan, referrers=not plan.referrers) if attached_text(plan) else plan for plan in plans]
    typed = await type_names(context, tools, [tag for plan in plans for tag in plan.changes.overwritten])
    if typed is None:
        return False
    override = await ask_override(context, tools, [plan.changes for plan in plans])
    if override is None:
        return False
    jobs = context.program.state(Jobs)
    for chain in _chains(plans):
        turn = asyncio.Lock()
        for plan in chain:
            job = _job(context, tools, plan, verb, mark, typed, override, anew=plan is not chain[0])
            job.turn = turn
            jobs.start(context, job)
    context.clear_marks(keep=[one for one, _ in failed])
    name_failures(context, failed, total)
    return True


def _change(plan: MovePlan) -> Change:
    """What a plan does to its tag, or to what has none."""
    after = plan.manifest.digest.short
    if plan.tag is None:
        return Change(after, None, after)
    if not plan.changes.changes:
        return Change(plan.tag, after, f"{after} (unchanged)")
    before = plan.changes.changes[0].before
    return Change(plan.tag, before.digest.short if before else None, after)


def _blobs(plan: MovePlan) -> dict[tuple[str, Digest], BlobPlan]:
    """The blobs of a plan by destination: repositories on one disk share it."""
    destination = plan.transfer.destination
    where = destination.reference() if destination.files is None else str(destination.source.place)
    return {(where, blob.descriptor.digest): blob for blob in plan.transfer.blobs}


def _bytes(plans: Sequence[MovePlan]) -> tuple[int, int]:
    """Bytes to move and bytes in total: blobs of several plans count once."""
    blobs = {key: blob for plan in plans for key, blob in _blobs(plan).items()}.values()
    copied = sum(blob.descriptor.size for blob in blobs if blob.way == "copy")
    return copied, sum(blob.descriptor.size for blob in blobs)


def _chains(plans: Sequence[MovePlan]) -> list[list[MovePlan]]:
    """Group plans that share a blob to run one after the other, so that it is moved once; others run in parallel."""
    chains: list[tuple[set[tuple[str, Digest]], list[MovePlan]]] = []
    for plan in plans:
        wanted = {key for key, blob in _blobs(plan).items() if blob.way != "present"}
        shared = [chain for chain in chains if chain[0] & wanted]
        chains = [chain for chain in chains if not chain[0] & wanted]
        wanted = wanted.union(*(keys for keys, _ in shared))
        chains.append((wanted, [*(one for _, together in shared for one in together), plan]))
    return [together for _, together in chains]


def _choices(verb: str, plans: Sequence[MovePlan]) -> list[Choice[str]]:
    """The choices: with the default for attachments, and the opposite."""
    attached = [plan for plan in plans if attached_text(plan)]
    if not attached or any(plan.transfer.destination.source.traits.is_store for plan in attached):
        return [Choice("do", verb)]
    other = f"{verb} it alone" if attached[0].referrers else f"{verb} with attachments"
    return [Choice("do", verb), Choice("other", other)]


def _costs(missing: int, total: int) -> str:
    if not missing:
        return f"Nothing to move: the {size_text(total)} exist there or are mounted."
    if missing == total:
        return f"{size_text(total)} to move."
    return f"{size_text(missing)} to move of {size_text(total)}; the rest exists there or is mounted."


def _job(
    context: Context,
    tools: ChangeTools,
    plan: MovePlan,
    verb: str,
    mark: str,
    typed: Sequence[str],
    override: str,
    *,
    anew: bool,
) -> Job:
    """`anew`: plan it again when its turn comes, because another transfer may have moved shared blobs."""
    from kittui.usecases.change.transfer import apply_move, plan_move

    async def work(job: Job) -> str:
        current = plan
        if job.progress.blobs or anew:
            job.progress = Progress()
            transfer = plan.transfer
            current = await plan_move(
                plan.action, transfer.origin, plan.manifest.digest, transfer.destination, plan.tag
            )
            current = current.along(plan.attached, plan.referrers)
        moved = await apply_move(
            current,
            tools.ledger,
            tools.policy,
            Answers("", typed, override, asked=True),
            job.progress,
            tuning=tools.tuning,
        )
        context.changed(current.transfer.destination)
        if verb == "Pull":
            await _pull_parents(context, tools, current, job)
        return "; ".join((f"{verb}ed {plan.transfer.destination.reference(plan.target)}", *moved.left))

    return Job(f"{verb} {plan.transfer.destination.reference(plan.target)}", mark, Progress(), work)


async def _pull_parents(context: Context, tools: ChangeTools, plan: MovePlan, job: Job) -> None:
    """Also pull what model references name; the ModelKit itself is in the store already, and stays."""
    from kittui.usecases.change.transfer import apply_move, parent_missing, parents_of, plan_move

    store = plan.transfer.destination.source
    try:
        async for repository, target in parents_of(plan.transfer.destination, plan.manifest, tools.find):
            if repository.source.traits.is_store:
                continue
            job.progress = Progress()
            destination = store.repository(f"{repository.source.place.host}/{repository.name}")
            tag = target if isinstance(target, Tag) else None
            parent = await plan_move("pull", repository, target, destination, tag)
            await apply_move(parent, tools.ledger, tools.policy, progress=job.progress, tuning=tools.tuning)
            context.changed(destination)
    except KittuiError as error:
        raise parent_missing(plan.transfer.destination.reference(plan.target), error) from error

"""Unpack: the dialog, then a transfer that asks about existing files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from kittui.disk.paths import typed_path
from kittui.errors import Interrupted, KittuiError, StorageError, sentences
from kittui.oci.digest import Digest
from kittui.terminal import clean, counted, size_text
from kittui.transfer.progress import Progress
from kittui.tui.change.changing import choose_variants, left_out_notes, marked, name_failures
from kittui.tui.change.jobs import Job, Jobs
from kittui.tui.change.ticks import Ticks, folders
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.change.wording import listed
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import row_by_row
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark
from kittui.usecases.change.tools import ChangeTools

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit
    from kittui.transfer.placing import Decisions
    from kittui.transfer.tree import Decision
    from kittui.tui.change.ticks import Choice as Ticked


async def unpack(context: Context) -> None:
    """Ask what to unpack and where, and run it in the background; several marks are unpacked whole, in parallel."""
    tools = context.ports.change_tools()
    picked = await choose_variants(context, marked(context.selection))
    if picked is None:
        return
    marks, unread = picked
    if len(marks) + len(unread) > 1:
        await _unpack_several(context, tools, marks, unread)
        return
    if unread:
        raise unread[0][1]
    [mark] = marks
    kit = await context.ports.modelkit(mark.repository, mark.target)
    folder = str(Path.cwd() / (mark.repository.name.rpartition("/")[2] or "modelkit"))
    ticks = Ticks.of(kit)
    inspector = tools.inspector
    chosen = await context.ask(UnpackDialog(mark.repository, mark.target, inspector, ticks, folder))
    if chosen is None:
        return

    async def again(error: StorageError, tried: Ticked, since: float) -> Ticked | None:
        words = sentences(error)
        dialog = UnpackDialog(mark.repository, mark.target, inspector, ticks, str(tried.directory), words)
        return await context.ask(dialog, since=since)

    context.program.state(Jobs).start(context, _job(context, tools, mark, chosen, again))
    context.clear_marks()


async def _unpack_several(
    context: Context, tools: ChangeTools, marks: Sequence[Mark], unread: Sequence[tuple[Mark, KittuiError]]
) -> None:
    """Unpack several ModelKits whole, each into its own subfolder."""

    async def read(mark: Mark) -> tuple[Mark, ModelKit]:
        return mark, await context.ports.modelkit(mark.repository, mark.target)

    kits, broken = await row_by_row(context, marks, read)
    failed, total = [*unread, *broken], len(marks) + len(unread)
    if not kits:
        name_failures(context, failed, total)
        return
    names = _folder_names([mark for mark, _ in kits])
    size = sum(layer.size for _, kit in kits for layer in kit.layers)
    words = [f"{counted(len(kits), 'ModelKit')}, {size_text(size)}, each whole into its own subfolder of:"]
    words += left_out_notes(failed)

    def taken(text: str) -> str:
        try:
            top = typed_path(text.strip() or ".")
        except KittuiError as error:
            return clean(error.message)
        there = [name for name in names if (top / name).exists()]
        return f"These exist already: {listed(there)}. Choose another folder." if there else ""

    text = await context.ask(
        InputDialog(
            f"Unpack {counted(len(kits), 'ModelKit')}",
            [*words, clean(listed(names, 6))],
            value=str(Path.cwd()),
            check=taken,
            complete=folders,
            decides=True,
            draft="unpack",
        )
    )
    if text is None:
        return
    context.program.drafts.drop(text)
    top = typed_path(text.strip() or ".")
    for (mark, kit), name in zip(kits, names, strict=True):
        whole = Ticks.of(kit).choice(top / name)
        context.program.state(Jobs).start(context, _job(context, tools, mark, whole))
    context.clear_marks(keep=[mark for mark, _ in failed])
    name_failures(context, failed, total)


def _folder_names(marks: Sequence[Mark]) -> list[str]:
    """NAME-TAG for each; duplicates are numbered."""
    found: list[str] = []
    for mark in marks:
        tag = mark.target.short if isinstance(mark.target, Digest) else mark.target
        name = f"{mark.repository.name.rpartition('/')[2].strip('.') or 'modelkit'}-{tag}"
        while name in found:
            name += "-2"
        found.append(name)
    return found


Again = Callable[["StorageError", "Ticked", float], Awaitable["Ticked | None"]]
"""Asks again if the folder can't be written, keeping the choices; None means cancelled."""


def _job(context: Context, tools: ChangeTools, mark: Mark, chosen: Ticked, again: Again | None = None) -> Job:
    """With all layers ticked, parents are unpacked too, as with `kit unpack`."""
    from kittui.usecases.unpack.apply import apply_unpack
    from kittui.usecases.unpack.plan import plan_unpack

    async def work(job: Job) -> str:
        since = monotonic()

        async def decide(paths: Sequence[str]) -> Decisions:
            with job.asking():
                return await ask_about(context, paths, since)

        nonlocal chosen
        while True:
            try:
                return await unpacked(job, decide)
            except StorageError as error:
                other = await again(error, chosen, since) if again is not None else None
                if other is None:
                    raise
                chosen, since = other, monotonic()

    async def unpacked(job: Job, decide: Callable[[Sequence[str]], Awaitable[Decisions]]) -> str:
        if job.progress.blobs:
            job.progress = Progress()
        kit = await context.ports.modelkit(mark.repository, mark.digest or mark.target)
        whole = len(chosen.layers) == len(kit.layers)
        plan = await plan_unpack(
            mark.repository,
            mark.digest or mark.target,
            chosen.directory,
            find=tools.find if whole else None,
            layers=None if whole else chosen.layers,
            files=chosen.files,
            kitfile=chosen.kitfile,
            verify=chosen.verify,
        )
        done = await apply_unpack(plan, tools.inspector, decide=decide, progress=job.progress, tuning=tools.tuning)
        written = sum(one.outcome == "written" for one in done.files)
        said = f"{counted(written, 'file')} unpacked into {chosen.directory}"
        return said if done.verified else f"{said}; files read by ranges are not verified"

    return Job(f"Unpack {mark.reference}", "⬇", Progress(), work)


ANSWERS: tuple[Choice[tuple[str, bool]], ...] = (
    Choice(("keep", False), "Keep mine", "this file"),
    Choice(("both", False), "Keep both", "the new one as NAME (2)"),
    Choice(("overwrite", False), "Overwrite", "this file"),
    Choice(("keep", True), "Keep all mine", "this one and all following"),
    Choice(("both", True), "Keep both of all", "this one and all following"),
    Choice(("overwrite", True), "Overwrite all", "this one and all following"),
)


async def ask_about(context: Context, paths: Sequence[str], since: float | None = None) -> Decisions:
    """Ask about each file, until an answer covers all. Raises Interrupted if the user cancels."""
    from kittui.transfer.placing import Decisions

    answers: dict[str, Decision] = {}
    for number, path in enumerate(paths, 1):
        title = f"{number} of {counted(len(paths), 'file')} exist already"
        # The first question may wait in the header; the rest follow at once.
        began = since if number == 1 else None
        found = await context.ask(ChoiceDialog(title, ANSWERS, [clean(path), ""]), since=began)
        if found is None:
            raise Interrupted("nothing was unpacked", hint="The existing files were left unchanged.")
        decision: Decision = "overwrite" if found[0] == "overwrite" else "keep" if found[0] == "keep" else "both"
        if found[1]:
            return Decisions(decision, answers)
        answers[path] = decision
    return Decisions(None, answers)

"""Unpack: the dialog, then a transfer that asks about files that are in the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kittui.errors import Interrupted
from kittui.terminal import clean
from kittui.tui.change.changing import marked, one_each
from kittui.tui.change.jobs import Job, Jobs
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.frame.context import Context
from kittui.usecases.change.tools import ChangeTools

if TYPE_CHECKING:
    from kittui.transfer.staging import Answers
    from kittui.transfer.tree import Decision
    from kittui.tui.change.ticks import Choice as Ticked
    from kittui.tui.frame.selection import Mark


async def unpack(context: Context) -> None:
    """Ask what and where, for each marked ModelKit, and do it in the background."""
    tools = context.ports.change_tools()
    marks = await one_each(context, marked(context.selection))
    if not marks:
        return
    for mark in marks:
        kit = await context.ports.modelkit(mark.repository, mark.target)
        folder = str(Path.cwd() / (mark.repository.name.rpartition("/")[2] or "modelkit"))
        chosen = await context.ask(UnpackDialog(kit, mark.repository, mark.target, tools.inspector, folder))
        if chosen is None:
            return
        whole = len(chosen.layers) == len(kit.layers)
        context.program.state(Jobs).start(context, _job(context, tools, mark, chosen, whole=whole))
    context.clear_marks()


def _job(context: Context, tools: ChangeTools, mark: Mark, chosen: Ticked, *, whole: bool) -> Job:
    """`whole`: every layer is taken, and so the parents come along, as with `kit unpack`."""
    from kittui.transfer.progress import Progress
    from kittui.usecases.unpack import apply_unpack, plan_unpack

    async def decide(paths: Sequence[str]) -> Answers:
        return await ask_about(context, paths)

    async def work(job: Job) -> str:
        if job.progress.blobs:
            job.progress = Progress()
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
        said = f"{written} files unpacked into {chosen.directory}"
        return said if done.verified else f"{said}; files read by ranges are not verified"

    return Job(f"Unpack {mark.reference}", "⬇", Progress(), work)


ANSWERS: tuple[Choice[tuple[str, bool]], ...] = (
    Choice(("keep", False), "Keep mine", "this file"),
    Choice(("both", False), "Keep both", "the new one as NAME (2)"),
    Choice(("overwrite", False), "Overwrite", "this file"),
    Choice(("keep", True), "Keep all mine", "this one and all that follow"),
    Choice(("both", True), "Keep both of all", "this one and all that follow"),
    Choice(("overwrite", True), "Overwrite all", "this one and all that follow"),
)


async def ask_about(context: Context, paths: Sequence[str]) -> Answers:
    """One question for each file, until one is answered for all. Raises Interrupted where the user would not."""
    from kittui.transfer.staging import Answers

    answers: dict[str, Decision] = {}
    for number, path in enumerate(paths, 1):
        title = f"{number} of {len(paths)} files in the way"
        found = await context.ask(ChoiceDialog(title, ANSWERS, [clean(path), ""]))
        if found is None:
            raise Interrupted("nothing was unpacked", hint="The files in the way are as they were.")
        decision: Decision = "overwrite" if found[0] == "overwrite" else "keep" if found[0] == "keep" else "both"
        if found[1]:
            return Answers(decision, answers)
        answers[path] = decision
    return Answers(None, answers)

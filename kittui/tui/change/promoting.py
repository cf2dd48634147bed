"""Promote and roll back: the plan, what it changes for whoever uses the champion, then the moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from kittui.errors import KittuiError
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.terminal import clean
from kittui.tui.change.changing import apply, repositories
from kittui.tui.change.differences import difference_lines
from kittui.tui.change.gate_lines import gate_parts
from kittui.tui.change.wording import changes_of, notes_of
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.dialog import Part, Words
from kittui.tui.dialogs.plan import PlanAnswer, PlanDialog
from kittui.tui.frame.changes import row_by_row
from kittui.tui.frame.context import Context
from kittui.usecases.change.words import costs_of, nothing_to_do

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Repository
    from kittui.usecases.change.plan import ChangePlan
    from kittui.usecases.change.policy import Announced, Verdict

LINES = 7
"""Lines for what changes, where the terminal has the room."""
FRAME = 13
"""Rows of the dialog besides tags, notes, choices and what changes."""
WIDTH = 68
"""Columns of a line."""


class PromotionDialog(PlanDialog):
    """A plan, and under it what changes between what the champion is and what it becomes, as soon as that is known.

    `names` are the tags that both are known by; a key opens the comparison over this dialog.
    """

    def __init__(
        self,
        context: Context,
        title: str,
        plan: ChangePlan,
        choices: Sequence[Choice[str]],
        names: tuple[Tag, Tag],
        gates: Sequence[Announced] = (),
    ) -> None:
        change = plan.changes[-1]
        self._ends = (change.before.digest, change.after.digest) if change.before and change.after else None
        super().__init__(
            title,
            plan.place,
            changes_of(plan),
            choices,
            notes=notes_of(plan, context.ports.keys),
            costs=costs_of(plan),
            reason=True,
            look=self._open_comparison if self._ends else None,
        )
        self._given, self._repository, self._names = context, plan.repository, names
        self._summary = Words([])
        self._plan, self._gates, self._answers = plan, gates, Words([])
        self._said, self._ways, self._moving = notes_of(plan, context.ports.keys), choices, len(plan.changes)

    def more(self) -> ComposeResult:
        """Gates, and what changes; their room is kept while they are read, so that nothing moves under the cursor."""
        if self._gates:
            yield self._answers
        if self._ends is not None:
            yield self._summary

    def on_mount(self) -> None:
        """Begin to read what changes; the choices don't wait for it."""
        if self._gates:
            self._answer([])
            self._ask_gates()
        if self._ends is not None:
            self._say([Content.assemble(("Reading what changes …", "$kit-muted"))])
            self._read_changes(*self._ends)

    def _say(self, parts: Sequence[Part]) -> None:
        self._summary.show(["", *parts, *[""] * (self._lines - len(parts))])

    def _answer(self, verdicts: Sequence[Verdict]) -> None:
        parts = gate_parts(self._gates, verdicts, self._room)
        self._answers.show(["", *parts, *[""] * (min(self._room, 1 + len(self._gates)) - len(parts))])

    @work(group="gates", exclusive=True)
    async def _ask_gates(self) -> None:
        """Fill the gates in as they answer; the choices don't wait for them."""
        verdicts: list[Verdict] = []
        async for verdict in self._given.ports.change_tools().policy.gates(self._plan):
            verdicts.append(verdict)
            self._answer(verdicts)

    @property
    def _room(self) -> int:
        """Lines for gates: all of them, or where the terminal is small what leaves room for the choices."""
        return max(2, min(1 + len(self._gates), self.app.size.height - FRAME - len(self._ways) - self._moving - 4))

    @property
    def _lines(self) -> int:
        """As many as fit without scrolling."""
        notes = sum(1 + len(note) // WIDTH for note in self._said)
        taken = FRAME + len(self._ways) + self._moving + (1 + notes if notes else 0)
        taken += 1 + self._room if self._gates else 0
        return max(2, min(LINES, self.app.size.height - taken))

    @work(group="changes", exclusive=True)
    async def _read_changes(self, before: Digest, after: Digest) -> None:
        from kittui.usecases.diff.compare import Side

        pair = (Side(self._repository, before), Side(self._repository, after))
        try:
            case = await self._given.ports.differ(pair)
            comparison = await case.glance(*pair)
        except KittuiError as error:
            self._say([Content.assemble((f"What changes can't be shown: {clean(error.message)}", "$kit-warn"))])
            return
        self._say(difference_lines(comparison, self._lines))

    def _open_comparison(self) -> None:
        if self._ends is not None:
            self._show_comparison(*self._ends)

    @work(group="changes.open", exclusive=True)
    async def _show_comparison(self, before: Digest, after: Digest) -> None:
        """The comparison, by the tags' names while they are still what the plan says."""
        from kittui.usecases.diff.compare import Side

        targets: list[Target] = []
        try:
            for name, digest in zip(self._names, (before, after), strict=True):
                named = await self._given.ports.modelkit(self._repository, name)
                targets.append(name if named.digest == digest else digest)
        except KittuiError as error:
            self._given.fail(error)
            return
        self._given.program.open_comparison(*(Side(self._repository, target) for target in targets))


async def promote(context: Context) -> None:
    """Challenger becomes champion, the champion rollback."""
    from kittui.usecases.change.promote import plan_promote

    tools = context.ports.change_tools()
    stages = context.ports.settings.lifecycle

    async def read(repository: Repository) -> tuple[Repository, ChangePlan]:
        known = context.browser.known_digests(repository)
        return repository, await plan_promote(repository, stages=stages, known=known)

    for repository, plan in await _plans(context, read):
        retired = clean(stages.retired)
        retire = [Choice("retire", "Promote and retire", f"what {clean(stages.rollback)} held gets the tag {retired}")]
        answer = await _ask(
            context,
            plan,
            f"Promote {clean(repository.name)}",
            [Choice("do", "Promote"), *(retire if plan.orphans else [])],
            (stages.champion, stages.challenger),
        )
        if answer is None:
            return
        if answer.choice == "retire":
            known = context.browser.known_digests(repository)
            plan = await plan_promote(repository, stages=stages, retire=True, known=known, shown=False)
        await apply(context, tools, plan, answer.reason)


async def roll_back(context: Context) -> None:
    """The champion becomes what rollback holds."""
    from kittui.usecases.change.promote import plan_rollback

    tools = context.ports.change_tools()
    stages = context.ports.settings.lifecycle

    async def read(repository: Repository) -> tuple[Repository, ChangePlan]:
        known = context.browser.known_digests(repository)
        return repository, await plan_rollback(repository, stages=stages, known=known)

    for repository, plan in await _plans(context, read):
        title = f"Roll back {clean(repository.name)}"
        answer = await _ask(context, plan, title, [Choice("do", "Roll back")], (stages.champion, stages.rollback))
        if answer is None:
            return
        await apply(context, tools, plan, answer.reason)


async def _plans(
    context: Context, read: Callable[[Repository], Awaitable[tuple[Repository, ChangePlan]]]
) -> list[tuple[Repository, ChangePlan]]:
    """The plans of all repositories that are meant; those that can't be planned are named."""
    rows = repositories(context.selection)
    plans, failed = await row_by_row(context, rows, read)
    context.fail_all([(repository.reference(), error) for repository, error in failed], len(rows))
    return plans


async def _ask(
    context: Context, plan: ChangePlan, title: str, choices: Sequence[Choice[str]], names: tuple[Tag, Tag]
) -> PlanAnswer | None:
    if not plan.changes:
        context.toast(nothing_to_do(plan))
        return PlanAnswer("none")
    context.ports.change_tools().policy.check_write(plan.place)
    gates = await context.ports.change_tools().policy.announced(plan)
    return await context.ask(PromotionDialog(context, title, plan, choices, names, gates))

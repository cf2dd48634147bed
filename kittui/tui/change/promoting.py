"""Promote and roll back: show the plan and how the champion changes, then apply it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual import work
from textual.app import ComposeResult
from textual.content import Content

from kittui.errors import KittuiError
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.terminal import clean
from kittui.tui.change.changing import apply
from kittui.tui.change.differences import difference_lines
from kittui.tui.change.gate_lines import gate_parts, hanging
from kittui.tui.change.wording import changes_of, notes_of
from kittui.tui.dialogs.choice import Choice
from kittui.tui.dialogs.dialog import Part, Words
from kittui.tui.dialogs.plan import PlanAnswer, PlanDialog
from kittui.tui.frame.context import Context
from kittui.usecases.change.words import costs_of, nothing_to_do

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kittui.compare.review import Review
    from kittui.oci.digest import Digest
    from kittui.usecases.change.plan import ChangePlan
    from kittui.usecases.change.policy import Announced, Verdict

LINES: Final = 7
"""Lines for the changes."""
NOTES: Final = 5
"""The most review notes shown."""
WIDTH: Final = 110
"""The dialog's width in columns, if the terminal is wide enough."""
MARGIN: Final = 5
"""Columns for its frame and scrollbar."""


class PromotionDialog(PlanDialog):
    """A plan, and below it the differences between the old and the new champion, once known.

    `names` are the tags of both; a key opens the comparison over this dialog.
    """

    DEFAULT_CSS = f"PromotionDialog Box {{ width: {WIDTH}; }}"

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
        self._plan, self._gates = plan, gates
        self._verdicts: list[Verdict] = []
        self._review: Review | None = None
        self._answers, self._reviewed, self._summary = Words([]), Words([]), Words([])
        notes = notes_of(plan, context.ports.keys)
        self.reserved = 2 + len(plan.changes) + (1 + len(notes) if notes else 0)
        self.reserved += 2 + len(gates) if gates else 0
        self.reserved += 2 + 1 + LINES if self._ends else 0

    def more(self) -> ComposeResult:
        """Gates, this machine's review of the two, and the changes."""
        if self._gates:
            yield self._answers
        if self._ends is not None:
            yield self._reviewed
            yield self._summary

    def on_mount(self) -> None:
        """Start reading the changes; the choices don't wait for it."""
        if self._gates:
            self._ask_gates()
        if self._ends is not None:
            self._say([Content.assemble(("Comparing the two …", "$kit-muted"))])
            self._read_changes(*self._ends)

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._show_answers()
        self._show_review()

    def on_screen_resume(self) -> None:
        """Read the review, also after the comparison was opened over this dialog."""
        if self._ends is not None:
            self._read_review(*self._ends)

    @property
    def _width(self) -> int:
        return min(WIDTH, self.app.size.width) - MARGIN

    def _say(self, parts: Sequence[Part]) -> None:
        self._summary.show(["", *parts])

    def _show_answers(self) -> None:
        if self._gates:
            self._answers.show(["", *gate_parts(self._gates, self._verdicts, self._width)])

    @work(group="gates", exclusive=True)
    async def _ask_gates(self) -> None:
        """Show the gates' verdicts as they arrive; the choices don't wait for them."""
        self._verdicts = []
        self._show_answers()
        async for verdict in self._given.ports.change_tools().policy.gates(self._plan):
            self._verdicts.append(verdict)
            self._show_answers()

    @work(group="review", exclusive=True, description="read review")
    async def _read_review(self, before: Digest, after: Digest) -> None:
        """Show this machine's review; if it changed, evaluate the gates again that may depend on it."""
        known, self._review = self._review, await self._given.ports.trust.review(before, after)
        self._show_review()
        if self._gates and known is not None and known != self._review:
            self._ask_gates()

    def _show_review(self) -> None:
        review = self._review
        if review is None:
            return
        if review.empty:
            words = f"Not reviewed by you; {self.key('dialog.look')} compares the two."
            self._reviewed.show(["", Content.assemble((words, "$kit-muted"))])
            return
        style = "$kit-good" if review.whole else "$kit-bad" if review.verdict == "rejected" else "$kit-warn"
        parts = [Content.assemble((f"You reviewed these two: {review.words}", style))]
        for key, note in list(review.notes.items())[:NOTES]:
            text = Content.assemble((f"{clean(key, limit=200)}: ", "$kit-muted"), (clean(note, limit=500), "$kit-text"))
            parts += hanging(Content.assemble(("✎ ", "$kit-accent")), text, self._width)
        if len(review.notes) > NOTES:
            parts.append(Content.assemble((f"and {len(review.notes) - NOTES} more notes", "$kit-muted")))
        self._reviewed.show(["", *parts])

    @work(group="changes", exclusive=True, description="read changes")
    async def _read_changes(self, before: Digest, after: Digest) -> None:
        from kittui.usecases.diff.compare import Side

        pair = (Side(self._repository, before), Side(self._repository, after))
        try:
            case = await self._given.ports.differ(pair)
            comparison = await case.glance(*pair)
        except KittuiError as error:
            self._say([Content.assemble((f"The changes can't be shown: {clean(error.message)}", "$kit-warn"))])
            return
        self._say(difference_lines(comparison, LINES))

    def _open_comparison(self) -> None:
        if self._ends is not None:
            self._show_comparison(*self._ends)

    @work(group="changes.open", exclusive=True, description="show comparison")
    async def _show_comparison(self, before: Digest, after: Digest) -> None:
        """Open the comparison, by tag names while they still match the plan."""
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
    """Make the challenger the champion, and the champion the rollback."""
    from kittui.usecases.change.promote import plan_promote, with_retired

    tools = context.ports.change_tools()
    stages = context.ports.settings.lifecycle
    repository = context.selection.repository
    if repository is None:
        return
    known = context.browser.known_digests(repository)
    plan = await plan_promote(repository, stages=stages, known=known)
    retired = clean(stages.retired)
    retire = [Choice("retire", "Promote and retire", f"what {clean(stages.rollback)} held is tagged {retired}")]
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
        plan = await with_retired(plan, stages)
    await apply(context, tools, plan, answer.reason)


async def roll_back(context: Context) -> None:
    """Move the champion back to what rollback holds."""
    from kittui.usecases.change.promote import plan_rollback

    tools = context.ports.change_tools()
    stages = context.ports.settings.lifecycle
    repository = context.selection.repository
    if repository is None:
        return
    plan = await plan_rollback(repository, stages=stages, known=context.browser.known_digests(repository))
    title = f"Roll back {clean(repository.name)}"
    answer = await _ask(context, plan, title, [Choice("do", "Roll back")], (stages.champion, stages.rollback))
    if answer is not None:
        await apply(context, tools, plan, answer.reason)


async def _ask(
    context: Context, plan: ChangePlan, title: str, choices: Sequence[Choice[str]], names: tuple[Tag, Tag]
) -> PlanAnswer | None:
    if not plan.changes:
        context.toast(nothing_to_do(plan))
        return PlanAnswer("none")
    context.ports.change_tools().policy.check_write(plan.place)
    gates = await context.ports.change_tools().policy.announced(plan)
    return await context.ask(PromotionDialog(context, title, plan, choices, names, gates))

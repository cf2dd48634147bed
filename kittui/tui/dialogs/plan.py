"""Showing a plan before it is applied: what changes from what to what, what it costs, and a reason if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choice, Choices
from kittui.tui.dialogs.dialog import Box, Dialog, Part, Words
from kittui.tui.dialogs.prompt import TYPED_BEFORE

LEAST: Final = 3
"""Lines that a plan has on the smallest terminal."""


@dataclass(frozen=True, slots=True)
class Change:
    """One tag that moves: texts such as `9f21a6b64d06 (v1.0.0)`; None is no such tag, before or after."""

    tag: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What was decided: the value of the choice, and the reason typed."""

    choice: str
    reason: str = ""


class Plan(VerticalScroll, can_focus=False):
    """What would be done. It scrolls where the terminal is too small, so that the choices below it stay in view."""

    DEFAULT_CSS = "Plan { height: auto; scrollbar-size-vertical: 1; }"


class PlanDialog(Dialog[PlanAnswer]):
    """A plan with one or more ways to apply it; answers a PlanAnswer, or None.

    `place` names where it happens and is the first line; `after` are choices below Cancel; `typed` must be typed before
    anything can be chosen (protected tags); `look` is called to see what the change means. The cursor starts on Cancel
    with `danger`: where more would change than the user has just asked for.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o,d", "look", "See the changes", id="dialog.look", tooltip="Show what the plan changes"),
        Binding(
            "down", "choices", "Choices", id="dialog.choices", tooltip="Go from the reason to the choices", show=False
        ),
        Binding("pagedown", "page(1)", "More", id="dialog.plan-down", tooltip="Scroll the plan down", priority=True),
        Binding("pageup", "page(-1)", "Back up", id="dialog.plan-up", tooltip="Scroll the plan up", priority=True),
    ]

    def __init__(
        self,
        title: str,
        place: str,
        changes: Sequence[Change],
        choices: Sequence[Choice[str]],
        *,
        notes: Sequence[Part] = (),
        costs: str = "",
        reason: bool = False,
        typed: str | None = None,
        danger: bool = False,
        after: Sequence[Choice[str]] = (),
        look: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(title, f"{title} {place}" if reason else "")
        self._place, self._changes, self._cancel = place, list(changes), len(choices)
        self._choices = [*choices, Choice("", "Cancel"), *after]
        self._notes, self._costs, self._reason = list(notes), costs, reason
        self._typed, self._danger, self._look = typed, danger, look
        self._plan_box = Plan()
        self.reserved = 0
        """Lines that are kept for the plan, for what is still read, where the terminal has them."""

    @property
    def decides(self) -> bool:
        """A choice other than Cancel is under the cursor."""
        return any(each.has_focus and each.highlighted != self._cancel for each in self.query(OptionList))

    def body(self) -> ComposeResult:
        """Place, changes, notes, what a subclass adds, costs, the reason, the name to type, choices."""
        notes: list[Part] = ["", *self._notes] if self._notes else []
        with self._plan_box:
            yield Words([Content.assemble((clean(self._place), "$kit-muted")), "", *self._table(), *notes])
            yield from self.more()
        if self._costs:
            yield Words(["", Content.assemble((clean(self._costs), "$kit-muted"))])
        if self._reason:
            typed = (f"  {TYPED_BEFORE}", "$kit-warn") if self.given else ""
            yield Words(["", Content.assemble(("Reason", "$kit-muted"), typed)])
            entry = Input(self.given, placeholder="kept in the history", id="reason")
            entry.cursor_blink = False
            yield entry
        if self._typed is not None:
            name = clean(self._typed)
            yield Words(["", Content.assemble((f"{name} is protected. Type its name:", "$kit-warn"))])
            entry = Input(id="typed")
            entry.cursor_blink = False
            yield entry
        yield Choices(
            *(
                Option(
                    Content.assemble(
                        (choice.label, "$kit-text bold"), (f"  {choice.refused or choice.detail}", "$kit-muted")
                    ),
                    disabled=bool(choice.refused),
                )
                for choice in self._choices
            )
        )

    def _table(self) -> list[Part]:
        width = max((len(clean(change.tag)) for change in self._changes), default=0)
        before = max((len(clean(change.before or "none")) for change in self._changes), default=0)
        return [
            Content.assemble(
                (f"{clean(change.tag):<{width}}  ", "$kit-text bold"),
                (f"{clean(change.before or 'none'):<{before}}", "$kit-muted"),
                ("  →  ", "$kit-accent"),
                (clean(change.after or "none"), "$kit-text" if change.after else "$kit-bad"),
            )
            for change in self._changes
        ]

    def more(self) -> ComposeResult:
        """Widgets between the notes and the costs; none, unless a subclass has some."""
        yield from ()

    def hints(self) -> Sequence[tuple[str, str]]:
        """The key for the changes is named where there are some."""
        more = [("dialog.plan-down", "More")] if self._plan_box.show_vertical_scrollbar else []
        look = [] if self._look is None else [("dialog.look", "See the changes")]
        return (*more, *look, *self.HINTS)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The key for the changes is live only where there are some, those for more where not all is in sight."""
        if action == "page":
            return self._plan_box.show_vertical_scrollbar
        return action != "look" or self._look is not None

    def on_mount(self) -> None:
        """What is asked for is typed first: a name, a reason. The cursor is on the first choice, or on Cancel."""
        self.watch(self._plan_box, "show_vertical_scrollbar", self.show_hints, init=False)
        options = self.query_one(OptionList)
        self._guard("")
        if self._typed is not None:
            self.query_one("#typed", Input).focus()
        elif self._reason:
            self.query_one("#reason", Input).focus()
        else:
            options.focus()
        safe = self._danger or self._typed is not None or bool(self._choices[0].refused)
        options.highlighted = self._cancel if safe else 0

    def text(self) -> str:
        """The reason."""
        return next((each.value for each in self.query("#reason").results(Input)), self.given)

    def on_resize(self) -> None:
        """Give the plan what the rest leaves."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        box = self.query_one(Box)
        rest = sum(each.virtual_region_with_margin.height for each in box.children if each is not self._plan_box)
        room = max(LEAST, self.size.height - box.gutter.height - rest)
        self._plan_box.styles.max_height = room
        self._plan_box.styles.min_height = min(room, self.reserved)

    def action_page(self, step: int) -> None:
        """Scroll the plan down, or back up in it."""
        if step > 0:
            self._plan_box.scroll_page_down(animate=False)
        else:
            self._plan_box.scroll_page_up(animate=False)

    def _guard(self, text: str) -> None:
        options = self.query_one(OptionList)
        for number, choice in enumerate(self._choices):
            if number == self._cancel:
                continue
            if self._typed is None or text == self._typed:
                if not choice.refused:
                    options.enable_option_at_index(number)
            else:
                options.disable_option_at_index(number)

    @on(Input.Changed, "#typed")
    def _typing(self, event: Input.Changed) -> None:
        self._guard(event.value)

    @on(Input.Submitted)
    def action_choices(self) -> None:
        """On to the choices."""
        self.query_one(OptionList).focus()

    def action_look(self) -> None:
        """See what the change means."""
        if self._look is not None:
            self._look()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index == self._cancel:
            self.dismiss(None)
            return
        self.dismiss(PlanAnswer(self._choices[event.option_index].value, self.text()))

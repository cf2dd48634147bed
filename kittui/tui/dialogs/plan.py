"""Showing a plan before it is applied: what changes from what to what, what it costs, and a reason if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choice, Choices
from kittui.tui.dialogs.dialog import Dialog, Part, Words


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


class PlanDialog(Dialog[PlanAnswer]):
    """A plan with one or more ways to apply it; answers a PlanAnswer, or None.

    `place` names where it happens and is the first line; `after` are choices below Cancel; `typed` must be typed before
    anything can be chosen (protected tags); `look` is called to see what the change means. The cursor starts on Cancel
    with `danger`: where more would change than the user has just asked for.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o,d", "look", "See the changes", id="dialog.look", tooltip="What the plan changes"),
        Binding(
            "down", "choices", "Choices", id="dialog.choices", tooltip="From the reason to the choices", show=False
        ),
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
        super().__init__(title)
        self._place, self._changes, self._cancel = place, list(changes), len(choices)
        self._choices = [*choices, Choice("", "Cancel"), *after]
        self._notes, self._costs, self._reason = list(notes), costs, reason
        self._typed, self._danger, self._look = typed, danger, look

    @property
    def decides(self) -> bool:
        """A choice other than Cancel is under the cursor."""
        return any(each.has_focus and each.highlighted != self._cancel for each in self.query(OptionList))

    def body(self) -> ComposeResult:
        """Place, changes, notes, what a subclass adds, costs, the reason, the name to type, choices."""
        notes: list[Part] = ["", *self._notes] if self._notes else []
        yield Words([Content.assemble((clean(self._place), "$kit-muted")), "", *self._table(), *notes])
        yield from self.more()
        if self._costs:
            yield Words(["", Content.assemble((clean(self._costs), "$kit-muted"))])
        if self._reason:
            yield Words(["", Content.assemble(("Reason", "$kit-muted"))])
            entry = Input(placeholder="why; kept in the history", id="reason")
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
        return self.HINTS if self._look is None else (("dialog.look", "See the changes"), *self.HINTS)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The key for the changes is live only where there are some."""
        return action != "look" or self._look is not None

    def on_mount(self) -> None:
        """What is asked for is typed first: a name, a reason. The cursor is on the first choice, or on Cancel."""
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
        reason = self.query_one("#reason", Input).value if self._reason else ""
        self.dismiss(PlanAnswer(self._choices[event.option_index].value, reason))

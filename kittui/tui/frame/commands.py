"""Commands: each is one `Binding`, so that keys, footer, help, palette and keymap read the same definition.

To add one, put it into its feature's `COMMANDS`. Import what is heavy inside `run`, so that the program opens fast.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.binding import Binding

from kittui.tui.frame.selection import Selection

if TYPE_CHECKING:
    from kittui.tui.frame.context import Context


Condition = Callable[[Selection], bool]
Reason = str | Callable[[Selection], str]
_REASONS: dict[Condition, Reason] = {}


def needs(reason: Reason) -> Callable[[Condition], Condition]:
    """Give a condition the sentence that a key says where it does not hold, or what finds that sentence."""

    def decorate(condition: Condition) -> Condition:
        _REASONS[condition] = reason
        return condition

    return decorate


def always(_: Selection) -> bool:
    """Enabled wherever the cursor is."""
    return True


@needs("Put the cursor on a tag first.")
def on_tag(selection: Selection) -> bool:
    """Enabled on a tag, and on what is below one."""
    return selection.is_tag


@needs("Put the cursor on a repository first.")
def on_repository(selection: Selection) -> bool:
    """Enabled on a repository, and on what is below one."""
    return selection.repository is not None


def never(_: Selection) -> bool:
    """Holds nowhere."""
    return False


def marks_set(selection: Selection) -> bool:
    """Holds where rows are marked."""
    return bool(selection.marks)


@dataclass(frozen=True, slots=True)
class Command:
    """Something the user can do to the selection.

    `id` is what the keymap names; `keys` as Textual spells them, comma separated; `label` one or two words for the
    footer; `tooltip` a sentence for help and palette. `run` may wait for dialogs: it runs in a worker of its own, and
    a KittuiError from it is shown with its hint. `enabled` must be cheap and pure: it is asked at each cursor move.
    `rank` orders the footer (lower comes first, 0 is not in the footer), `heading` groups the help screen. `alone`
    holds where it leaves marks out that are set, which it then says. `text`: it opens a dialog that asks for one, and
    what is typed before that is open is kept for it.
    """

    id: str
    keys: str
    label: str
    tooltip: str
    run: Callable[[Context], Coroutine[object, object, None]]
    enabled: Callable[[Selection], bool] = always
    rank: int = 0
    heading: str = "ModelKit"
    alone: Condition = never
    text: bool = False

    def refusal(self, selection: Selection) -> str:
        """Why it does nothing for the selection; empty where it does something."""
        if self.enabled(selection):
            return ""
        reason = _REASONS.get(self.enabled, "It does nothing here.")
        return reason if isinstance(reason, str) else reason(selection)

    @property
    def binding(self) -> Binding:
        """The Textual binding of this command."""
        return Binding(self.keys, f"run('{self.id}')", self.label, id=self.id, tooltip=self.tooltip, show=self.rank > 0)

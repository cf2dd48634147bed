"""Commands: each is one `Binding`, so that keys, footer, help, palette and keymap read the same definition.

To add one, put it into its feature's `COMMANDS`. Import what is heavy inside `run`, so that the program opens fast.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.binding import Binding

from kittui.oci.tag import Tag
from kittui.terminal import clean
from kittui.tui.frame.selection import Selection

if TYPE_CHECKING:
    from kittui.tui.frame.context import Context


Condition = Callable[[Selection], bool]
Words = Callable[[Selection], str]
_REASONS: dict[Condition, Words] = {}


def needs(reason: str) -> Callable[[Condition], Condition]:
    """Give a condition the sentence that a key shows if it does not hold."""

    def decorate(condition: Condition) -> Condition:
        _REASONS[condition] = lambda _: reason
        return condition

    return decorate


def every(*conditions: Condition) -> Condition:
    """Combine conditions; the reason is that of the first that does not hold."""

    def holds(selection: Selection) -> bool:
        return all(condition(selection) for condition in conditions)

    _REASONS[holds] = lambda selection: next(filter(None, (reason(one, selection) for one in conditions)), "")
    return holds


def reason(condition: Condition, selection: Selection) -> str:
    """Why a condition does not hold; empty if it does."""
    if condition(selection):
        return ""
    return _REASONS[condition](selection) if condition in _REASONS else "This key does nothing here."


def always(_: Selection) -> bool:
    """Enabled everywhere."""
    return True


@needs("Put the cursor on a tag first.")
def on_tag(selection: Selection) -> bool:
    """Enabled on a tag, and on what is below one."""
    return selection.is_tag


@needs("Put the cursor on a repository first.")
def on_repository(selection: Selection) -> bool:
    """Enabled on a repository, and on what is below one."""
    return selection.repository is not None


@needs("This session is read-only (--read-only, or read_only in config.yaml).")
def changes_allowed(selection: Selection) -> bool:
    """Enabled unless the program is read-only."""
    return not selection.read_only


def writable(selection: Selection) -> bool:
    """Enabled if no source of the selected rows is known to refuse writes."""
    return not any(source.capabilities.write.denied for source in selection.sources)


def writable_here(selection: Selection) -> bool:
    """Enabled if the source under the cursor is not known to refuse writes, whatever is marked."""
    return selection.source is None or not selection.source.capabilities.write.denied


def _refusing(selection: Selection) -> str:
    sources = [source for source in selection.sources if source.capabilities.write.denied]
    return next((f"{source.place} can't be changed: {source.capabilities.write.reason}." for source in sources), "")


_REASONS[writable] = _refusing
_REASONS[writable_here] = lambda selection: _refusing(replace(selection, marks=()))


def never(_: Selection) -> bool:
    """Never holds."""
    return False


def marks_set(selection: Selection) -> bool:
    """Holds if rows are marked."""
    return bool(selection.marks)


def at_cursor(_: Selection) -> str:
    """The target of most commands that ignore marks."""
    return "what is under the cursor"


def at_repository(selection: Selection) -> str:
    """Its repository, by name."""
    return clean(selection.repository.name) if selection.repository is not None else at_cursor(selection)


def at_tag(selection: Selection) -> str:
    """The tag under the cursor, by name; where there is none the repository."""
    return clean(selection.target) if isinstance(selection.target, Tag) else at_repository(selection)


@dataclass(frozen=True, slots=True)
class Command:
    """Something the user can do to the selection.

    `id` is what the keymap names; `keys` as Textual spells them, comma separated; `label` one or two words for the
    footer; `tooltip` a sentence for help and palette. `run` may wait for dialogs: it runs in a worker of its own, and
    a KittuiError from it is shown with its hint. `enabled` must be cheap and pure: it is asked at each cursor move.
    `rank` orders the footer (lower comes first, 0 is not in the footer), `heading` groups the help screen. `alone`
    holds where it leaves marks out that are set, which it then says, with what it is `about` instead. `text`: it
    opens a dialog that asks for one, and what is typed before that is open is kept for it.
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
    about: Words = at_cursor
    text: bool = False

    def refusal(self, selection: Selection) -> str:
        """Why it does nothing for the selection; empty if it does something."""
        return reason(self.enabled, selection)

    @property
    def binding(self) -> Binding:
        """The Textual binding of this command."""
        return Binding(self.keys, f"run('{self.id}')", self.label, id=self.id, tooltip=self.tooltip, show=self.rank > 0)

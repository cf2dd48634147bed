"""What a command is given: the selection, the use cases, and a few ways to talk to the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from textual.screen import ModalScreen, Screen

    from kittui.errors import KittuiError
    from kittui.oci.protocols import Repository
    from kittui.tui.frame.browser import Browser
    from kittui.tui.frame.ports import Ports
    from kittui.tui.frame.program import Program
    from kittui.tui.frame.selection import Mark, Selection

Answer = TypeVar("Answer")
ERRORS: Final = 5
"""Errors of one command that are spelt out."""


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to `Command.run`."""

    program: Program
    browser: Browser
    selection: Selection

    @property
    def ports(self) -> Ports:
        """The use cases and settings the program was started with."""
        return self.program.ports

    async def ask(self, dialog: ModalScreen[Answer], *, since: float | None = None) -> Answer | None:
        """Show a dialog and wait for its answer; None is cancelled. Work in the background says since when it runs."""
        return await self.program.ask(dialog, since=since)

    def show(self, screen: Screen[None]) -> None:
        """Open a full screen over this one; Esc should dismiss it."""
        self.program.push_screen(screen)

    def toast(self, text: str, *, undo: str | None = None, how: str = "undoes it") -> None:
        """Say in a corner what was done; `undo` is the id of the command that takes it back, named with its key."""
        self.program.toast(text, undo=undo, how=how)

    def fail(self, error: KittuiError) -> None:
        """Say what failed and what to do."""
        self.program.fail(error)

    def fail_all(self, errors: Sequence[KittuiError], total: int) -> None:
        """Say which of several rows failed, and why: each by its name, in one message."""
        if len(errors) == 1:
            self.fail(errors[0])
        elif errors:
            said = [f"{error.reference}: {error.message}" if error.reference else error.message for error in errors]
            lines = list(dict.fromkeys(said))
            lines = [*lines[:ERRORS], *([f"and {len(lines) - ERRORS} more"] if len(lines) > ERRORS else ())]
            hints = {error.hint for error in errors if error.hint}
            self.program.fail_lines(f"{len(errors)} of {total} failed", [*lines, *(hints if len(hints) == 1 else ())])

    def changed(self, repository: Repository | None = None) -> None:
        """Tags of the repository (of all, if None) were changed: panes that show them read them again."""
        self.browser.reload(repository)

    def activity(self, key: str, text: str | None) -> None:
        """Put a short text (`⬇ 1 pull 62 %`) into the header under a key of yours, or take it away."""
        self.program.activity(key, text)

    def clear_marks(self, keep: Collection[Mark] = ()) -> None:
        """Forget all marks but a few, after a command has used them."""
        self.browser.clear_marks(keep)

"""The context of a command: the selection, the use cases, and ways to talk to the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from kittui.tui.frame.browser import FollowsTags
from kittui.tui.frame.failures import reasons
from kittui.tui.frame.progress import HowFar

if TYPE_CHECKING:
    from collections.abc import Collection

    from textual.screen import ModalScreen, Screen

    from kittui.errors import KittuiError
    from kittui.oci.protocols import Repository
    from kittui.tui.frame.browser import Browser
    from kittui.tui.frame.failures import Failures
    from kittui.tui.frame.ports import Ports
    from kittui.tui.frame.program import Program
    from kittui.tui.frame.selection import Mark, Selection

Answer = TypeVar("Answer")
ERRORS: Final = 5
"""Maximum reasons that are listed for one command."""


@dataclass(frozen=True, slots=True)
class Context:
    """The argument of `Command.run`."""

    program: Program
    browser: Browser
    selection: Selection
    far: HowFar = field(default_factory=HowFar)

    @property
    def ports(self) -> Ports:
        """The use cases and settings the program was started with."""
        return self.program.ports

    async def ask(self, dialog: ModalScreen[Answer], *, since: float | None = None) -> Answer | None:
        """Show a dialog and wait for its answer; None is cancelled. Work in the background says since when it runs."""
        return await self.program.ask(dialog, since=since)

    def show(self, screen: Screen[None]) -> None:
        """Open a full screen over this one; Esc should close it."""
        self.program.push_screen(screen)

    def toast(self, text: str, *, undo: str | None = None, how: str = "undoes it") -> None:
        """Show a toast with what was done; `undo` is the id of the command that undoes it, shown with its key."""
        self.program.toast(text, undo=undo, how=how)

    def fail(self, error: KittuiError) -> None:
        """Show what failed and what to do."""
        self.program.fail(error)

    def fail_all(self, failed: Failures, total: int) -> None:
        """Report which of several rows failed, and why, in one message: a shared reason is given once."""
        if len(failed) == 1:
            [(reference, error)] = failed
            self.fail(error.at(reference) if reference else error)
        elif failed:
            lines = reasons(failed)
            lines = [*lines[:ERRORS], *([f"and {len(lines) - ERRORS} more"] if len(lines) > ERRORS else ())]
            hints = {error.hint for _, error in failed if error.hint}
            self.program.fail_lines(f"{len(failed)} of {total} failed", [*lines, *(hints if len(hints) == 1 else ())])

    def changed(self, repository: Repository | None = None) -> None:
        """Tags of the repository (of all, if None) were changed: panes that show them read them again."""
        self.browser.reload(repository)
        for screen in self.program.screen_stack:
            if isinstance(screen, FollowsTags):
                screen.tags_changed(repository)

    def progress(self, words: str) -> None:
        """Say how far the command is (`34 of 300 read`): the header shows it where the command takes its time."""
        self.far.words = words

    def activity(self, key: str, text: str | None) -> None:
        """Show a short text (`⬇ 1 pull 62 %`) in the header under your own key, or remove it."""
        self.program.activity(key, text)

    def clear_marks(self, keep: Collection[Mark] = ()) -> None:
        """Forget all marks but a few, after a command has used them: one that was handed none leaves them."""
        if self.selection.marks:
            self.browser.clear_marks(keep)

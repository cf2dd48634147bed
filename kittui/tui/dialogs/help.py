"""Help: every key that is live now, from the same bindings that the keys run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kittui.tui.dialogs.dialog import Dialog
from kittui.tui.widgets.lines import Line, Lines, Page


class HelpDialog(Dialog[None]):
    """Keys by heading; scrolls like any text."""

    DEFAULT_CSS = """
    HelpDialog Box { width: 84; height: 90%; }
    """
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = (("dialog.cancel", "Close"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q", "cancel", "Close", id="help.close", tooltip="Close help")
    ]

    def __init__(self, sections: Mapping[str, Iterable[tuple[str, str, str]]], legend: Iterable[Line] = ()) -> None:
        super().__init__("Help")
        self._sections = {heading: list(rows) for heading, rows in sections.items()}
        self._legend = list(legend)

    def body(self) -> ComposeResult:
        """One scrolling text."""
        yield Lines()

    def on_mount(self) -> None:
        """Keys to the left, what they do to the right."""
        lines: list[Line] = []
        for heading, rows in self._sections.items():
            if not rows:
                continue
            lines += [*([""] if lines else []), ((heading, "text+bold"),)]
            for keys, label, tooltip in rows:
                lines.append(((f"  {keys:<12} ", "accent"), (f"{label:<14} ", "text"), (tooltip, "muted")))
        if self._legend:
            lines += ["", (("Marks", "text+bold"),), *self._legend]
        lines += [
            "",
            (("  Keys can be changed under `keymap` in config.yaml, by the names in docs/keys.md.", "muted"),),
        ]
        self.query_one(Lines).show(Page(lines))
        self.query_one(Lines).focus()

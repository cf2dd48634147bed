"""Help: all keys that work now, from the same bindings that run them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from kittui.tui.dialogs.dialog import Dialog
from kittui.tui.widgets.lines import Line, Lines, Page


class HelpDialog(Dialog[None]):
    """Keys by heading; scrolls like any text, and is filtered as you type."""

    DEFAULT_CSS = """
    HelpDialog Box { width: 84; height: 90%; }
    HelpDialog Input { display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; }
    HelpDialog.-filtering Input { display: block; }
    """
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = (("help.filter", "Filter"), ("dialog.cancel", "Close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="help.filter", tooltip="Show only lines with these words"),
        Binding("question_mark,q", "cancel", "Close", id="help.close", tooltip="Close help"),
    ]

    def __init__(self, sections: Mapping[str, Iterable[tuple[str, str, str]]], legend: Iterable[Line] = ()) -> None:
        super().__init__("Help")
        self._sections = {heading: list(rows) for heading, rows in sections.items()}
        self._legend = list(legend)

    def body(self) -> ComposeResult:
        """The filter, hidden until it is wanted, and one scrolling text."""
        entry = Input(placeholder="filter")
        entry.cursor_blink = False
        yield entry
        yield Lines()

    def on_mount(self) -> None:
        """Show everything."""
        self._show("")
        self.query_one(Lines).focus()

    def _show(self, needle: str) -> None:
        """Keys to the left, what they do to the right; only what holds all words of the filter."""
        words = needle.casefold().split()
        lines: list[Line] = []
        for heading, rows in self._sections.items():
            held = [row for row in rows if all(word in " ".join(row).casefold() for word in words)]
            if not held:
                continue
            lines += [*([""] if lines else []), ((heading, "text+bold"),)]
            for keys, label, tooltip in held:
                lines.append(((f"  {keys:<12} ", "accent"), (f"{label:<14} ", "text"), (tooltip, "muted")))
        if words and not lines:
            lines.append((("No key matches.", "muted"),))
        if not words:
            lines += ["", (("Marks", "text+bold"),), *self._legend] if self._legend else []
            lines += [
                "",
                (("  Keys can be changed under `keymap` in config.yaml, by the names in docs/keys.md.", "muted"),),
            ]
        self.query_one(Lines).show(Page(lines))

    def action_filter(self) -> None:
        """Let the filter be typed."""
        self.add_class("-filtering")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Lines).focus()

    def action_cancel(self) -> None:
        """Drop the filter, or close."""
        if not self.has_class("-filtering"):
            self.dismiss(None)
            return
        self.remove_class("-filtering")
        self.query_one(Input).value = ""
        self.query_one(Lines).focus()

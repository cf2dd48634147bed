"""The messages and requests of this session, to read, copy and save."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kittui.oci.traffic import Request
from kittui.terminal import clean, size_text
from kittui.tui.dialogs.dialog import Dialog
from kittui.tui.dialogs.said import Said
from kittui.tui.widgets.lines import Line, Lines, Page

Wish = Literal["copy", "save"]
_MARKS: Final = {"information": ("·", "muted"), "warning": ("▲", "warn"), "error": ("✗", "bad")}


class MessagesDialog(Dialog[Wish]):
    """Two lists on one page, the newest last."""

    DEFAULT_CSS = """
    MessagesDialog Box { width: 110; height: 90%; }
    """
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("messages.copy", "Copy"), ("messages.save", "Save"), ("dialog.cancel", "Close")
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "wish('copy')", "Copy", id="messages.copy", tooltip="Copy everything"),
        Binding("w", "wish('save')", "Save", id="messages.save", tooltip="Save everything to a file"),
    ]

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__("Messages")
        self._lines = lines

    def body(self) -> ComposeResult:
        """One scrolling text."""
        yield Lines()

    def on_mount(self) -> None:
        """Its end is what is new."""
        lines = self.query_one(Lines)
        lines.show(Page(self._lines))
        lines.focus()
        lines.call_after_refresh(lines.action_edge, 1)

    def action_wish(self, wish: Wish) -> None:
        """Close, and have it copied or saved."""
        self.dismiss(wish)


def message_lines(said: Sequence[Said], requests: Sequence[Request]) -> list[Line]:
    """Requests, then messages: the newest of these is what people look for."""
    received = sum(request.size or 0 for request in requests)
    lines: list[Line] = [((f"Requests: the last {len(requests):,}, {size_text(received) or '0 B'}", "text+bold"),)]
    for request in requests:
        status = str(request.status) if request.status else "no answer"
        size = size_text(request.size) if request.size is not None else ""
        lines.append(
            (
                (f"{datetime.fromtimestamp(request.at, UTC).astimezone():%H:%M:%S} ", "faint"),
                (f"{request.method:<6} ", "accent"),
                (f"{status:<9} ", "text" if 0 < request.status < 400 else "warn"),
                (f"{size:>8} {request.seconds * 1000:>6.0f} ms  ", "muted"),
                (clean(request.address, limit=300), "text"),
            )
        )
    lines += ["", (("Messages", "text+bold"),)]
    for one in said:
        mark, role = _MARKS.get(one.severity, _MARKS["information"])
        head = f"{one.title}: " if one.title else ""
        first, *more = f"{head}{one.text}".split("\n")
        place = f"  ({one.place})" if one.place else ""
        lines.append(((f"{one.at:%H:%M:%S} ", "faint"), (f"{mark} ", role), (first, "text"), (place, "faint")))
        lines += [((f"{' ' * 11}{line}", "muted"),) for line in more]
    if not said:
        lines.append((("No messages yet.", "muted"),))
    return lines

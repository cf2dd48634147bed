"""Logging in to a registry. The password is handed on, never kept or shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.dialogs.dialog import Dialog, Words


class LoginDialog(Dialog[str]):
    """User and password for a host; stays open with the reason while the registry refuses. Answers a sentence."""

    HINTS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Enter", "Log in"),
        ("Tab", "Next field"),
        ("dialog.cancel", "Cancel"),
    )

    def __init__(self, host: str, login: Callable[[str, str, str], Awaitable[str]]) -> None:
        super().__init__(f"Log in to {clean(host)}")
        self._host, self._login = host, login

    def body(self) -> ComposeResult:
        """Two fields and a line for what happens."""
        yield Words(
            [
                Content.assemble(("Saved where kit saves it, or in your credential helper.", "$kit-muted")),
                "",
                "User name",
            ]
        )
        yield self._field("user")
        yield Words(["Password or token"])
        yield self._field("password", password=True)
        yield Words([""])

    def _field(self, name: str, *, password: bool = False) -> Input:
        field = Input(id=name, password=password)
        field.cursor_blink = False
        return field

    def on_mount(self) -> None:
        """Start with the name."""
        self.query_one("#user", Input).focus()

    @on(Input.Submitted, "#user")
    def _named(self) -> None:
        self.query_one("#password", Input).focus()

    @on(Input.Submitted, "#password")
    def _submitted(self) -> None:
        self._try(self.query_one("#user", Input).value, self.query_one("#password", Input).value)

    @work(exclusive=True, group="login", description="try")
    async def _try(self, user: str, password: str) -> None:
        says = self.query(Words).last()
        says.show([Content.assemble((f"Trying {clean(self._host)} …", "$kit-muted"))])
        try:
            sentence = await self._login(self._host, user, password)
        except KittuiError as error:
            parts = [Content.assemble((f"✗ {clean(error.message)}", "$kit-bad"))]
            if error.hint:
                parts.append(Content.assemble((clean(error.hint), "$kit-muted")))
            says.show(parts)
            self.query_one("#password", Input).focus()
            return
        self.dismiss(sentence)

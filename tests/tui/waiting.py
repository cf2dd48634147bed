"""Waiting for what a test is about, instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.tui.app import KittuiApp
from kittui.tui.frame.keyboard import Keyboard
from kittui.tui.screens.browse import BrowseScreen

if TYPE_CHECKING:
    # The programs that tests run in a terminal import this module, and start in half the time without it.
    import pytest

SMALL, MIDDLE, LARGE = (80, 24), (100, 30), (160, 45)
EARLY = "You pressed Enter before you could read this. Press it again to confirm."
_UNSEEN = Keyboard.unseen


def read_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Enter count only where its dialog was seen, as in a terminal."""
    monkeypatch.setattr(Keyboard, "unseen", _UNSEEN)


def burst(pilot: Pilot[Any], keys: Iterable[str]) -> None:
    """Type everything at once, as a slow line delivers it."""
    for key in keys:
        character = key if len(key) == 1 else {"space": " ", "slash": "/"}.get(key)
        pilot.app.post_message(Key(key, character))


async def seen(pilot: Pilot[Any]) -> None:
    """Wait until what is open has been there long enough to be read."""
    await until(pilot, lambda: not browse(pilot).program.keyboard.unseen(time.monotonic()))


def browse(pilot: Pilot[Any]) -> BrowseScreen:
    """The browse screen."""
    app = pilot.app
    assert isinstance(app, KittuiApp)
    return app.browser


async def until(pilot: Pilot[Any], condition: Callable[[], Any], seconds: float = 30) -> None:
    """Let the program run until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never came true: {condition}"
        await pilot.pause(0.01)
    await pilot.pause()


async def listed(pilot: Pilot[Any]) -> None:
    """Wait until the first place's repositories are there."""
    await until(
        pilot, lambda: len(browse(pilot).repositories_pane.body.rows) > len(browse(pilot).repositories_pane.places)
    )


async def quiet(pilot: Pilot[Any]) -> None:
    """Wait until nothing is being read and no timer of a resting cursor runs."""

    def still() -> bool:
        screen = browse(pilot)
        panes = (screen.repositories_pane, screen.tags_pane, screen.layers_pane, screen.details_pane)
        busy = any(not each.is_finished for each in pilot.app.workers if each.group not in ("command", "leave"))
        return not busy and not any(pane.resting for pane in panes) and all(p.state.kind != "loading" for p in panes)

    await until(pilot, still)


async def to_tags(pilot: Pilot[Any]) -> None:
    """Walk into the tags of the first repository."""
    await listed(pilot)
    await pilot.press("j", "enter")
    await until(pilot, lambda: browse(pilot).at == "tags" and browse(pilot).tags_pane.current is not None)
    await quiet(pilot)


async def to_registry(pilot: Pilot[Any]) -> None:
    """Walk into the tags of the registry's first repository."""
    await listed(pilot)
    await pilot.press("j", "j", "j", "enter")
    await until(pilot, lambda: len(browse(pilot).repositories_pane.body.rows) > 5)
    await pilot.press("j", "j", "enter")
    await until(pilot, lambda: browse(pilot).at == "tags" and browse(pilot).tags_pane.current is not None)
    await quiet(pilot)


async def fill_in(pilot: Pilot[Any], text: str) -> None:
    """Type a text into an empty input; paste a long one, because after each key the pilot waits for the screen."""
    if len(text) < 30:
        await pilot.press(*text)
        return
    pilot.app.post_message(Paste(text))
    await until(pilot, lambda: pilot.app.screen.query_one(Input).value == text)


def footer(pilot: Pilot[Any]) -> str:
    """The last line of the screen: the keys that are offered."""
    return text_of(pilot).splitlines()[-1]


async def resize(pilot: Pilot[Any], size: tuple[int, int]) -> None:
    """Give the terminal another size, and wait until the screen is drawn in it."""
    await pilot.resize_terminal(*size)
    await until(pilot, lambda: pilot.app.screen._compositor.size == size)


def text_of(pilot: Pilot[Any]) -> str:
    """Everything on the screen as plain lines."""
    screen = pilot.app.screen
    width, height = pilot.app.size
    lines = screen._compositor.render_strips()
    assert len(lines) <= height
    assert width
    return "\n".join(strip.text for strip in lines)

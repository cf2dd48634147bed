"""Help: every key in it does something or says why not, and nothing of the toolkit's own is in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from kittui.state.history import Event
from kittui.tui.board.grid import Grid
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.change.transfers_screen import TransfersScreen
from kittui.tui.frame.help import sections
from kittui.tui.upkeep.doctor_screen import DoctorScreen
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows
from kittui.usecases.doctor import Check
from tests.change.kits import CODE, Kits, on, ready, tar
from tests.tui.waiting import LARGE, browse, quiet, text_of, until

LEAVES = {"quit", "interrupt", "suspend", "repaint", "list.reload", "history.reload", "timeline.reload"}
"""What ends the program, gives the terminal away, or shows again what is there."""


def keys_of(pilot: Pilot[Any]) -> dict[str, str]:
    """Every live key that help lists, with the id of what it does."""
    return {
        key: active.binding.id or active.binding.action
        for key, active in pilot.app.screen.active_bindings.items()
        if active.enabled and active.binding.description and not active.binding.system
    }


def state(pilot: Pilot[Any]) -> tuple[Any, ...]:
    """What a user could notice, and what is asked of the registry."""
    app: Any = pilot.app
    focus = app.focused
    scroll = focus.scroll_offset if focus is not None else None
    cursor = getattr(focus, "cursor", None)
    asked = sum(len(getattr(row.source, "requests", ())) for row in browse(pilot).repositories_pane.places)
    return (
        asked,
        text_of(pilot),
        len(app._said),
        app.clipboard,
        type(app.screen),
        id(focus),
        scroll,
        cursor,
        app._exit,
    )


async def pressed(pilot: Pilot[Any], key: str) -> bool:
    """Whether a key was followed by something that can be noticed."""
    before = state(pilot)
    await pilot.press(key)
    for _ in range(40):
        if state(pilot) != before:
            return True
        await pilot.pause(0.01)
    return False


async def back(pilot: Pilot[Any], base: object) -> bool:
    """Return to the screen that is looked at; False where a key has closed it."""
    app: Any = pilot.app
    app.keyboard.stop()
    if base not in app.screen_stack:
        return False
    while app.screen is not base:
        above = app.screen
        above.dismiss(None) if isinstance(above, ModalScreen) else app.pop_screen()
        await until(pilot, lambda above=above: app.screen is not above)  # type: ignore[misc]
    return True


async def in_the_middle(pilot: Pilot[Any]) -> None:
    """Put the cursor where it can go both ways."""
    await until(pilot, lambda: pilot.app.focused is not None)
    focus = pilot.app.focused
    if isinstance(focus, Rows):
        focus.move_to(0)
        focus.move_to(len(focus.rows) // 2)
    elif isinstance(focus, Lines):
        focus.scroll_to(y=focus.virtual_size.height // 3, animate=False, immediate=True, force=True)
    elif isinstance(focus, Grid):
        focus.action_edge(0)
        focus.action_down(1)
        for step in (-1, -1, -1, 1):
            focus.action_across(step)
    await pilot.pause(0.01)


async def every_key(pilot: Pilot[Any], settle: Callable[[], Awaitable[object]]) -> list[str]:
    """The keys of help that did nothing and said nothing."""
    silent = []
    await settle()
    for key, name in keys_of(pilot).items():
        alone = isinstance(pilot.app.focused, Rows) and len(pilot.app.focused.rows) == 1
        if name not in LEAVES and not (alone and name.startswith("move.")):
            await settle()
            if not await pressed(pilot, key):
                silent.append(f"{key} ({name})")
    return silent


@pytest.mark.parametrize("pane", ["repositories", "tags", "layers", "details"])
async def test_every_key_of_the_panes_does_something_or_says_why_not(tmp_path: Path, pane: Any) -> None:
    kits = Kits(tmp_path)
    for number in range(40):
        kits.fraud.add_kit(f"more {number}", f"v2.{number}.0")
        kits.registry.repository(f"other-{number}").add_kit("x", "v1")
    layers = [(CODE, tar(**{f"file{number}": b"x"})) for number in range(40)]
    code = [{"path": f"src/{number}", "description": "a part"} for number in range(40)]
    kits.fraud.add_kit("long", "tuned", layers=layers, code=code)
    async with kits.app().run_test(notifications=True, size=(160, 30)) as pilot:
        await ready(pilot, "tuned")
        screen = browse(pilot)

        async def settle() -> None:
            assert await back(pilot, screen)
            screen.remove_class("-zoomed")
            for each in (screen.tags_pane, screen.repositories_pane, screen.layers_pane):
                each.close_filter()
            if pane in ("layers", "details"):
                screen.go("tags")
                await ready(pilot, "tuned")
            screen.go(pane)
            await until(pilot, lambda: screen.at == pane and screen.pane.has_focus_within)
            await in_the_middle(pilot)

        await settle()
        await quiet(pilot)
        silent = await every_key(pilot, settle)
        assert silent == [], silent


SCREENS = [
    ("b", BoardScreen),
    ("H", HistoryScreen),
    ("T", TransfersScreen),
    ("C", DoctorScreen),
]


@pytest.mark.parametrize(("key", "kind"), SCREENS, ids=[kind.__name__ for _, kind in SCREENS])
async def test_every_key_of_a_screen_does_something_or_says_why_not(tmp_path: Path, key: str, kind: type) -> None:
    kits = Kits(tmp_path)
    for number in range(20):
        kits.registry.repository(f"other-{number}").add_kit("x", "champion", "challenger", "rollback")
        kits.world.checks.append((f"Part {number}", Check("blobs", "good", "every blob was hashed")))
        event = Event(
            f"e{number}", "2026-11-20T10:00:00Z", "ada", "tag", kits.fraud.reference(), "champion", None, None, ""
        )
        kits.ledger.history.append(event)
    async with kits.app().run_test(notifications=True, size=(160, 30)) as pilot:

        async def settle() -> None:
            if not isinstance(pilot.app.screen_stack[-1], kind) and any(
                isinstance(each, kind) for each in pilot.app.screen_stack
            ):
                await back(pilot, next(each for each in pilot.app.screen_stack if isinstance(each, kind)))
            if not isinstance(pilot.app.screen, kind):
                assert await back(pilot, browse(pilot))
                browse(pilot).open(kits.registry.place, "fraud", None)
                await until(pilot, lambda: browse(pilot).at == "tags")
                await ready(pilot, "v1.1.0")
                await pilot.press(key)
                await until(pilot, on(pilot, kind))
                await quiet(pilot)
            await in_the_middle(pilot)

        await ready(pilot)
        silent = await every_key(pilot, settle)
        assert silent == [], silent


@pytest.mark.parametrize(("key", "kind"), [("1", None), *SCREENS])
async def test_help_has_nothing_of_the_toolkit_s_own(tmp_path: Path, key: str, kind: type | None) -> None:
    kits = Kits(tmp_path)
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press(key)
        await until(pilot, on(pilot, kind) if kind else lambda: browse(pilot).at == "repositories")
        listed = sections(pilot.app.screen, {}, lambda _: "")
        labels = {label for rows in listed.values() for _, label, _ in rows}
        assert not labels & {"Page Left", "Page Right", "Scroll Left", "Scroll Right", "Scroll Up", "Scroll Down"}
        assert [label for rows in listed.values() for _, label, tip in rows if not tip] == []


async def test_the_board_explains_its_own_marks(tmp_path: Path) -> None:
    async with Kits(tmp_path).app().run_test(notifications=True, size=(160, 60)) as pilot:
        await ready(pilot)
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        await pilot.press("question_mark", "G")
        await until(pilot, lambda: "∅ unsigned" in text_of(pilot))
        assert "the next move waits for this gate" in text_of(pilot)
        assert "local store" not in text_of(pilot)

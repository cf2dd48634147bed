"""Lists over the whole screen: how old they are, what could not be read since, the filter, and the pages of keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.errors import Unreachable
from kittui.oci.reference import LOCAL
from kittui.state.history import Event
from kittui.store import LocalSource
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.compare.over_versions import TimelineScreen
from kittui.tui.compare.pick_dialog import PickDialog
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.upkeep.doctor_screen import DoctorScreen
from kittui.tui.upkeep.find_screen import FindScreen
from kittui.tui.upkeep.usage_screen import UsageScreen
from kittui.tui.widgets.lines import Page
from kittui.usecases.doctor import Check
from tests.change.kits import Kits, on, ready, said
from tests.tui.waiting import LARGE, SMALL, browse, fill_in, listed, text_of, to_registry, until
from tests.tui.world import acme

WIDTHS = pytest.mark.parametrize("size", [SMALL, (120, 35), LARGE], ids=["80", "120", "160"])


async def to_history(pilot: Pilot[Any]) -> None:
    await pilot.press("H")
    await until(pilot, on(pilot, HistoryScreen))


async def to_board(pilot: Pilot[Any]) -> None:
    await pilot.press("b")
    await until(pilot, on(pilot, BoardScreen))


async def to_doctor(pilot: Pilot[Any]) -> None:
    await pilot.press("C")
    await until(pilot, on(pilot, DoctorScreen))


async def to_find(pilot: Pilot[Any]) -> None:
    await pilot.press("F")
    await until(pilot, on(pilot, InputDialog))
    await fill_in(pilot, "name=*")
    await pilot.press("enter")
    await until(pilot, on(pilot, ChoiceDialog))
    await pilot.press("j", "enter")
    await until(pilot, on(pilot, FindScreen))


async def to_usage(pilot: Pilot[Any]) -> None:
    await pilot.press("D")
    await until(pilot, on(pilot, UsageScreen))


async def to_timeline(pilot: Pilot[Any]) -> None:
    await pilot.press("i")
    await until(pilot, on(pilot, PickDialog))
    await pilot.press(*"package.name", "enter")
    await until(pilot, on(pilot, TimelineScreen))


Open = Callable[[Pilot[Any]], Awaitable[None]]
OPENS = [to_history, to_board, to_doctor, to_find, to_timeline, to_usage]
LISTS = pytest.mark.parametrize("opens", OPENS, ids=[each.__name__.removeprefix("to_") for each in OPENS])


@pytest.fixture
def kits(tmp_path: Path, kithome: Path) -> Kits:
    kits = Kits(tmp_path)
    for number in range(30):
        kits.fraud.add_kit(f"kit {number}", f"v2.{number}.0")
        kits.world.checks.append((f"Part {number}", Check("blobs", "good", "every blob was hashed")))
        who, reason = ("ada", "nightly retraining") if number % 2 else ("bob", "hotfix")
        at = f"2026-11-{number % 28 + 1:02d}T10:00:00Z"
        kits.ledger.history.append(
            Event(f"e{number}", at, who, "tag", kits.fraud.reference(), "champion", None, None, f"{reason} {number}")
        )
    kits.world.sources[LOCAL] = LocalSource(kithome, recheck=0)  # type: ignore[assignment]
    return kits


async def opened(pilot: Pilot[Any], kits: Kits, opens: Open) -> Any:
    """The screen with its list read."""
    if opens is to_usage:
        await listed(pilot)
    else:
        await ready(pilot)
    await opens(pilot)
    await until(pilot, lambda: "as of 12:00" in text_of(pilot))
    return pilot.app.screen


def app_of(kits: Kits, opens: Open) -> Any:
    """The program; disk usage is of what is on this machine."""
    return kits.world.app() if opens is to_usage else kits.app()


@LISTS
@WIDTHS
async def test_every_list_says_when_it_was_read(kits: Kits, opens: Open, size: tuple[int, int]) -> None:
    async with app_of(kits, opens).run_test(notifications=True, size=size) as pilot:
        await opened(pilot, kits, opens)
        assert "as of 12:00" in text_of(pilot).splitlines()[0]


@pytest.mark.parametrize("opens", [to_history, to_board, to_timeline, to_usage])
async def test_what_could_not_be_read_since_stays_marked_and_what_was_there_stays(
    kits: Kits, opens: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise Unreachable("it refused the connection")

    async with app_of(kits, opens).run_test(notifications=True, size=SMALL) as pilot:
        screen = await opened(pilot, kits, opens)
        rows = screen.grid if opens is to_board else screen._rows
        before = len(rows.rows)
        assert before
        kits.registry.hooks.append(gone)
        monkeypatch.setattr("kittui.tui.upkeep.usage_screen.usage_of", gone)
        await pilot.press("r")
        await until(pilot, lambda: " since 12:00" in text_of(pilot).splitlines()[0])
        await until(pilot, lambda: len(rows.rows) == before)
        assert "✗" in text_of(pilot).splitlines()[0]
        kits.registry.hooks.clear()
        monkeypatch.undo()
        await pilot.press("r")
        await until(pilot, lambda: "since" not in text_of(pilot).splitlines()[0])
        assert len(rows.rows) == before


@WIDTHS
async def test_the_panes_keep_when_they_were_read(size: tuple[int, int]) -> None:
    async with acme().app().run_test(size=size) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        for pane in (screen.tags_pane, screen.repositories_pane):
            if pane.size.width:
                title = pane.title_bar.render()
                assert "as of 12:00" in title.plain
                assert title.cell_length == pane.size.width


@pytest.mark.parametrize(
    ("typed", "left"),
    [("ada", 15), ("bob 2", 15), ("nightly !ada", 0), ("/fix 1?8\\b/", 2), ("~htfx", 15), ("2026-11-03", 1)],
)
async def test_the_history_is_filtered_as_every_list_is(kits: Kits, typed: str, left: int) -> None:
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        screen = await opened(pilot, kits, to_history)
        every = len(screen._rows.rows)
        await pilot.press("j", "j", "j", "slash", *typed, "enter")
        assert len(screen._rows.rows) == left
        assert f"{left} of {every}" in text_of(pilot)
        assert screen._rows.cursor == 0
        assert (screen._rows.current is not None) == bool(left)
        await pilot.press("escape")
        assert len(screen._rows.rows) == every
        assert pilot.app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


@LISTS
async def test_a_filter_says_what_is_wrong_with_it_and_escape_while_typing_drops_it(kits: Kits, opens: Open) -> None:
    async with app_of(kits, opens).run_test(notifications=True, size=LARGE) as pilot:
        screen = await opened(pilot, kits, opens)
        rows = screen.grid if opens is to_board else screen._rows
        every = len(rows.rows)
        await pilot.press("slash", *"/(/")
        await until(pilot, lambda: "✗ not a regular expression" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: len(rows.rows) == every)
        assert pilot.app.screen is screen
        assert rows.has_focus


@LISTS
async def test_enter_puts_the_cursor_on_the_first_match(kits: Kits, opens: Open) -> None:
    async with app_of(kits, opens).run_test(notifications=True, size=LARGE) as pilot:
        screen = await opened(pilot, kits, opens)
        rows = screen.grid if opens is to_board else screen._rows
        every = list(rows.rows)
        await pilot.press("G", "slash", "exclamation_mark", "x", "y", "z", "enter")
        assert list(rows.rows) == every
        at = rows.row if opens is to_board else rows.current
        assert at is next(row for row in every if getattr(row, "repository", row) is not None)


@pytest.mark.parametrize("opens", [to_history, to_board, to_doctor, to_find, to_timeline])
async def test_half_and_whole_pages_are_the_same_keys_on_every_list(kits: Kits, opens: Open) -> None:
    for number in range(40):
        kits.registry.repository(f"more-{number}").add_kit("x", "champion")
    async with app_of(kits, opens).run_test(notifications=True, size=SMALL) as pilot:
        screen = await opened(pilot, kits, opens)
        rows = screen.grid if opens is to_board else screen._rows

        def where() -> int:
            return int(rows._number if opens is to_board else rows.cursor)

        await pilot.press("g")
        steps = []
        for key in ("ctrl+d", "ctrl+f", "ctrl+b", "ctrl+u"):
            before = where()
            await pilot.press(key)
            steps.append(where() - before)
        half, page, back, half_back = steps
        assert 0 < half < page
        assert (back, half_back) == (-page, -half)


async def test_drawings_leave_nine_tenths_of_the_time_to_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Kits(tmp_path).app().run_test(size=SMALL) as pilot:
        await ready(pilot)
        await to_history(pilot)
        screen: Any = pilot.app.screen
        now, drawn = [100.0], []

        def draw() -> None:
            drawn.append(now[0])
            now[0] += 0.5

        monkeypatch.setattr("kittui.tui.panes.spacing.monotonic", lambda: now[0])
        for _ in range(120):
            screen.spaced(draw)
            now[0] += 0.1
        assert [round(each) for each in drawn] == [100, 105, 110]


async def test_a_list_says_that_no_more_columns_are_that_way(kits: Kits) -> None:
    async with app_of(kits, to_usage).run_test(size=SMALL, notifications=True) as pilot:
        await opened(pilot, kits, to_usage)
        await pilot.press("left")
        await until(pilot, lambda: "there are no hidden columns on the left" in said(pilot))


@LISTS
async def test_the_text_below_every_list_is_reached_by_key(kits: Kits, opens: Open) -> None:
    async with app_of(kits, opens).run_test(notifications=True, size=SMALL) as pilot:
        screen = await opened(pilot, kits, opens)
        screen._lines.show(Page([f"line {number}" for number in range(40)]))
        await until(pilot, lambda: ": J─" in text_of(pilot))
        for _ in range(40):
            await pilot.press("J")
        await until(pilot, lambda: "line 39" in text_of(pilot) and ": J─" not in text_of(pilot))
        for _ in range(40):
            await pilot.press("K")
        await until(pilot, lambda: "line 0" in text_of(pilot) and ": K─" not in text_of(pilot))

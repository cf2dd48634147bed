"""Keys take effect in the order they were typed, though they arrive in one burst."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from kittui.errors import NotFound
from kittui.oci.reference import LOCAL, Place
from kittui.oci.traffic import Traffic, count, record
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.help import HelpDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.progress import HowFar
from kittui.tui.frame.running import Running
from kittui.tui.panes.filtering import FilterInput
from tests.change.kits import said
from tests.tui.waiting import EARLY, browse, burst, quiet, read_first, seen, text_of, until
from tests.tui.world import World, WorldSource, kitfile

START = "registry.test/fraud:alpha"


def world() -> tuple[World, WorldSource]:
    source = WorldSource(Place("remote", host="registry.test"))
    for tag in ("alpha", "beta", "gamma", "validating", "delta"):
        source.repository("fraud").add(kitfile(tag), [("model", 10, "none")], tag)
    return World(WorldSource(LOCAL), source), source


async def at_tags(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "alpha")
    await quiet(pilot)
    browse(pilot).go("tags")
    await quiet(pilot)


async def test_a_mark_is_set_on_the_row_that_was_under_the_cursor() -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        rows = browse(pilot).tags_pane.body.rows
        first = browse(pilot).tags_pane.body.cursor
        burst(pilot, ["space", "j", "space"])
        await until(pilot, lambda: len(browse(pilot).marks) == 2)
        assert [mark.target for mark in browse(pilot).marks] == [rows[first].target, rows[first + 2].target]


async def test_a_filter_gets_the_letters_that_follow_its_key() -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        order = browse(pilot).tags_pane.order
        burst(pilot, ["slash", *"val", "enter"])
        await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "validating")
        assert browse(pilot).tags_pane.order == order
        assert not pilot.app.screen.query_one(FilterInput).has_class("open")


@pytest.mark.parametrize(
    ("key", "dialog"), [("o", InputDialog), ("t", InputDialog), ("y", ChoiceDialog), ("question_mark", HelpDialog)]
)
async def test_what_follows_a_key_goes_into_what_it_opens(key: str, dialog: type) -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        burst(pilot, [key, *"xx"])
        await until(pilot, lambda: isinstance(pilot.app.screen, dialog))
        await quiet(pilot)
        if dialog is InputDialog:
            await until(pilot, lambda: pilot.app.screen.query_one(Input).value.endswith("xx"))
        assert browse(pilot).marks == ()
        assert isinstance(pilot.app.screen, dialog)


async def test_a_slow_command_is_said_and_escape_stops_it() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        source.slow = asyncio.Event()
        burst(pilot, ["t"])
        await until(pilot, lambda: any("Retag" in text for text in browse(pilot).program.activities))
        burst(pilot, ["escape"])
        await until(pilot, lambda: not list(browse(pilot).program.activities))
        source.slow.set()
        await quiet(pilot)
        assert not isinstance(pilot.app.screen, InputDialog)


async def test_a_dialog_that_took_long_waits_in_the_header() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        await waiting(pilot, source)
        assert not isinstance(pilot.app.screen, InputDialog)
        burst(pilot, ["exclamation_mark"])
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))


async def waiting(pilot: Pilot[Any], source: WorldSource) -> None:
    """Let a retag take long, do something else meanwhile, and have its dialog wait."""
    source.slow = asyncio.Event()
    burst(pilot, ["t"])
    await until(pilot, lambda: any("Retag" in text for text in browse(pilot).program.activities))
    await until(pilot, lambda: not browse(pilot).program.keyboard.waits)
    before = browse(pilot).tags_pane.body.cursor
    burst(pilot, ["j"])
    await until(pilot, lambda: browse(pilot).tags_pane.body.cursor == before + 1)
    source.slow.set()
    await until(pilot, lambda: any("dialog is ready" in text for text in browse(pilot).program.activities))


async def preparing(pilot: Pilot[Any], source: WorldSource, early: str = "") -> asyncio.Event:
    """Let a retag prepare its dialog for longer than keys wait."""
    may = source.slow = asyncio.Event()
    burst(pilot, ["t", *early])
    await until(pilot, lambda: any("Retag" in text for text in browse(pilot).program.activities))
    await until(pilot, lambda: not browse(pilot).program.keyboard.waits)
    return may


@pytest.mark.parametrize(("early", "late"), [("", "just bx"), ("just bx", ""), ("ju", "st bx")], ids=str)
async def test_a_text_typed_while_its_dialog_is_prepared_is_kept_for_it(early: str, late: str) -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        may = await preparing(pilot, source, early)
        burst(pilot, late)
        await until(pilot, lambda: browse(pilot).program.keyboard._text)
        await until(pilot, lambda: any("wait for its dialog" in text for text in browse(pilot).program.activities))
        may.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await until(pilot, lambda: pilot.app.screen.query_one(Input).value == "just bx")
        assert browse(pilot).marks == ()


async def test_where_letters_go_is_said_before_one_is_typed() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        may = await preparing(pilot, source)
        assert any("keys wait for its dialog; Esc discards them" in text for text in browse(pilot).program.activities)
        may.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))


async def test_how_much_was_asked_has_room_on_80_columns_while_keys_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    made, source = world()
    async with made.app(START).run_test(size=(80, 24)) as pilot:
        await at_tags(pilot)
        ask = source.ask

        async def counted(what: str, about: str) -> None:
            count(requests=129, received=1_800_000)
            record("GET", "http://registry.acme.dev/v2/", 200, "3", 0.1)
            await ask(what, about)

        monkeypatch.setattr(source, "ask", counted)
        may = await preparing(pilot, source)
        words = "Retag … 129 requests; keys wait for its dialog; Esc discards them"
        await until(pilot, lambda: words in text_of(pilot).splitlines()[0])
        may.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))


def test_how_far_a_command_is_has_room_on_80_columns_while_keys_wait() -> None:
    said: dict[str, str | None] = {}
    keyboard: Any = SimpleNamespace(works=lambda _: True, prepares=lambda _: True)
    running = Running(App(), keyboard, said.__setitem__, lambda _: None)
    running._say_working(None, "Remove", Traffic(), HowFar("129 of 309 tags looked at"))
    assert list(said.values()) == ["Remove: 129 of 309 tags looked at; keys wait; Esc discards them"]


async def test_escape_drops_the_text_with_its_dialog() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        may = await preparing(pilot, source)
        burst(pilot, "bx")
        await until(pilot, lambda: browse(pilot).program.keyboard._text)
        burst(pilot, ["escape"])
        await until(pilot, lambda: not list(browse(pilot).program.activities))
        may.set()
        burst(pilot, ["y"])
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))


async def test_a_text_for_a_dialog_that_does_not_open_is_dropped_and_said() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40), notifications=True) as pilot:
        await at_tags(pilot)
        may = await preparing(pilot, source)
        burst(pilot, "bx")
        await until(pilot, lambda: browse(pilot).program.keyboard._text)
        source.failing["tags"] = NotFound("gone")
        may.set()
        await until(pilot, lambda: "The text typed for the dialog was discarded." in text_of(pilot))
        assert pilot.app.screen is browse(pilot)


async def test_over_another_screen_keys_are_for_that() -> None:
    """A user who turned to something else meanwhile uses it; the dialog waits in the header."""
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        may = await preparing(pilot, source)
        browse(pilot).action_run("copy")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        burst(pilot, ["q"])
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        may.set()
        await until(pilot, lambda: any("dialog is ready" in text for text in browse(pilot).program.activities))
        assert not any("Retag" in text for text in browse(pilot).program.activities)


async def test_what_waits_for_the_user_is_not_said_to_work_while_another_command_does() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        await waiting(pilot, source)
        source.slow = asyncio.Event()
        browse(pilot).action_run("retag")
        await until(pilot, lambda: any("Retag" in text for text in browse(pilot).program.activities))
        first, second = browse(pilot).program.activities
        assert first == "Retag … keys wait for its dialog; Esc discards them"
        assert "dialog is ready" in second
        burst(pilot, ["escape", "escape"])
        await until(pilot, lambda: not list(browse(pilot).program.activities))


async def test_escape_closes_what_is_open_and_then_drops_the_dialog_that_waits() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40), notifications=True) as pilot:
        await at_tags(pilot)
        await waiting(pilot, source)
        burst(pilot, ["y"])
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        burst(pilot, ["escape"])
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert any("dialog is ready" in text for text in browse(pilot).program.activities)
        burst(pilot, ["escape"])
        await until(pilot, lambda: not list(browse(pilot).program.activities))
        await until(pilot, lambda: "Discarded; it changed nothing" in text_of(pilot))
        assert browse(pilot).at == "tags"
        burst(pilot, ["exclamation_mark"])
        await until(pilot, lambda: "No dialog is waiting." in text_of(pilot))
        assert pilot.app.screen is browse(pilot)


async def test_escape_stops_the_command_that_works_though_another_was_run_since() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        source.slow = asyncio.Event()
        burst(pilot, ["t"])
        await until(pilot, lambda: any("Retag" in text for text in browse(pilot).program.activities))
        await until(pilot, lambda: not browse(pilot).program.keyboard.waits)
        browse(pilot).action_run("group")
        await until(pilot, lambda: not browse(pilot).program.keyboard.waits)
        assert any("Retag" in text for text in browse(pilot).program.activities)
        burst(pilot, ["escape"])
        await until(pilot, lambda: not list(browse(pilot).program.activities))
        source.slow.set()
        await quiet(pilot)
        assert pilot.app.screen is browse(pilot)


@pytest.mark.parametrize("where", ["rows", "text", "choices"])
async def test_half_and_whole_pages(where: str) -> None:
    source = WorldSource(Place("remote", host="registry.test"))
    for number in range(60):
        source.repository("fraud").add(kitfile("k" * number), [("model", 10, "none")], f"tag-{number:02}")
    made = World(WorldSource(LOCAL), source)
    async with made.app("registry.test/fraud:tag-00").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "tag-00")
        await quiet(pilot)
        browse(pilot).go("tags")
        await quiet(pilot)
        if where == "rows":
            rows = browse(pilot).tags_pane.body

            def at() -> int:
                return rows.cursor
        else:
            await pilot.press("question_mark" if where == "text" else "d")
            await until(pilot, lambda: len(pilot.app.screen_stack) > 1)
            widget: Any = pilot.app.focused if where == "text" else pilot.app.screen.query_one(OptionList)

            def at() -> int:
                return int(widget.scroll_offset.y if where == "text" else widget.highlighted)

        places = [at()]
        for key in ("ctrl+d", "ctrl+d", "ctrl+f", "ctrl+b", "ctrl+u", "ctrl+u"):
            await pilot.press(key)
            await quiet(pilot)
            places.append(at())
        assert places[0] < places[1] < places[2] < places[3]
        assert places[3] > places[4] > places[5] >= places[6]
        assert places[1] - places[0] <= places[3] - places[2]


async def test_a_key_that_cannot_act_says_why() -> None:
    made, _ = world()
    async with made.app("registry.test").run_test(size=(120, 40), notifications=True) as pilot:
        await quiet(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "Put the cursor on a tag, or mark some." in text_of(pilot))
        assert not isinstance(pilot.app.screen, InputDialog)


async def test_everything_shown_is_marked_at_once() -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        burst(pilot, ["slash", *"ta", "enter", "asterisk"])
        await until(pilot, lambda: sorted(mark.target for mark in browse(pilot).marks) == ["beta", "delta"])
        burst(pilot, ["U"])
        await until(pilot, lambda: not browse(pilot).marks)


async def test_q_goes_back_before_it_quits() -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("q")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert pilot.app.is_running


async def test_letters_choose_what_begins_with_them() -> None:
    """Where nothing begins with what was typed, Enter does not take the first line instead."""
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        burst(pilot, ["y", *"xyz", "enter"])
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await until(pilot, lambda: not browse(pilot).program.keyboard.waits)
        options = pilot.app.screen.query_one(OptionList)
        assert options.highlighted is None
        await pilot.press("down")
        assert options.highlighted == 0
        burst(pilot, "dig")
        await until(pilot, lambda: options.highlighted)
        assert str(options.get_option_at_index(options.highlighted or 0).prompt).startswith("digest")


async def test_what_is_asked_is_not_answered_before_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    read_first(monkeypatch)
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        answers: list[bool | None] = []
        pilot.app.push_screen(ConfirmDialog("Read 2 GB?", (), "Read"), answers.append)
        burst(pilot, ["enter"])
        await until(pilot, lambda: EARLY in said(pilot))
        assert answers == []
        await seen(pilot)
        burst(pilot, ["enter"])
        await until(pilot, lambda: answers == [True])


async def test_letters_are_typed_over_spaces_taken_back_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        names = ("Without a tag", "At stage tuning", "At stage retired")
        pilot.app.push_screen(ChoiceDialog("Which?", [Choice(name, name) for name in names]))
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        options = pilot.app.screen.query_one(OptionList)

        async def typed(*keys: str) -> int | None:
            burst(pilot, keys)
            await until(pilot, lambda: not browse(pilot).program.keyboard.waits)
            return options.highlighted

        assert await typed(*"at stage r") == 2
        assert await typed("x") is None
        await typed("enter")
        await until(pilot, lambda: "No choice begins with what you typed." in said(pilot))
        assert await typed("backspace") == 2
        assert await typed(*["backspace"] * len("at stage r")) == 0
        monkeypatch.setattr("kittui.tui.dialogs.choice.PAUSE", -1.0)
        assert await typed("x", "a") == 1


async def test_leaving_asks_once_and_not_while_a_text_is_typed() -> None:
    made, _ = world()
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        await pilot.press("space", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "Ctrl+C does not quit while you type; Esc cancels." in said(pilot))
        await pilot.press("escape")
        program = browse(pilot).program
        program.action_leave()
        program.action_interrupt()
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await quiet(pilot)
        assert sum(isinstance(screen, ConfirmDialog) for screen in program.screen_stack) == 1
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        program.action_leave()
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))


async def test_reading_again_says_what_came_of_it() -> None:
    made, source = world()
    async with made.app(START).run_test(size=(120, 40), notifications=True) as pilot:
        await at_tags(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "Read again: 5 tags, the same names" in text_of(pilot))
        repository = source.repository("fraud")
        repository.add(kitfile("new"), [("model", 10, "none")], "omega")
        del repository.named["beta"]
        await pilot.press("r")
        await until(pilot, lambda: "Read again: 5 tags, new: omega; gone: beta" in text_of(pilot))

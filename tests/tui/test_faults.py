"""What nobody caught is one error in its place, never a traceback."""

from __future__ import annotations

import pytest

from tests.change.kits import said
from tests.tui.test_typing import at_tags, world
from tests.tui.waiting import browse, text_of, until

START = "registry.test/fraud:alpha"
SECRET = "hunter2"


async def test_a_worker_that_fails_leaves_the_rest_at_work(caplog: pytest.LogCaptureFixture) -> None:
    made, _ = world()

    async def broken() -> None:
        password = SECRET
        raise ZeroDivisionError(len(password))

    async with made.app(START).run_test(size=(120, 40), notifications=True) as pilot:
        await at_tags(pilot)
        program = browse(pilot).program
        program.catches_faults = True
        program.run_command("Break", broken())
        await until(pilot, lambda: "Internal error in kittui: ZeroDivisionError (test_faults.py:" in said(pilot))
        assert "Traceback" not in text_of(pilot)
        assert SECRET not in text_of(pilot)
        before = browse(pilot).tags_pane.body.cursor
        await pilot.press("j")
        await until(pilot, lambda: browse(pilot).tags_pane.body.cursor == before + 1)
    assert pilot.app.return_code in (None, 0)


async def test_a_widget_that_fails_ends_the_program_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own queue has ended, so that it would be dead on the screen."""
    made, _ = world()
    app = made.app(START)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_tags(pilot)
        app.catches_faults = True
        app._handle_exception(ZeroDivisionError(SECRET))
    assert app.return_code == 1
    printed = "".join(capsys.readouterr())
    assert SECRET not in printed
    assert "Traceback" not in printed

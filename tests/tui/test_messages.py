"""What was said and asked can be read again; what takes its time says whom it asks; a pane can have all the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.errors import Unreachable
from kittui.oci.traffic import LATEST, count, record
from kittui.tui.dialogs.messages import MessagesDialog
from kittui.tui.frame.context import Context
from tests.tui.waiting import LARGE, SMALL, browse, text_of, to_registry, until
from tests.tui.world import acme


def test_a_request_is_kept_without_what_may_be_secret() -> None:
    record("GET", "https://user:word@host/v2/a/blobs/sha256:1?X-Amz-Signature=abc#x", 200, "12", 0.5)
    record("HEAD", "https://host/v2/a/manifests/1", 200, "400", 0.1)
    record("GET", "https://host/v2/", 0, "-5", 0.1)
    blob, head, failed = list(LATEST)[-3:]
    assert blob.address == "https://host/v2/a/blobs/sha256:1"
    assert (blob.size, head.size, failed.size, failed.status) == (12, None, None, 0)


async def test_what_was_said_is_read_copied_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = acme().app()
    async with app.run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        app.fail(Unreachable("registry.acme.dev does not answer", hint="Try again."))
        record("GET", "https://registry.acme.dev/v2/acme/tags/list", 200, "99", 0.2)
        await pilot.press("at")
        await until(pilot, lambda: isinstance(app.screen, MessagesDialog))
        await until(pilot, lambda: "registry.acme.dev does not answer" in text_of(pilot))
        assert not list(app._notifications)
        shown = text_of(pilot)
        assert (
            "12:00:00 ✗ registry.acme.dev does not answer  (registry.acme.dev › acme/fraud-detector › champion)"
            in shown
        )
        assert "Try again." in shown
        await pilot.press("y")
        await until(pilot, lambda: "GET    200" in app.clipboard)
        assert "does not answer" in app.clipboard
        await pilot.press("at")
        await until(pilot, lambda: isinstance(app.screen, MessagesDialog))
        await pilot.press("w")
        await until(pilot, lambda: "File:" in text_of(pilot))
        await pilot.press("enter")
        saved = tmp_path / "kittui-messages.txt"
        await until(pilot, lambda: saved.exists() and "does not answer" in saved.read_text())


async def test_a_command_that_waits_says_whom_it_asks_and_escape_stops_it() -> None:
    app = acme().app()
    async with app.run_test(size=LARGE) as pilot:
        await to_registry(pilot)

        async def work(context: Context) -> None:
            import asyncio

            count(requests=3, received=2000)
            record("GET", "https://registry.acme.dev/v2/", 200, "1", 0.1)
            await asyncio.Event().wait()

        app.run_command("Remove", work(Context(app, browse(pilot), browse(pilot).selection)))
        await until(pilot, lambda: "Remove … registry.acme.dev: 3 requests, 2.0 kB; Esc stops" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "Esc stops" not in text_of(pilot))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_pane_is_zoomed_and_the_room_follows_the_keys(size: tuple[int, int]) -> None:
    async with acme().app().run_test(size=size) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        narrow = screen.tags_pane.size
        await pilot.press("plus")
        await until(pilot, lambda: screen.tags_pane.size.width == size[0])
        assert screen.tags_pane.size.height == size[1] - 2
        await pilot.press("3")
        await until(pilot, lambda: screen.layers_pane.size.width == size[0])
        assert screen.layers_pane.size.height == size[1] - 2
        await pilot.press("4")
        await until(pilot, lambda: screen.details_pane.size.width == size[0])
        await pilot.press("1")
        await until(pilot, lambda: screen.repositories_pane.size.width == size[0])
        await pilot.press("2", "plus")
        await until(pilot, lambda: screen.tags_pane.size == narrow)

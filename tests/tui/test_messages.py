"""What was said and asked can be read again; what takes its time says whom it asks; a pane can have all the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.errors import Unreachable
from kittui.oci.traffic import LATEST, count, record
from kittui.transfer.progress import Progress
from kittui.tui.app import KittuiApp
from kittui.tui.change.jobs import Job, Jobs
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


def shown(app: KittuiApp) -> list[str]:
    return [each.message for each in app._notifications]


async def test_what_is_said_again_takes_the_place_of_what_was_said() -> None:
    app = acme().app()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await to_registry(pilot)
        app.fail(Unreachable("registry.acme.dev does not answer"))
        for _ in range(17):
            app.notify("nothing to do", markup=False)
        await until(pilot, lambda: shown(app) == ["registry.acme.dev does not answer", "nothing to do"])
        assert text_of(pilot).count("nothing to do") == 1
        for words in ("one", "two", "nothing to do", "three"):
            app.notify(words, markup=False)
            await pilot.pause()
        await until(pilot, lambda: shown(app) == ["registry.acme.dev does not answer", "nothing to do", "three"])
        app.notify("1 of 2", markup=False, kind="count")
        app.notify("2 of 2", markup=False, kind="count")
        await until(pilot, lambda: shown(app) == ["registry.acme.dev does not answer", "three", "2 of 2"])
        await pilot.press("at")
        await until(pilot, lambda: "1 of 2" in text_of(pilot))
        assert [each.text for each in app._said].count("nothing to do") == 18


async def test_of_a_long_text_that_is_copied_the_first_line_is_shown() -> None:
    app = acme().app()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await to_registry(pilot)
        app.copy("# acme\n" + "| a | b |\n" * 40)
        await until(pilot, lambda: len(shown(app)) == 1)
        assert shown(app)[0].startswith("Copied 41 lines, from:\n# acme")
        assert "| a |" not in shown(app)[0]
        app.copy("oci://acme/fraud:v1")
        await until(pilot, lambda: shown(app)[-1].startswith("Copied\noci://acme/fraud:v1"))


async def test_transfers_that_finish_together_are_summed_up() -> None:
    app = acme().app()
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await to_registry(pilot)
        context = Context(app, browse(pilot), browse(pilot).selection)

        async def work(job: Job) -> str:
            return f"{job.title} is here"

        for number in range(300):
            app.state(Jobs).start(context, Job(f"kit-{number}", "⬇", Progress(), work))
        await until(pilot, lambda: shown(app) == ["300 transfers finished."])
        await pilot.press("at")
        await until(pilot, lambda: "kit-299 is here" in text_of(pilot))
        assert "transfers finished" not in text_of(pilot)


async def test_of_two_transfers_each_is_named() -> None:
    app = acme().app()
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await to_registry(pilot)
        context = Context(app, browse(pilot), browse(pilot).selection)

        async def work(job: Job) -> str:
            return f"{job.title} is here"

        for name in ("one", "two"):
            app.state(Jobs).start(context, Job(name, "⬇", Progress(), work))
        await until(pilot, lambda: shown(app) == ["one is here\ntwo is here"])

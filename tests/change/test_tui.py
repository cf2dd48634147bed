"""The keys that move things, pressed: plans are shown, done, undone; transfers run, stop and continue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from kittui.errors import ConnectionLost, Unreachable
from kittui.oci.protocols import Power
from kittui.oci.reference import LOCAL
from kittui.oci.tag import Tag
from kittui.tui.change.transfers_screen import TransfersScreen
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.dialog import Box
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame import keyboard
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.transfer import apply_move, plan_move
from kittui.usecases.unpack import plan as unpack
from tests.change.kits import Kits, jobs_of, on, ready, said, said_times
from tests.fakes.memory import MemoryRepository
from tests.tui.waiting import EARLY, SMALL, browse, burst, footer, quiet, read_first, seen, text_of, until


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return Kits(tmp_path)


async def test_c_and_enter_promote_and_z_takes_it_back(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PlanDialog))
        shown = text_of(pilot)
        assert "remote://registry.test/fraud" in shown
        assert "rollback" in shown
        await pilot.press(*"why not", "enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")
        assert kits.tags()["rollback"] == "v1.0.0"
        await quiet(pilot)
        assert {event.reason for event in kits.ledger.history.events()} == {"why not"}
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.0.0" and kits.tags()["rollback"] == "v0.9.0")
        await until(pilot, lambda: "Z redoes it" in said(pilot))
        await pilot.press("Z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0" and kits.tags()["rollback"] == "v1.0.0")
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.0.0" and kits.tags()["rollback"] == "v0.9.0")
        await quiet(pilot)
        await pilot.press("R")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v0.9.0")
        await quiet(pilot)
        await pilot.press("H")
        await until(pilot, lambda: "undo" in text_of(pilot))


async def test_t_retags_and_shows_a_tag_that_would_move(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot, "v1.1.0")
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"champion", "enter")
        await until(pilot, on(pilot, PlanDialog))
        await until(pilot, lambda: "The tag exists and will move." in text_of(pilot))
        await pilot.press("enter", "enter")
        await quiet(pilot)
        assert kits.tags()["champion"] == "v1.0.0"
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"champion", "enter")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")


async def test_x_on_a_registry_that_cannot_untag_offers_the_ways(kits: Kits) -> None:
    kits.registry.powers["untag"] = Power("no", "Distribution 2.8 cannot remove a tag alone")
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        shown = text_of(pilot)
        assert "placeholder" in shown
        assert "would also remove v1.0.0" in shown
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: "champion" not in kits.fraud.tagged)
        assert "v1.0.0" in kits.fraud.tagged


async def test_x_stays_on_cancel_where_enter_is_hit_at_once(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "enter")
        await quiet(pilot)
        assert "champion" in kits.fraud.tagged


async def test_read_only_refuses_and_says_why(tmp_path: Path) -> None:
    kits = Kits(tmp_path, read_only=True)
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        offered = ("Pull", "Unpack", "Retag", "Promote", "Remove", "Log in", "Diff")
        assert [hint for hint in offered if hint in footer(pilot)] == ["Diff"]
        words = "This session is read-only (--read-only, or read_only in config.yaml)."
        for number, key in enumerate("puPtcRxazZXLO"):
            await pilot.press(key)
            await said_times(pilot, words, number + 1)
            assert pilot.app.screen is browse(pilot)
        assert kits.tags()["champion"] == "v1.0.0"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("command 1", "Changes so far stay; the rest is not done."),
        ("clean-up", "Changes so far stay; the rest is not done."),
        ("transfers", "Downloads so far are kept, and the next pull resumes them."),
    ],
)
async def test_quitting_says_what_becomes_of_what_is_under_way(kits: Kits, key: str, words: str) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        browse(pilot).program.activity(key, "Remove …")
        await pilot.press("1", "q")
        await until(pilot, on(pilot, ConfirmDialog))
        assert words in text_of(pilot)
        assert text_of(pilot).count("so far") == 1


async def test_a_key_names_the_one_thing_that_it_lacks(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("1")
        browse(pilot).repositories_pane.body.move_to(0)
        await until(pilot, lambda: browse(pilot).selection.repository is None)
        await pilot.press("x", "c")
        await until(pilot, lambda: "Put the cursor on a repository first." in said(pilot))
        assert "Put the cursor on a tag, or mark some." in said(pilot)
        assert "read-only" not in said(pilot)


async def test_p_pulls_in_the_background_and_a_stopped_pull_goes_on(kits: Kits) -> None:
    stuck = asyncio.Event()

    def cut(repository: MemoryRepository, verb: str, what: str) -> None:
        content = repository.blobs.get(what)  # type: ignore[call-overload]
        if verb == "GET" and content is not None and len(content) > 1_000_000:
            stuck.set()
            raise ConnectionLost("cut by the test")

    kits.registry.hooks.append(cut)
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("p")
        await until(pilot, on(pilot, PlanDialog))
        assert "3.0 MB" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, stuck.is_set)
        await pilot.press("T")
        await until(pilot, on(pilot, TransfersScreen))
        await pilot.press("x")
        (job,) = jobs_of(pilot)
        await until(pilot, lambda: job.state == "stopped")
        kits.registry.hooks.clear()
        await pilot.press("r")
        await until(pilot, lambda: job.state == "done")
        await pilot.press("escape")
    pulled = kits.store.repository("registry.test/fraud")
    assert (await pulled.resolve(Tag("champion"))).digest == kits.fraud.tagged["champion"]
    assert kits.world.sources[LOCAL] is kits.store  # type: ignore[comparison-overlap]


async def test_marked_tags_are_pulled_together(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("space")
        await ready(pilot, "challenger")
        await pilot.press("space", "p")
        await until(pilot, on(pilot, PlanDialog))
        assert "2 ModelKits" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done", "done"])


async def test_u_unpacks_two_ticked_files_of_a_layer(kits: Kits) -> None:
    out = kits.folder / "out"
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("u")
        await until(pilot, on(pilot, UnpackDialog))
        await pilot.press("up", "a", "down", "down", "right")
        await until(pilot, lambda: "src/a.py" in text_of(pilot))
        await pilot.press("down", "space", "tab")
        assert pilot.app.focused is pilot.app.screen.query_one(Input)
        pilot.app.screen.query_one(Input).value = str(out)
        await pilot.press("enter")
        await until(
            pilot,
            lambda: bool(jobs_of(pilot)) and not jobs_of(pilot)[0].active,
        )
    assert jobs_of(pilot)[0].state == "done"
    assert [path.name for path in out.rglob("*.py")] == ["a.py"]
    assert not (out / "Kitfile").exists()


@pytest.mark.parametrize("several", [False, True])
async def test_nothing_is_unpacked_before_its_dialog_is_seen(
    kits: Kits, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    read_first(monkeypatch)
    monkeypatch.chdir(kits.folder)
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        burst(pilot, [*(["space", "space"] if several else []), "u", "enter"])
        await until(pilot, lambda: EARLY in said(pilot))
        assert isinstance(pilot.app.screen, InputDialog if several else UnpackDialog)
        assert jobs_of(pilot) == []
        await seen(pilot)
        burst(pilot, ["enter"])
        await until(pilot, lambda: len(jobs_of(pilot)) == 1 + several)


async def test_the_keys_that_the_unpack_dialog_names_are_those_of_the_cursor(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("u")
        await until(pilot, on(pilot, UnpackDialog))
        frame = pilot.app.screen.query_one(Box)
        await until(pilot, lambda: str(frame.border_subtitle) == "Tab Layers · Enter Unpack · Esc Cancel")
        (kits.folder / "outside").mkdir()
        pilot.app.screen.query_one(Input).value = f"{kits.folder}/outs"
        await until(pilot, lambda: str(frame.border_subtitle).startswith("Tab Complete"))
        await pilot.press("up")
        await until(pilot, lambda: str(frame.border_subtitle).startswith("Space Tick · a All · → Files · Tab Folder"))
        await pilot.press("down", "down", "right")
        await until(pilot, lambda: "src/a.py" in text_of(pilot))
        await pilot.press("down", "space")
        await until(pilot, lambda: "v reads their layers." in text_of(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: "v reads" not in text_of(pilot))
        assert "can't be verified" in text_of(pilot)
        assert str(frame.border_subtitle).startswith("Tab Complete")


async def test_a_protected_tag_wants_its_name(tmp_path: Path) -> None:
    kits = Kits(tmp_path, protected=frozenset({"champion"}))
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: "is protected" in text_of(pilot))
        await pilot.press(*"champion", "enter")
        await until(pilot, lambda: "champion" not in kits.fraud.tagged)


async def test_deleting_takes_two_steps_below_cancel_and_the_name_of_a_stage(kits: Kits) -> None:
    async with kits.app().run_test(size=SMALL) as pilot:
        await ready(pilot, "v1.0.0")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        shown = text_of(pilot)
        assert "champion, v1.0.0" in shown
        assert "Undo works only until the registry garbage-collects" in shown
        await pilot.press("enter")
        await quiet(pilot)
        assert on(pilot, ConfirmDialog)()
        await pilot.press(*"champion", "enter")
        await until(pilot, lambda: not {"champion", "v1.0.0"} & set(kits.fraud.tagged))
        await until(pilot, lambda: "z undoes it" in said(pilot))


async def test_a_delete_that_takes_its_blobs_along_is_said_to_be_for_good(kits: Kits) -> None:
    for tag in (Tag("champion"), Tag("rollback")):
        pulled = await plan_move("pull", kits.fraud, tag, kits.store.repository("fraud"), tag)
        await apply_move(pulled, kits.ledger, Policy())
    async with kits.world.app("local://fraud").run_test(size=SMALL) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        assert "can't be undone here" in text_of(pilot)
        await pilot.press(*"champion", "enter")
        await until(pilot, lambda: "1 ModelKit removed" in said(pilot))
        assert "undoes" not in said(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "is gone" in said(pilot))


async def test_a_delete_of_a_tag_alone_on_its_digest_starts_on_cancel(kits: Kits) -> None:
    kits.fraud.add_kit("three", "lonely")
    async with kits.app().run_test(size=SMALL) as pilot:
        await ready(pilot, "lonely")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("enter")
        await quiet(pilot)
        assert "lonely" in kits.fraud.tagged
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("up", "enter")
        await until(pilot, lambda: "lonely" not in kits.fraud.tagged)


async def test_files_in_the_way_are_kept_unless_the_cursor_is_moved(kits: Kits) -> None:
    mine = kits.folder / "out" / "src" / "a.py"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot, "challenger")
        await pilot.press("u")
        await until(pilot, on(pilot, UnpackDialog))
        await pilot.press("tab")
        pilot.app.screen.query_one(Input).value = str(kits.folder / "out")
        await pilot.press("enter")
        await until(pilot, on(pilot, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done"])
    assert mine.read_bytes() == b"mine"
    assert (kits.folder / "out" / "src" / "b.py").read_bytes() == b"beta"


async def test_an_unpack_that_asks_late_waits_in_the_header(kits: Kits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboard, "PATIENCE", 0.0)
    (kits.folder / "out" / "src").mkdir(parents=True)
    (kits.folder / "out" / "src" / "a.py").write_bytes(b"mine")
    asked = asyncio.Event()
    go_on = asyncio.Event()
    plan = unpack.plan_unpack

    async def slow(*arguments: Any, **named: Any) -> unpack.UnpackPlan:
        asked.set()
        await go_on.wait()
        return await plan(*arguments, **named)

    monkeypatch.setattr(unpack, "plan_unpack", slow)
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot, "challenger")
        await pilot.press("u")
        await until(pilot, on(pilot, UnpackDialog))
        await pilot.press("tab")
        pilot.app.screen.query_one(Input).value = str(kits.folder / "out")
        await pilot.press("enter")
        await until(pilot, asked.is_set)
        await pilot.press("j", "j")
        go_on.set()
        await until(pilot, lambda: "a dialog is ready" in text_of(pilot))
        assert not on(pilot, ChoiceDialog)()
        await pilot.press("exclamation_mark")
        await until(pilot, on(pilot, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done"])


async def test_the_header_says_who_is_waited_for_only_as_long_as_that_is(kits: Kits) -> None:
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        program: Any = pilot.app
        program.waits_for("registry.test", "registry.test: no answer yet")
        await until(pilot, lambda: "waiting for registry.test" in text_of(pilot))
        program.waited_for("registry.test")
        await until(pilot, lambda: "waiting for" not in text_of(pilot))
        program.waited_for("registry.test")
        assert not [*program.activities]


async def test_a_registry_that_goes_away_is_one_verdict(kits: Kits) -> None:
    """What moved and what did not, once, however many requests fail and however often they are tried again."""
    lost: list[str] = []

    def gone(repository: MemoryRepository, asked: str, of: str) -> None:
        if lost or (asked, of) == ("PUT", "champion"):
            lost.append(asked)
            raise Unreachable("registry.test refused the connection")

    kits.registry.hooks.append(gone)
    async with kits.app().run_test(size=(120, 36), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: lost)
        program: Any = pilot.app
        for number in range(20):
            program.waits_for("registry.test", f"registry.test: no answer yet; trying again in {number % 3} s")
        await until(pilot, lambda: "may have been done: champion." in said(pilot))
        assert f"Done: rollback → {kits.fraud.tagged['v1.0.0'].short};" in said(pilot)
        await quiet(pilot)
        assert len(pilot.app._notifications) == 1
        assert "continues where it stopped" in said(pilot)
        assert "waiting for registry.test" in text_of(pilot)
        assert kits.tags()["rollback"] == "v1.0.0"


async def test_a_folder_that_can_not_be_written_opens_the_choices_again(kits: Kits, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with kits.app().run_test(size=(120, 36), notifications=True) as pilot:
        await ready(pilot, "v1.1.0")
        await pilot.press("u")
        await until(pilot, on(pilot, UnpackDialog))
        await pilot.press("up", "space")
        entry = pilot.app.screen.query_one(Input)
        entry.value = str(tmp_path / "file" / "below")
        first = pilot.app.screen
        await pilot.press("enter")
        await until(pilot, lambda: on(pilot, UnpackDialog)() and pilot.app.screen is not first)
        await until(pilot, lambda: "✗" in text_of(pilot))
        assert pilot.app.screen.query_one(Input).value == str(tmp_path / "file" / "below")
        assert "[ ]   Kitfile" in text_of(pilot)
        pilot.app.screen.query_one(Input).value = str(tmp_path / "good")
        await pilot.press("enter")
        await until(pilot, lambda: jobs_of(pilot)[-1].state == "done")
        assert (tmp_path / "good/src/a.py").read_bytes() == b"alpha"
        assert not (tmp_path / "good/Kitfile").exists()

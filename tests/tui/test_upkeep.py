"""Finding, doctor, disk usage and clean-up on the screen, and what is true afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.errors import Denied, NetworkError, Unreachable
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.tui.app import KittuiApp
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.context import Context
from kittui.tui.upkeep import cleaning
from kittui.tui.upkeep.doctor_screen import DoctorScreen
from kittui.tui.upkeep.find_screen import FindScreen
from kittui.tui.upkeep.usage_screen import UsageScreen
from kittui.usecases.change import remove as removing
from kittui.usecases.change.clean import CleanRules
from kittui.usecases.change.removals import plan_removals
from kittui.usecases.change.usage import usage_of
from kittui.usecases.doctor import Check
from kittui.usecases.find import Match, Problem
from tests.change.kits import TAR, Kits, on, ready, said
from tests.tui.waiting import LARGE, SMALL, browse, fill_in, footer, listed, quiet, text_of, to_tags, until
from tests.tui.world import acme

MIDDLE = (120, 35)
SIZES = pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "120x35", "160x45"])


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return Kits(tmp_path)


def stored(kithome: Path, **policy: Any) -> Kits:
    """The program over a store that kit filled."""
    kits = Kits(kithome.parent / "kits", **policy)
    store = LocalSource(kithome, recheck=0)
    kits.store = store
    kits.world.sources = {store.place: store}  # type: ignore[dict-item]
    return kits


async def choose(pilot: Pilot[Any], label: str) -> None:
    """Take a choice of the dialog that opens, by its label."""
    await until(pilot, on(pilot, ChoiceDialog))
    dialog: Any = pilot.app.screen
    labels = [each.label for each in dialog._choices]
    await pilot.press(*(["j"] * labels.index(label)), "enter")


async def find(pilot: Pilot[Any], text: str, where: str = "Everywhere") -> FindScreen:
    """Find a text, and wait for the end of it."""
    await pilot.press("F")
    await until(pilot, on(pilot, InputDialog))
    await fill_in(pilot, text)
    await pilot.press("enter")
    await choose(pilot, where)
    await until(pilot, on(pilot, FindScreen))
    screen = pilot.app.screen
    assert isinstance(screen, FindScreen)
    await until(pilot, lambda: not screen.reading)
    return screen


async def test_what_was_found_is_filtered_and_escape_drops_the_filter_first(kits: Kits) -> None:
    async with kits.app().run_test(notifications=True, size=(120, 35)) as pilot:
        await ready(pilot)
        screen = await find(pilot, "*")
        every = len(screen.rows.rows)
        assert every > 1
        needle = screen.text(screen.found[0]).split("\t")[3].casefold()
        held = sum(needle in screen.text(row).casefold() for row in screen.found)
        await pilot.press("slash", *needle, "enter")
        await until(pilot, lambda: len(screen.rows.rows) == held)
        assert f"{held} of {every}" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.rows.rows) == every)
        assert pilot.app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not screen)


@SIZES
async def test_a_value_is_found_across_tags_and_enter_goes_there(kits: Kits, size: tuple[int, int]) -> None:
    async with kits.app().run_test(notifications=True, size=size) as pilot:
        await ready(pilot)
        screen = await find(pilot, "package.name=o*")
        found = [one for one in screen.found if isinstance(one, Match)]
        assert [(one.tag, one.value) for one in found] == [
            ("champion", ("package.name", "one")),
            ("v1.0.0", ("package.name", "one")),
        ]
        assert "2 found, 6 ModelKits in 1 repository searched" in text_of(pilot)
        assert "value  package.name = one" in text_of(pilot)
        await pilot.press("j", "enter")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        await until(pilot, lambda: browse(pilot).selection.target == "v1.0.0")


async def test_a_file_is_found_and_enter_goes_to_its_layer(kits: Kits) -> None:
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        screen = await find(pilot, "a.py", "This repository")
        matches = [one for one in screen.found if isinstance(one, Match)]
        assert {one.tag for one in matches} == {"champion", "challenger", "rollback", "v0.9.0", "v1.0.0", "v1.1.0"}
        assert {one.entry.path for one in matches if one.entry} == {"src/a.py"}
        await pilot.press("enter")
        await until(pilot, lambda: browse(pilot).at == "layers")
        await quiet(pilot)
        layer = browse(pilot).layers_pane.current_layer
        assert layer is not None
        assert layer.digest == matches[0].layer.digest  # type: ignore[union-attr]


async def test_a_layer_is_gone_to_though_another_row_is_read_first(kits: Kits) -> None:
    other = kits.registry.repository("other")
    for number, tag in enumerate(("champion", "v9")):
        other.add_kit(f"kit {number}", tag, layers=[(TAR, b"x" * (9 + number))], model={"path": "m"})
    tags, rest = other.tags, asyncio.Event()
    layer = (await other.manifest(Tag("v9"))).layers[0].digest

    async def in_pages() -> Any:
        [entries] = [page async for page in tags()]
        yield [entry for entry in entries if entry.name == "champion"]
        await rest.wait()
        yield [entry for entry in entries if entry.name != "champion"]

    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        other.tags = in_pages  # type: ignore[method-assign]
        browse(pilot).open(kits.registry.place, "other", Tag("v9"), layer)
        await until(
            pilot, lambda: (row := browse(pilot).tags_pane.current) and row.repository is other and row.modelkit
        )
        await until(pilot, lambda: browse(pilot).layers_pane.current_layer is not None)
        rest.set()
        await until(pilot, lambda: browse(pilot).at == "layers")
        assert browse(pilot).selection.target == "v9"
        assert browse(pilot).layers_pane.current_layer.digest == layer  # type: ignore[union-attr]


async def test_a_digest_is_gone_to_once_a_row_turns_out_to_have_it(kits: Kits) -> None:
    digest = Digest(kits.fraud.tagged["challenger"])
    layer = (await kits.fraud.manifest(digest)).layers[0].digest
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await listed(pilot)
        browse(pilot).open(kits.registry.place, "fraud", digest, layer)
        await until(pilot, lambda: browse(pilot).at == "layers")
        assert browse(pilot).selection.digest == digest
        assert not browse(pilot).tags_pane.looking


async def test_a_digest_that_no_row_has_is_said_once_and_forgotten(kits: Kits) -> None:
    digest = Digest("sha256:" + "0" * 64)
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await listed(pilot)
        browse(pilot).open(kits.registry.place, "fraud", digest, digest)
        await until(pilot, lambda: f"@{digest} is not listed." in said(pilot))
        assert not browse(pilot).tags_pane.looking
        await quiet(pilot)
        await pilot.press("j")
        await quiet(pilot)
        assert browse(pilot).at == "tags"
        assert browse(pilot)._wanted is None


async def test_a_digest_is_found_and_what_nothing_holds_is_said(kits: Kits) -> None:
    digest = str(kits.fraud.tagged["champion"])
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        screen = await find(pilot, digest, "This place")
        assert {one.tag for one in screen.found if isinstance(one, Match)} == {"champion", "v1.0.0"}
        await pilot.press("escape")
        await find(pilot, "license=GPL", "This ModelKit")
        assert "Nothing holds license=GPL." in text_of(pilot)


async def test_escape_stops_a_search_and_keeps_what_was_found(kits: Kits) -> None:
    waiting = asyncio.Event()
    other = kits.registry.repository("other")
    other.add_kit("three", "v9")

    async def hang(method: str, what: str) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        tags = other.tags

        async def slow() -> Any:
            await hang("GET", "tags")
            async for page in tags():
                yield page

        other.tags = slow  # type: ignore[method-assign]
        await pilot.press("F")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"name=*", "enter")
        await choose(pilot, "This place")
        await until(pilot, on(pilot, FindScreen))
        screen: Any = pilot.app.screen
        await until(pilot, waiting.is_set)
        await until(pilot, lambda: screen.found)
        await pilot.press("escape")
        await until(pilot, lambda: not screen.reading)
        assert pilot.app.screen is screen
        assert "Stopped; the list is incomplete." in text_of(pilot)
        assert {one.tag for one in screen.found} >= {"champion"}
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


@pytest.mark.parametrize("end", ["escape", "error"])
async def test_reading_that_ended_early_is_not_said_to_have_found_nothing(
    kits: Kits, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    halted = asyncio.Event()

    async def halt(*_: object) -> Any:
        if end == "error":
            raise Unreachable("registry.test did not answer")
        halted.set()
        await asyncio.Event().wait()
        yield

    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        monkeypatch.setattr("kittui.usecases.find.Finder.search", halt)
        if end == "error":
            screen: Any = await find(pilot, "license=GPL", "This place")
        else:
            await pilot.press("F")
            await until(pilot, on(pilot, InputDialog))
            await pilot.press(*"license=GPL", "enter")
            await choose(pilot, "This place")
            await until(pilot, halted.is_set)
            screen = pilot.app.screen
            await pilot.press("escape")
            await until(pilot, lambda: not screen.reading)
        assert "Nothing found before reading stopped." in text_of(pilot)
        assert "Nothing holds" not in text_of(pilot)
        assert not screen._timer._active.is_set(), "nothing looks for rows any more"
        monkeypatch.undo()
        await pilot.press("r")
        await until(pilot, lambda: "Nothing holds license=GPL." in text_of(pilot))


async def test_what_cannot_be_looked_into_is_a_row_with_the_reason(kits: Kits) -> None:
    kits.fraud.manifests.pop(kits.fraud.tagged["rollback"])
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        screen = await find(pilot, "name=*", "This repository")
        problems = [one for one in screen.found if isinstance(one, Problem)]
        assert {one.reference.rpartition(":")[2] for one in problems} == {"rollback", "v0.9.0"}
        assert "▲ 2 could not be looked into" in text_of(pilot)


@SIZES
async def test_disk_usage_says_what_goes_frees_and_what_marked_rows_free_together(
    kithome: Path, size: tuple[int, int]
) -> None:
    kits = stored(kithome)
    usage = await usage_of(kits.store)
    named = {one.reference: one for one in usage.used}
    pair = [named["local://127.0.0.1:5055/fraud:challenger"], named["local://fraud-local:dev"]]
    async with kits.world.app().run_test(notifications=True, size=size) as pilot:
        await listed(pilot)
        await pilot.press("D")
        await until(pilot, on(pilot, UsageScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.found) == 14 and not screen.reading)
        assert "273 kB in 14 ModelKits" in text_of(pilot)
        assert [one.digest for one in screen.rows.rows] == [one.digest for one in usage.used]
        await pilot.press("s", "s")
        names = [one.reference for one in screen.rows.rows]
        assert names == sorted(names)
        for one in pair:
            screen.rows.move_to(names.index(one.reference))
            await pilot.press("space")
        assert "2 marked: 22.7 kB become free if all of them go" in text_of(pilot)
        assert usage.freed(pair) == 22_739


async def test_removing_from_the_disk_usage_is_the_panes_own_removal(kithome: Path) -> None:
    kits = stored(kithome)
    async with kits.world.app().run_test(notifications=True, size=LARGE) as pilot:
        await listed(pilot)
        await pilot.press("D")
        await until(pilot, on(pilot, UsageScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.found) == 14 and not screen.reading)
        wanted = screen.rows.current
        before = sum(path.stat().st_size for path in kits.store.blobs.folder.glob("*/*"))
        await pilot.press("x")
        await until(pilot, lambda: "Delete the ModelKit" in text_of(pilot))
        dialog: Any = pilot.app.screen
        dialog.dismiss(type("Answer", (), {"choice": "delete", "reason": ""})())
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("k", "enter")
        await until(pilot, lambda: len(screen.found) == 13 and not screen.reading)
        assert wanted.held.key not in {one.held.key for one in screen.found}
        assert before - sum(path.stat().st_size for path in kits.store.blobs.folder.glob("*/*")) == wanted.freed


async def test_disk_usage_is_not_offered_on_a_registry(kits: Kits) -> None:
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("D")
        await until(pilot, lambda: "Disk usage is shown for the store and for layouts" in text_of(pilot))


async def test_a_clean_up_of_a_registry_is_one_plan_and_one_answer(kits: Kits) -> None:
    kits.fraud.add_kit("old", "retired", "v0.1.0")
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("X")
        await choose(pilot, "At stage retired")
        await until(pilot, on(pilot, ConfirmDialog))
        shown = " ".join(text_of(pilot).split())
        assert "ModelKits at stage retired:" in shown
        assert "retired, v0.1.0" in shown
        assert "Undo works only until the registry garbage-collects" in shown
        await pilot.press("escape")
        assert "retired" in kits.fraud.tagged
        await pilot.press("X")
        await choose(pilot, "At stage retired")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("enter")
        assert "retired" in kits.fraud.tagged
        await pilot.press(*"retired", "enter")
        await until(pilot, lambda: "z undoes it" in text_of(pilot))
        assert sorted(kits.fraud.tagged) == ["challenger", "champion", "rollback", "v0.9.0", "v1.0.0", "v1.1.0"]
        [event] = [each for each in kits.ledger.history.events() if each.tag == "retired"]
        assert (event.action, event.after, event.reason) == ("delete", None, "clean-up: ModelKits at stage retired")


async def test_a_clean_up_of_the_store_by_tag_says_that_it_cannot_be_undone(kithome: Path) -> None:
    kits = stored(kithome)
    async with kits.world.app().run_test(notifications=True, size=LARGE) as pilot:
        await listed(pilot)
        await pilot.press("X")
        await choose(pilot, "Without a tag")
        await until(pilot, on(pilot, ConfirmDialog))
        shown = " ".join(text_of(pilot).split())
        assert "2 ModelKits go; that frees 5.6 kB" in shown
        assert "can't be undone" in shown
        await pilot.press("k", "enter")
        await until(pilot, lambda: "2 ModelKits removed" in text_of(pilot))
        untagged = [one for one in (await usage_of(kits.store)).used if not one.held.tags]
        assert untagged == []


async def test_a_clean_up_with_nothing_to_do_says_so_and_an_age_has_to_be_one(kits: Kits) -> None:
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("X")
        await choose(pilot, "Older than …")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"soon", "enter")
        assert "Write 12h, 30d, 6w or 1y." in text_of(pilot)
        await pilot.press(*(["backspace"] * 8), *"1d", "enter")
        await until(
            pilot, lambda: "Nothing to delete. 3 ModelKits stay: it has no date." in " ".join(said(pilot).split())
        )


@pytest.mark.parametrize("kept", [True, False], ids=["something goes", "nothing goes"])
async def test_a_clean_up_says_what_of_the_place_was_not_listed(kits: Kits, kept: bool) -> None:
    if kept:
        kits.fraud.add_kit("old", "retired", "v0.1.0")
    ports = kits.world.ports
    named = ports.trust.named

    async def cut(words: Any) -> Any:
        return (await named(words))[0], [NetworkError("the catalog ended early", reference="registry.test")]

    app = KittuiApp(replace(ports, trust=replace(ports.trust, named=cut)), "remote://registry.test")
    async with app.run_test(notifications=True, size=LARGE) as pilot:
        await listed(pilot)
        browse(pilot).repositories_pane.focus()
        await until(pilot, lambda: browse(pilot).selection.place == kits.registry.place)
        await until(pilot, lambda: browse(pilot).selection.repository is None)
        await pilot.press("X")
        await choose(pilot, "At stage retired")
        if kept:
            await until(pilot, on(pilot, ConfirmDialog))
            assert "Left out: registry.test: the catalog ended early." in text_of(pilot)
        else:
            await until(pilot, lambda: "the catalog ended early" in said(pilot))


async def test_read_only_offers_no_clean_up(tmp_path: Path) -> None:
    app = acme(read_only=True).app()
    async with app.run_test(notifications=True, size=LARGE) as pilot:
        await to_tags(pilot)
        await pilot.press("X")
        await until(pilot, lambda: any("This session is read-only" in each.message for each in app._notifications))


def checked() -> KittuiApp:
    """A program with things to look at and to repair."""
    world = acme()
    world.checks = [
        ("Terminal", Check("terminal", "good", "xterm-256color")),
        ("Terminal", Check("colours", "warn", "16 or fewer", "Choose theme: kittui-ansi in config.yaml.")),
        ("Store /home/me/kit", Check("dangling-tag", "bad", "fraud:v1: its manifest is gone", repairable=True)),
        ("Store /home/me/kit", Check("kit", "unknown", "kit is not installed here")),
    ]  # fmt: skip
    return world.app()


@SIZES
async def test_doctor_lists_what_to_do_and_repairs_after_a_plan(size: tuple[int, int]) -> None:
    app = checked()
    async with app.run_test(notifications=True, size=size) as pilot:
        await listed(pilot)
        await pilot.press("C")
        await until(pilot, on(pilot, DoctorScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: not screen.reading)
        names = [one.check.name for one in screen.rows.rows]
        assert names == ["terminal", "colours", "dangling-tag", "kit", "registry", "registry"]
        assert "6 checks: 3 good · 1 to look at · 1 wrong · 1 unknown · 1 can be repaired" in text_of(pilot)
        await pilot.press("j")
        assert "Choose theme: kittui-ansi in config.yaml." in text_of(pilot)
        await pilot.press("j")
        assert "R repairs it." in text_of(pilot)
        await pilot.press("R")
        await until(pilot, on(pilot, ConfirmDialog))
        assert "dangling-tag: fraud:v1: its manifest is gone" in text_of(pilot)
        assert "Afterwards, tags of missing ModelKits" in text_of(pilot)
        await pilot.press("escape")
        assert len(screen.repairable) == 1
        await pilot.press("R")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("enter")
        await until(pilot, lambda: not screen.repairable and not screen.reading)
        await pilot.press("R")
        await until(pilot, lambda: "There is nothing to repair." in text_of(pilot))
        await pilot.press("V")
        await until(pilot, lambda: "every blob was hashed" in text_of(pilot))


async def test_read_only_repairs_nothing(tmp_path: Path) -> None:
    kits = Kits(tmp_path, read_only=True)
    kits.world.checks = [("Store", Check("leftovers", "bad", "one", repairable=True))]
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("C")
        await until(pilot, on(pilot, DoctorScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: not screen.reading)
        assert "Repair" not in footer(pilot)
        await pilot.press("R")
        await until(pilot, lambda: "This session is read-only" in text_of(pilot))
        assert len(screen.repairable) == 1


@SIZES
@pytest.mark.snapshot
def test_pictures(snap_compare: Any, kithome: Path, size: tuple[int, int]) -> None:
    async def usage(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        await pilot.press("D")
        await until(pilot, on(pilot, UsageScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.found) == 14 and not screen.reading)
        await pilot.press("j", "j", "j", "space")
        await pilot.pause()

    assert snap_compare(stored(kithome).world.app(), terminal_size=size, run_before=usage)


@SIZES
@pytest.mark.snapshot
def test_doctor_picture(snap_compare: Any, size: tuple[int, int]) -> None:
    async def doctor(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        await pilot.press("C")
        await until(pilot, on(pilot, DoctorScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: not screen.reading)
        await pilot.press("j", "j")
        await pilot.pause()

    assert snap_compare(checked(), terminal_size=size, run_before=doctor)


@SIZES
@pytest.mark.snapshot
def test_find_picture(snap_compare: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    async def found(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        await find(pilot, "a.py", "This repository")
        await pilot.press("j")
        await pilot.pause()

    assert snap_compare(Kits(tmp_path).app(), terminal_size=size, run_before=found)


async def test_a_clean_up_of_production_says_so_comes_last_and_wants_its_name(kits: Kits) -> None:
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("X")
        await until(pilot, on(pilot, ChoiceDialog))
        dialog: Any = pilot.app.screen
        assert dialog._choices[-1].label == "At stage champion"
        assert "in production" in dialog._choices[-1].detail
        await choose(pilot, "At stage champion")
        await until(pilot, on(pilot, ConfirmDialog))
        assert "champion is in production;" in " ".join(text_of(pilot).split())
        await pilot.press("enter")
        await quiet(pilot)
        assert "champion" in kits.fraud.tagged


async def test_a_clean_up_that_leaves_what_its_rule_names_does_not_say_there_is_nothing(kits: Kits) -> None:
    kits.fraud.tagged["challenger"] = kits.fraud.tagged["champion"]
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("X")
        await choose(pilot, "At stage challenger")
        await until(pilot, lambda: "1 ModelKit stays: it is champion" in " ".join(text_of(pilot).split()))
        assert "There are no" not in text_of(pilot)


async def test_a_clean_up_that_is_stopped_says_what_had_failed_by_then(
    kits: Kits, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    async def refused(*_: object) -> None:
        asked.append(_)
        if len(asked) == 1:
            raise Denied("it is held")
        await asyncio.Event().wait()

    monkeypatch.setattr(removing, "apply_remove", refused)
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        context = Context(browse(pilot).program, browse(pilot), browse(pilot).selection)
        plan = await plan_removals([(kits.fraud, Tag("v1.0.0")), (kits.fraud, Tag("v1.1.0"))], "delete")
        work = cleaning._apply(context, CleanRules(untagged=True), plan, [], [])
        browse(pilot).program.run_command("Clean up", work)
        await until(pilot, lambda: len(asked) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped." in said(pilot))
        assert "it is held" in said(pilot)

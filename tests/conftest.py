"""What every test may use."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pytest_textual_snapshot import SVGImageExtension
from textual.app import App, ScreenStackError
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

SNAPSHOTS = Path(__file__).parent.parent / "snapshots"
SVGImageExtension.dirname = classmethod(lambda cls, *, test_location: str(SNAPSHOTS / test_location.basename))
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
# With $CI the same examples are drawn each time: what fails there fails for everybody.
settings.register_profile("kittui", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("kittui")

pytest_plugins = ["tests.fakes.docker_registry", "tests.fakes.registry_servers"]


FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def golden() -> Path:
    """What kit printed for the ModelKits in tests/fixtures; the first line of each is the command."""
    return FIXTURES / "golden"


@pytest.fixture
def kithome(tmp_path: Path) -> Path:
    """A copy of a $KITOPS_HOME that kit filled."""
    home = tmp_path / "kithome"
    shutil.copytree(FIXTURES / "kithome", home)
    return home


@pytest.fixture
def kit_sources(tmp_path: Path) -> Path:
    """A copy of the folders that the ModelKits were packed from."""
    folder = tmp_path / "src"
    shutil.copytree(FIXTURES / "src", folder)
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are created, empty in the beginning."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while importing, leave what was imported out of later collections, and collect less often.

    A quarter of the processor time of the interface's tests went into walking through it again and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 10, 10)
        gc.enable()


def pytest_sessionfinish() -> None:
    """Let pytest, which collects five times at the end, go through what is left once."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _pilots_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot answers a dialog as soon as it is there; what a fast typist may not do is tried in a terminal."""
    monkeypatch.setattr("kittui.tui.frame.keyboard.Keyboard.unseen", lambda *_: False)


@pytest.fixture(autouse=True)
def _pilots_look_after_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen is painted when a pilot has pressed a key or waited, and seldom in between.

    Sixty times a second, painting took a third of the processor time of the interface's tests, and more the busier the
    machine was. Programs that tests run in a terminal paint as often as for users.
    """
    press = App._press_keys

    async def press_and_look(app: App[Any], keys: Iterable[str]) -> None:
        for key in keys:
            await press(app, [key])
            with suppress(ScreenStackError):
                app.screen._on_timer_update()

    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", 0.5)
    monkeypatch.setattr(App, "_press_keys", press_and_look)


@pytest.fixture(scope="session", autouse=True)
def _style_sheets_are_parsed_once() -> Iterator[None]:
    """What one program parsed, those after it take: each parses sixty style sheets, twice, and only reads the rules."""
    parse = Stylesheet._parse_rules
    parsed: dict[object, list[RuleSet]] = {}

    def parse_once(sheet: Stylesheet, css: str, **more: Any) -> list[RuleSet]:
        key = css, *more.values(), *sheet._variables.items()
        if key not in parsed:
            parsed[key] = parse(sheet, css, **more)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI a test against a real registry that skips has failed; the kit CLI may be missing."""
    report = yield
    must = item.get_closest_marker("real") and not item.get_closest_marker("kit")
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") and must:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not accept of a test against a real registry: {report.longrepr}"
    return report

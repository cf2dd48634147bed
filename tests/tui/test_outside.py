"""Files in the user's own programs: editor and pager from the tree and the viewer, in a real terminal too."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.errors import NotFound
from kittui.tui.app import KittuiApp
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.program import Program
from kittui.tui.inspect.viewer import ViewerScreen
from kittui.usecases.inspect.programs import Programs
from tests.bench.terminal import Terminal
from tests.change.kits import said
from tests.fakes.layers import archive
from tests.inspect.kits import kit_world
from tests.inspect.test_viewer import START, to_row
from tests.tui.waiting import quiet, text_of, until

README = b"# Fraud\n\nA model.\n"


pytestmark = pytest.mark.usefixtures("temporary")


def script(folder: Path, name: str, text: str) -> str:
    """A program of the user's."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport os, shutil, stat, sys\n{text}\n")
    path.chmod(0o755)
    return str(path)


def seen(folder: Path, name: str = "editor") -> str:
    """A program that writes down what it was given: its arguments, modes and content."""
    return script(
        folder,
        name,
        f"out = open({str(folder / (name + '.saw'))!r}, 'w')\n"
        "for path in sys.argv[1:]:\n"
        "    print(path, oct(stat.S_IMODE(os.stat(path).st_mode)), repr(open(path).read()), file=out)\n"
        "if not sys.argv[1:]: print(repr(sys.stdin.read()), file=out)\n",
    )


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A program that can be suspended; what happened to its terminal."""
    happened: list[str] = []

    @contextmanager
    def suspend(_: Program) -> Iterator[None]:
        happened.append("suspended")
        yield
        happened.append("resumed")

    monkeypatch.setattr(Program, "lends_terminal", True)
    monkeypatch.setattr(Program, "suspend", suspend)
    return happened


def app_of(programs: Programs, **settings: Any) -> KittuiApp:
    """The program over one ModelKit with a README in its first layer."""
    world, _ = kit_world({"model": archive({"README.md": README, "-rf": b"x"})}, **settings)
    app = world.app(START)
    app.ports = replace(app.ports, settings=replace(app.ports.settings, programs=programs))
    return app


async def in_viewer(pilot: Pilot[Any]) -> None:
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen))
    await until(pilot, lambda: getattr(pilot.app.screen, "contents", None) is not None)


async def in_tree(pilot: Pilot[Any]) -> None:
    await quiet(pilot)


WHERE = pytest.mark.parametrize("go", [in_tree, in_viewer], ids=["tree", "viewer"])


@WHERE
async def test_e_opens_a_verified_copy_in_the_editor(
    go: Callable[[Pilot[Any]], Any], lent: list[str], tmp_path: Path, temporary: Path
) -> None:
    async with app_of(Programs(f"{seen(tmp_path)}"), read_only=True).run_test(size=(120, 40)) as pilot:
        await to_row(pilot, "README.md")
        await go(pilot)
        await pilot.press("e")
        await until(pilot, lambda: lent == ["suspended", "resumed"])
        await until(pilot, lambda: not list(temporary.iterdir()))
        path, mode, content = (tmp_path / "editor.saw").read_text().split(" ", 2)
        assert Path(path).name == "README.md"
        assert Path(path).is_relative_to(temporary)
        assert (mode, content.strip()) == ("0o400", repr(README.decode()))


@WHERE
async def test_a_bar_pipes_the_file_to_the_pager(
    go: Callable[[Pilot[Any]], Any], lent: list[str], tmp_path: Path, temporary: Path
) -> None:
    async with app_of(Programs(pager=seen(tmp_path, "pager"))).run_test(size=(120, 40)) as pilot:
        await to_row(pilot, "README.md")
        await go(pilot)
        await pilot.press("vertical_line")
        await until(pilot, lambda: lent == ["suspended", "resumed"])
        await until(pilot, lambda: not list(temporary.iterdir()))
        assert (tmp_path / "pager.saw").read_text().strip() == repr(README.decode())


async def test_a_name_that_would_be_an_option_is_none(lent: list[str], tmp_path: Path) -> None:
    async with app_of(Programs(seen(tmp_path))).run_test(size=(120, 40)) as pilot:
        await to_row(pilot, "-rf")
        await quiet(pilot)
        await pilot.press("e")
        await until(pilot, lambda: lent == ["suspended", "resumed"])
        assert Path((tmp_path / "editor.saw").read_text().split()[0]).name == "_-rf"


@pytest.mark.parametrize(
    ("programs", "says"),
    [
        (Programs(), ("no editor is set", "export EDITOR=vim")),
        (Programs("no-such-editor"), ("no-such-editor was not found", "$VISUAL or $EDITOR")),
        (Programs("'"), ("can't be split into words",)),
        (Programs(f"{sys.executable} -c 'raise SystemExit(3)'"), ("ended with status 3",)),
    ],
)
async def test_an_editor_that_fails_says_why(
    programs: Programs, says: tuple[str, ...], lent: list[str], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.usecases.inspect.programs._usual_editor", lambda: "")
    async with app_of(programs).run_test(size=(120, 40), notifications=True) as pilot:
        await to_row(pilot, "README.md")
        await quiet(pilot)
        await pilot.press("e")
        await until(pilot, lambda: all(text in said(pilot) for text in says))
        assert not list(temporary.iterdir())
        assert lent in ([], ["suspended", "resumed"])


async def test_a_terminal_that_can_not_be_lent_says_so() -> None:
    async with app_of(Programs("vim")).run_test(size=(120, 40), notifications=True) as pilot:
        await to_row(pilot, "README.md")
        await quiet(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "another program can't run in this terminal" in text_of(pilot))


async def test_what_was_written_into_a_copy_is_offered_to_be_saved_elsewhere(
    lent: list[str], tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("mine, from before")
    editor = script(tmp_path, "editor", "os.chmod(sys.argv[1], 0o600)\nopen(sys.argv[1], 'w').write('edited')")
    async with app_of(Programs(editor)).run_test(size=(120, 40), notifications=True) as pilot:
        await to_row(pilot, "README.md")
        await quiet(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        assert "never writes changes back" in " ".join(text_of(pilot).split())
        assert pilot.app.screen.query_one(Input).value == str(tmp_path / "README.md")
        await pilot.press("enter")
        await until(pilot, lambda: "already exists" in text_of(pilot))
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        pilot.app.screen.query_one(Input).value = str(tmp_path / "other.md")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "other.md").exists() and not list(temporary.iterdir()))
        assert (tmp_path / "other.md").read_text() == "edited"
        assert (tmp_path / "README.md").read_text() == "mine, from before"


@WHERE
async def test_reading_much_is_said_and_escape_stops_it(
    go: Callable[[Pilot[Any]], Any], lent: list[str], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object, on_bytes: Callable[[int, int], None], **__: object) -> None:
        on_bytes(1, 4)
        await asyncio.Event().wait()

    monkeypatch.setattr("kittui.tui.frame.outside.copy_of", slow)
    async with app_of(Programs("vim")).run_test(size=(120, 40)) as pilot:
        await to_row(pilot, "README.md")
        await go(pilot)
        below = pilot.app.screen
        await pilot.press("e")
        await until(pilot, lambda: "verifying 25 %, Esc stops" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "verifying" not in text_of(pilot) and not list(temporary.iterdir()))
        assert pilot.app.screen is below
        assert lent == []


EDITOR = """
sys.stdout.write("\\nEDITING " + sys.argv[1] + " " + oct(stat.S_IMODE(os.stat(sys.argv[1]).st_mode)) + "\\n")
sys.stdout.flush()
sys.stdin.readline()
"""


async def test_the_header_is_written_once_for_each_percent(lent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str | None] = []
    activity = Program.activity

    def note(self: Program, key: str, text: str | None) -> None:
        written.extend([text] if key == "copy" else [])
        activity(self, key, text)

    async def read(*_: object, on_bytes: Callable[[int, int], None], **__: object) -> None:
        for at in range(0, 10_001, 10):
            on_bytes(at, 20_000)
        raise NotFound("it is gone")

    monkeypatch.setattr(Program, "activity", note)
    monkeypatch.setattr("kittui.tui.frame.outside.copy_of", read)
    async with app_of(Programs("vim")).run_test(size=(120, 40), notifications=True) as pilot:
        await to_row(pilot, "README.md")
        await pilot.press("e")
        await until(pilot, lambda: "it is gone" in text_of(pilot))
        assert written == [*(f"verifying {percent} %, Esc stops" for percent in range(51)), None]


@contextmanager
def in_terminal(kithome: Path, tmp_path: Path, temporary: Path) -> Iterator[Terminal]:
    """The interface in a pseudo-terminal, the cursor on a file, its editor open."""
    environ = {
        **{key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ},
        "HOME": str(tmp_path),
        "KITOPS_HOME": str(kithome),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TERM": "xterm-256color",
        "TMPDIR": str(temporary),
        "EDITOR": script(tmp_path, "editor", EDITOR),
    }
    command = [sys.executable, "-m", "kittui", "local://127.0.0.1:5055/fraud:champion"]
    with Terminal(command, environ, 120, 40) as interface:
        interface.wait_for(b"rollback", timeout=60)
        interface.settle()
        interface.send(b"3")
        interface.settle()
        interface.send(b"\r")
        interface.settle()
        interface.send(b"j")
        interface.settle()
        interface.send(b"e")
        interface.wait_for(b"EDITING", timeout=60)
        interface.settle()
        yield interface


def test_the_editor_has_the_terminal_and_all_is_drawn_again_after(
    kithome: Path, tmp_path: Path, temporary: Path
) -> None:
    with in_terminal(kithome, tmp_path, temporary) as interface:
        before, _, after = bytes(interface.painted).partition(b"EDITING ")
        assert b"\x1b[?1049l" in before.rpartition(b"\x1b[?1049h")[2], "the alternate screen was left"
        path, mode = after.split()[:2]
        assert Path(path.decode()).exists()
        assert mode == b"0o400"
        assert b"\x1b" not in after, "nothing is drawn over the editor"
        os.kill(interface.pid, signal.SIGINT)
        interface.settle()
        start = len(interface.painted)
        interface.send(b"\r")
        interface.wait_for(b"\x1b[?1049h")
        interface.settle()
        drawn = bytes(interface.painted[start:])
        assert [word for word in (b"kittui", b"champion", b"Help") if word not in drawn] == []
        assert not list(temporary.iterdir())


def test_the_copy_goes_also_where_kittui_is_killed(kithome: Path, tmp_path: Path, temporary: Path) -> None:
    with in_terminal(kithome, tmp_path, temporary) as interface:
        assert list(temporary.iterdir())
        os.kill(interface.pid, signal.SIGKILL)
        interface.ended(30)
        end = time.monotonic() + 60
        while list(temporary.iterdir()):
            assert time.monotonic() < end, "the copy stays"

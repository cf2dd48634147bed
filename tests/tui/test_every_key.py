"""Every key of every screen does something or says why not; a screen that is not opened here fails."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, OptionList

import kittui.tui
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.tui.app import MainScreen
from kittui.tui.board.grid import Grid
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.change.promoting import PromotionDialog
from kittui.tui.change.transfers_screen import TransfersScreen
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.compare.over_versions import TimelineScreen
from kittui.tui.compare.pick_dialog import PickDialog
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.help import HelpDialog
from kittui.tui.dialogs.login import LoginDialog
from kittui.tui.dialogs.messages import MessagesDialog
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.inspect.viewer import ViewerScreen
from kittui.tui.panes.layer_rows import NodeRow
from kittui.tui.upkeep.doctor_screen import DoctorScreen
from kittui.tui.upkeep.find_screen import FindScreen
from kittui.tui.upkeep.usage_screen import UsageScreen
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows
from kittui.usecases.diff.compare import Side
from kittui.usecases.doctor import Check
from tests.change.kits import CODE, TAR, Kits, on, ready, tar
from tests.compare.kits import safetensors
from tests.conftest import FIXTURES
from tests.fakes.layers import archive
from tests.tui.waiting import browse, quiet, text_of, until

LEAVES = {"quit", "interrupt", "suspend", "repaint", "list.reload", "history.reload", "timeline.reload", "pick.type"}
"""What ends the program, gives the terminal away, shows again what is there, or goes where the keys are already."""
STEP = 0.005


def keys_of(pilot: Pilot[Any]) -> dict[str, str]:
    """Every key of what is shown, with the id of what it does: live or not, but of a dialog what its frame may name."""
    screen = pilot.app.screen
    if isinstance(screen, ModalScreen):
        live = ((key, active.binding) for key, active in screen.active_bindings.items())
        return {key: binding.id for key, binding in live if binding.id}
    found: dict[str, str] = {}
    for _, bindings in screen._modal_binding_chain:
        for key, several in bindings.key_to_bindings.items():
            binding = several[0]
            if binding.description and not binding.system and (binding.id or binding.tooltip):
                found.setdefault(key, binding.id or binding.action)
    return found


def state(pilot: Pilot[Any]) -> tuple[Any, ...]:
    """What a user could notice, and what is asked of the registry."""
    app: Any = pilot.app
    focus = app.focused
    each = [
        tuple(getattr(widget, name, None) for name in ("scroll_offset", "cursor", "highlighted", "cursor_position"))
        for widget in app.screen.walk_children()
    ]
    asked = sum(len(getattr(row.source, "requests", ())) for row in browse(pilot).repositories_pane.places)
    strips = [list(strip) for strip in app.screen._compositor.render_strips()]
    return (asked, strips, len(app._said), app.clipboard, type(app.screen), id(focus), each, app._exit)


async def pressed(pilot: Pilot[Any], key: str) -> bool:
    """Whether a key was followed by something that can be noticed."""
    before = state(pilot)
    await pilot.press(key)
    for _ in range(40):
        if state(pilot) != before:
            return True
        await pilot.pause(STEP)
    return False


async def back(pilot: Pilot[Any], base: object) -> None:
    """Return to a screen below what is open."""
    app: Any = pilot.app
    app.keyboard.stop()
    while app.screen is not base:
        above = app.screen
        above.dismiss(None) if isinstance(above, ModalScreen) else app.pop_screen()
        await until(pilot, lambda above=above: app.screen is not above)  # type: ignore[misc]


async def in_the_middle(pilot: Pilot[Any]) -> None:
    """Put the cursor where it can go both ways."""
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
    await pilot.pause(STEP)


def whole(focus: object) -> bool:
    """Whether there is nowhere to go: one row, or a text that is in view from its top to its end."""
    if isinstance(focus, Rows):
        return len(focus.rows) == 1
    return isinstance(focus, Lines) and focus.max_scroll_y == 0


async def every_key(pilot: Pilot[Any], settle: Callable[[], Awaitable[object]]) -> list[str]:
    """The keys that did nothing and said nothing."""
    silent = []
    await settle()
    for key, name in keys_of(pilot).items():
        if name not in LEAVES and not (whole(pilot.app.focused) and name.startswith(("move.", "text."))):
            await settle()
            for choices in pilot.app.screen.query(OptionList):
                choices.highlighted = choices.option_count - 1 if name.endswith(("up", "previous")) else 0
            if not await pressed(pilot, key):
                silent.append(f"{key} ({name})")
    return silent


def world(folder: Path) -> Kits:
    """A registry with many tags of many files, and a store that kit filled."""
    shutil.copytree(FIXTURES / "kithome", folder / "home")
    kits = Kits(folder)
    files = {
        "one.py": b"pass\n",
        "table.csv": b"id,name\n" + b"".join(b"%d,row %d\n" % (line, line) for line in range(200)),
        "notes.md": b"# Notes\n\n" + b"".join(b"Paragraph %d.\n\n" % line for line in range(60)),
        "model.safetensors": safetensors({f"layers.{n}.weight": ("F32", [2, 2], b"\0" * 16) for n in range(60)}),
    }
    for number in range(20):
        kits.fraud.add_kit(f"more {number}", f"v2.{number}.0")
        kits.registry.repository(f"other-{number}").add_kit("x", "v1", "champion", "challenger", "rollback")
        kits.world.checks.append((f"Part {number}", Check("blobs", "good", "every blob was hashed")))
        moved = ("2026-11-20T10:00:00Z", "ada", "tag", kits.fraud.reference(), "champion", None, None, "")
        kits.ledger.history.append(Event(f"e{number}", *moved))
    for tag, more in (("tuned", b"tuned"), ("tuned-2", b"tuned again")):
        files["code.py"] = b"".join(b"%s(%d)\n" % (more, line) for line in range(200))
        layers = [(TAR, archive({f"model/{name}": body for name, body in files.items()}))]
        layers += [(CODE, tar(**{f"file{number}": more})) for number in range(20)]
        code = [{"path": f"src/{number}", "description": f"a part of {tag}"} for number in range(20)]
        kits.fraud.add_kit(tag, tag, layers=layers, model={"path": "model", "parameters": {"lr": 0.1}}, code=code)
    return kits


@pytest.mark.parametrize("pane", ["repositories", "tags", "layers", "details"])
async def test_every_key_of_the_panes(tmp_path: Path, pane: Any) -> None:
    async with world(tmp_path).app().run_test(notifications=True, size=(160, 30)) as pilot:
        await ready(pilot, "tuned")
        screen = browse(pilot)

        async def settle() -> None:
            await back(pilot, screen)
            screen.remove_class("-zoomed")
            for each in (screen.tags_pane, screen.repositories_pane, screen.layers_pane):
                each.close_filter()
            current = screen.tags_pane.current
            if pane in ("layers", "details") and (current is None or current.entry.name != "tuned"):
                screen.go("tags")
                await ready(pilot, "tuned")
            screen.go(pane)
            await until(pilot, lambda: screen.at == pane and screen.pane.has_focus_within)
            await in_the_middle(pilot)

        await settle()
        await quiet(pilot)
        assert await every_key(pilot, settle) == []


Opens = Callable[[Pilot[Any], Kits], Awaitable[object]]


@dataclass(frozen=True)
class Opened:
    """A screen, and how it is opened from the tags, with what on it has the keys."""

    kind: type[Screen[Any]]
    opens: Opens


def by(*keys: str) -> Opens:
    """By keys alone."""

    async def opens(pilot: Pilot[Any], kits: Kits) -> None:
        await pilot.press(*keys)

    return opens


def viewing(name: str) -> Opens:
    """A file of the first layer."""

    async def opens(pilot: Pilot[Any], kits: Kits) -> None:
        pane = browse(pilot).layers_pane
        browse(pilot).go("layers")
        pane.body.move_to(0)
        if name not in text_of(pilot):
            await pilot.press("l")
        await until(pilot, lambda: name in text_of(pilot))
        names = [row.node.name if isinstance(row, NodeRow) else "" for row in pane.body.rows]
        pane.body.move_to(names.index(f"model/{name}") if f"model/{name}" in names else names.index(name))
        await quiet(pilot)
        await pilot.press("v")
        await until(pilot, on(pilot, ViewerScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: screen.contents is not None)

    return opens


def comparing(*keys: str) -> Opens:
    """Two versions, read to the end."""

    async def opens(pilot: Pilot[Any], kits: Kits) -> None:
        app: Any = pilot.app
        app.open_comparison(Side(kits.fraud, Tag("tuned")), Side(kits.fraud, Tag("tuned-2")))
        await until(pilot, on(pilot, CompareScreen))
        screen: Any = app.screen
        await until(pilot, lambda: screen.comparison is not None and screen.comparison.complete)
        rows = screen.query_one("#changes", Rows)
        rows.move_to(next(number for number, row in enumerate(rows.rows) if row.title.endswith("code.py")))
        await pilot.press(*keys)

    return opens


async def finding(pilot: Pilot[Any], kits: Kits) -> None:
    """What every repository has."""
    await pilot.press("F")
    await until(pilot, on(pilot, InputDialog))
    await pilot.press("asterisk", "enter")
    await until(pilot, on(pilot, ChoiceDialog))
    await pilot.press("enter")


async def following(pilot: Pilot[Any], kits: Kits) -> None:
    """A value over the versions."""
    await pilot.press("i")
    await until(pilot, on(pilot, PickDialog))
    await pilot.press(*"package.name", "enter")
    await until(pilot, on(pilot, TimelineScreen))
    screen: Any = pilot.app.screen
    await until(pilot, lambda: screen._reading is None)


async def using(pilot: Pilot[Any], kits: Kits) -> None:
    """The disk usage of the store."""
    browse(pilot).open(kits.store.place, "", None)
    await until(pilot, lambda: browse(pilot).selection.place == kits.store.place)
    await quiet(pilot)
    await pilot.press("D")


async def logging_in(pilot: Pilot[Any], kits: Kits) -> None:
    """The registry's login."""
    await pilot.press("L")


async def talking(pilot: Pilot[Any], kits: Kits) -> None:
    """Enough messages to scroll."""
    for number in range(60):
        browse(pilot).program.toast(f"message {number}")
    await pilot.press("at")


OPENED = {
    "board": Opened(BoardScreen, by("b")),
    "history": Opened(HistoryScreen, by("H")),
    "transfers": Opened(TransfersScreen, by("T")),
    "doctor": Opened(DoctorScreen, by("C")),
    "find": Opened(FindScreen, finding),
    "usage": Opened(UsageScreen, using),
    "timeline": Opened(TimelineScreen, following),
    "viewer of a text": Opened(ViewerScreen, viewing("code.py")),
    "viewer of a line": Opened(ViewerScreen, viewing("one.py")),
    "viewer of a table": Opened(ViewerScreen, viewing("table.csv")),
    "viewer of Markdown": Opened(ViewerScreen, viewing("notes.md")),
    "viewer of tensors": Opened(ViewerScreen, viewing("model.safetensors")),
    "comparison, tree": Opened(CompareScreen, comparing()),
    "comparison, detail": Opened(CompareScreen, comparing("tab")),
    "versions to compare": Opened(PickDialog, by("d")),
    "things to follow": Opened(PickDialog, by("i")),
    "messages": Opened(MessagesDialog, talking),
    "help": Opened(HelpDialog, by("question_mark")),
    "promotion": Opened(PromotionDialog, by("c")),
    "plan": Opened(PlanDialog, by("x")),
    "unpacking": Opened(UnpackDialog, by("u")),
    "copying": Opened(ChoiceDialog, by("y")),
    "opening": Opened(InputDialog, by("o")),
    "login": Opened(LoginDialog, logging_in),
    "quitting": Opened(ConfirmDialog, by("asterisk", "q")),
}


def below(kind: type[Any]) -> Iterator[type[Any]]:
    """Every class that derives from one."""
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


def test_every_screen_of_the_program_is_opened_here() -> None:
    for module in pkgutil.walk_packages(kittui.tui.__path__, "kittui.tui."):
        importlib.import_module(module.name)
    of_kittui = {kind for kind in below(Screen) if kind.__module__.startswith("kittui.tui.")}
    bases = {base for kind in of_kittui for base in kind.__mro__[1:]}
    opened = {each.kind for each in OPENED.values()} | {MainScreen}
    assert of_kittui - bases <= opened


@pytest.mark.parametrize("name", OPENED)
async def test_every_key_of_a_screen(tmp_path: Path, name: str) -> None:
    kits, opened = world(tmp_path), OPENED[name]
    async with kits.app().run_test(notifications=True, size=(160, 30)) as pilot:
        await ready(pilot, "tuned")
        here: list[tuple[Screen[Any], Any]] = []

        async def settle() -> None:
            app = pilot.app
            screen, focus = here[-1] if here else (None, None)
            if screen not in app.screen_stack:
                await back(pilot, browse(pilot))
                browse(pilot).open(kits.registry.place, "fraud", None)
                await until(pilot, lambda: browse(pilot).at == "tags")
                await ready(pilot, "tuned")
                await opened.opens(pilot, kits)
                await until(pilot, on(pilot, opened.kind))
                await quiet(pilot)
                here.append((app.screen, app.focused))
            else:
                await back(pilot, screen)
                if isinstance(app.focused, Input) and app.focused is not focus:
                    await pilot.press("escape")
                if focus is not None and focus.is_attached and focus.display:
                    focus.focus()
            await in_the_middle(pilot)

        assert await asyncio.wait_for(every_key(pilot, settle), 240) == []

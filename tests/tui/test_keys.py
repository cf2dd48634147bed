"""Every key of browsing, and what is true after it."""

from __future__ import annotations

import asyncio
import base64
import html
import re
from collections.abc import AsyncIterator, Sequence

import pytest
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from kittui.errors import NotFound, Unreachable
from kittui.oci.protocols import RepositoryEntry
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.help import HelpDialog
from kittui.tui.dialogs.login import LoginDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame import clipboard
from kittui.tui.panes.layer_rows import PartRow
from kittui.tui.panes.pane import Note
from kittui.tui.panes.tree import FavouritesRow, PlaceRow, RepositoryRow
from kittui.tui.screens.arrangement import LAYOUTS
from kittui.tui.screens.sizing import side
from kittui.tui.style.keys import display_keys, parse_key
from kittui.tui.widgets.bars import HeaderBar, shorten_middle
from tests.tui.waiting import browse, listed, quiet, resize, text_of, to_registry, to_tags, until
from tests.tui.world import World, WorldSource, acme


class Below(Screen[None]):
    """A screen over the panes that says in its header what is under way."""

    def compose(self) -> ComposeResult:
        """The header alone."""
        yield HeaderBar()


def many(count: int = 60) -> World:
    """A world whose first place holds many repositories."""
    local = WorldSource(LOCAL)
    for number in range(count):
        local.repository(f"kit-{number:03}")
    return World(local)


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        (["down"], 1),
        (["j"], 1),
        (["j", "up"], 0),
        (["j", "k"], 0),
        (["end"], 60),
        (["G"], 60),
        (["G", "home"], 0),
        (["G", "g"], 0),
        (["pagedown"], 20),
        (["pagedown", "pagedown", "pageup"], 20),
    ],
)
async def test_moving(keys: list[str], row: int) -> None:
    app = many().app()
    async with app.run_test(notifications=True, size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press(*keys)
        rows = browse(pilot).repositories_pane.body
        assert rows.cursor == row
        assert rows.current in rows.in_view


@pytest.mark.parametrize("key", ["right", "l"])
async def test_expand_asks_a_registry_for_its_repositories(key: str) -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        registry = world.sources[Place("remote", "registry.acme.dev")]
        assert registry.asked["repositories"] == 0, "nothing is asked of a registry before it is opened"
        await pilot.press("j", "j", "j", key)
        await until(pilot, lambda: "vision/edge" in text_of(pilot))
        assert registry.asked["repositories"] == 1


@pytest.mark.parametrize("key", ["left", "h"])
async def test_collapse_goes_to_the_parent_and_then_folds(key: str) -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        rows = browse(pilot).repositories_pane.body
        await pilot.press("j", key)
        assert isinstance(rows.current, PlaceRow)
        await pilot.press(key)
        assert len(rows.rows) == 3


async def test_enter_slides_from_pane_to_pane_and_escape_back() -> None:
    async with acme().app().run_test(notifications=True, size=(80, 24)) as pilot:
        await to_tags(pilot)
        screen = browse(pilot)
        assert not screen.repositories_pane.display
        await pilot.press("enter")
        await quiet(pilot)
        assert [screen.at] == ["layers"]
        assert screen.details_pane.display
        await pilot.press("tab")
        assert [screen.at] == ["details"]
        for at in ("layers", "tags", "repositories"):
            await pilot.press("escape")
            assert screen.at == at
        assert screen.repositories_pane.display
        assert not screen.layers_pane.display


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        (["tab"], "tags"),
        (["tab", "tab", "tab", "tab"], "repositories"),
        (["shift+tab"], "details"),
        (["2"], "tags"),
        (["3"], "layers"),
        (["3", "1"], "repositories"),
        (["4"], "details"),
        (["5"], "details"),
    ],
)
async def test_panes(keys: list[str], at: str) -> None:
    async with acme().app().run_test(notifications=True, size=(120, 30)) as pilot:
        await listed(pilot)
        await pilot.press(*keys)
        await pilot.pause()
        screen = browse(pilot)
        assert screen.at == at
        assert screen.pane.body.has_focus
        if at == "details":
            assert screen.details_pane.tab == {"4": "kitfile", "5": "manifest"}.get(keys[-1], "kitfile")


@pytest.mark.parametrize("key", ["right", "l"])
async def test_tabs_of_the_details(key: str) -> None:
    async with acme().app().run_test(notifications=True, size=(120, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("4", key)
        await quiet(pilot)
        assert browse(pilot).details_pane.tab == "manifest"
        assert '"schemaVersion": 2' in text_of(pilot)
        await pilot.press({"right": "left", "l": "h"}[key])
        assert browse(pilot).details_pane.tab == "kitfile"


async def test_filter_shows_as_you_type_and_escape_clears() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        tags = browse(pilot).tags_pane
        await pilot.press("slash", "v", "1", ".")
        await pilot.pause()
        assert [row.target for row in tags.body.rows] == ["v1.1.0", "v1.0.0"]
        assert "2 of 9" in text_of(pilot)
        await pilot.press("enter")
        assert tags.body.has_focus
        assert tags.filter == "v1."
        await pilot.press("n")
        assert tags.current is not None
        assert tags.current.target == "v1.0.0"
        await pilot.press("N")
        assert tags.current.target == "v1.1.0"
        await pilot.press("escape")
        assert len(tags.body.rows) == 9
        assert tags.current.target == "v1.1.0", "the cursor stays on its row"


async def test_escape_while_typing_drops_the_filter() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("slash", "z", "q")
        await pilot.pause()
        assert "None of the 9 tags matches “zq”" in text_of(pilot)
        await pilot.press("escape")
        assert len(browse(pilot).tags_pane.body.rows) == 9
        assert browse(pilot).tags_pane.body.has_focus


async def test_filter_by_digest() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        tags = browse(pilot).tags_pane
        digest = tags.body.rows[0].digest
        assert digest is not None
        await pilot.press("slash", *digest.short)
        await pilot.pause()
        assert {row.target for row in tags.body.rows} == {"champion", "v1.0.0"}


async def test_filter_in_the_details_finds_lines_and_n_goes_on() -> None:
    async with acme().app().run_test(notifications=True, size=(160, 45)) as pilot:
        await to_tags(pilot)
        await pilot.press("4", "slash", *"path", "enter")
        assert "1 of " in text_of(pilot)
        await pilot.press("n")
        assert "2 of " in text_of(pilot)
        await pilot.press("N", "N")
        assert "5 of 5" in text_of(pilot)


async def test_filter_in_repositories_keeps_what_is_above() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        await pilot.press("1", "slash", *"edge")
        await pilot.pause()
        rows = browse(pilot).repositories_pane.body.rows
        assert [type(row) for row in rows] == [PlaceRow, RepositoryRow]
        assert "1 of 6" in text_of(pilot)


async def test_filter_in_layers() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("enter", "slash", *"validation")
        await pilot.pause()
        rows = browse(pilot).layers_pane.body.rows
        assert [type(row) is PartRow for row in rows] == [True, False]


async def test_sort_goes_through_the_orders() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        tags = browse(pilot).tags_pane

        def names() -> list[str]:
            return [row.entry.name or "" for row in tags.body.rows]

        assert names()[:5] == ["champion", "challenger", "rollback", "tuning", "retired"]
        await pilot.press("s")
        assert names() == sorted(names())
        await pilot.press("s")
        assert names()[0] in ("challenger", "v1.1.0")
        await pilot.press("s")
        sizes = [row.modelkit.size for row in tags.body.rows if row.modelkit]
        assert sizes == sorted(sizes, reverse=True)
        await pilot.press("s")
        assert tags.order == "stage"


async def test_sort_turns_repositories_around() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("s")
        rows = browse(pilot).repositories_pane.body.rows
        assert [row.entry.name for row in rows if isinstance(row, RepositoryRow)] == [
            "sentiment",
            "acme/fraud-detector",
        ]


async def test_group_puts_tags_on_one_digest_together() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("=")
        rows = browse(pilot).tags_pane.body.rows
        assert [row.target for row in rows[:4]] == ["champion", "v1.0.0", "challenger", "v1.1.0"]
        assert [row.ditto for row in rows[:4]] == [False, True, False, True]
        assert "″" in text_of(pilot)
        await pilot.press("=")
        assert not any(row.ditto for row in browse(pilot).tags_pane.body.rows)


async def test_space_marks_and_goes_on_and_u_unmarks() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        screen = browse(pilot)
        await pilot.press("space", "space")
        assert [mark.target for mark in screen.marks] == ["champion", "challenger"]
        assert "✎ 2 marked" in text_of(pilot)
        await pilot.press("k", "space")
        assert [mark.target for mark in screen.marks] == ["champion"]
        await pilot.press("U")
        assert screen.marks == ()
        assert "marked" not in text_of(pilot)


async def test_favourite_is_shown_first_and_kept() -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("j", "f")
        await until(pilot, lambda: world.saved == ["local://acme/fraud-detector"])
        assert isinstance(browse(pilot).repositories_pane.body.rows[0], FavouritesRow)
        await pilot.press("f")
        await until(pilot, lambda: world.saved == [])
        assert isinstance(browse(pilot).repositories_pane.body.rows[0], PlaceRow)


async def test_refresh_asks_again() -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        registry = world.sources[Place("remote", "registry.acme.dev")]
        registry.repository("acme/fraud-detector").add({"package": {}}, [], "brand-new")
        assert registry.asked["tags"] == 1
        await pilot.press("r")
        await until(pilot, lambda: "brand-new" in text_of(pilot))
        assert registry.asked["tags acme/fraud-detector"] == 2


async def test_refresh_sees_a_tag_that_moved() -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(160, 45)) as pilot:
        await to_registry(pilot)
        repository = world.sources[Place("remote", "registry.acme.dev")].repository("acme/fraud-detector")
        assert "./model" in text_of(pilot)
        repository.named["champion"] = repository.named["tuning"]
        await pilot.press("r")
        await quiet(pilot)
        rows = {row.target: row.digest for row in browse(pilot).tags_pane.body.rows}
        assert rows[Tag("champion")] == repository.named["tuning"]
        assert "./model" not in text_of(pilot)  # neither among the layers nor in the Kitfile
        assert "version: 1.2.0" in text_of(pilot)


async def test_refresh_in_repositories_asks_the_place() -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        world.sources[LOCAL].repository("new/one")
        await pilot.press("r")
        await until(pilot, lambda: "new/one" in text_of(pilot))


class Terminal:
    """Collects what the program writes besides its screen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: list[str] = []
        from textual.drivers.headless_driver import HeadlessDriver

        monkeypatch.setattr(HeadlessDriver, "write", lambda _, text: self.written.append(text))

    @property
    def copied(self) -> str:
        """What the last OSC 52 says."""
        sequence = next(text for text in reversed(self.written) if "]52;c;" in text)
        return base64.b64decode(sequence.split("]52;c;")[1].rstrip("\x07")).decode()


@pytest.mark.parametrize(
    ("down", "text"),
    [
        (0, "registry.acme.dev/acme/fraud-detector:champion"),
        (1, "remote://registry.acme.dev/acme/fraud-detector:champion"),
        (2, "DIGEST"),
        (3, "registry.acme.dev/acme/fraud-detector@DIGEST"),
        (4, "kit pull registry.acme.dev/acme/fraud-detector:champion"),
    ],
)
async def test_copy(down: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    terminal = Terminal(monkeypatch)
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        current = browse(pilot).tags_pane.current
        assert current is not None
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press(*["down"] * down, "enter")
        await until(pilot, lambda: any("]52;" in each for each in terminal.written))
        expected = text.replace("DIGEST", str(current.digest))
        assert terminal.copied == expected
        assert pilot.app.clipboard == expected
        assert terminal.written[-1].endswith("\x07")
        await until(pilot, lambda: "Copied" in text_of(pilot))


async def test_copy_passes_through_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    terminal = Terminal(monkeypatch)
    async with acme().app().run_test(notifications=True) as pilot:
        await listed(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: any("tmux" in each for each in terminal.written))
        # tmux takes the one or the other, as it is set.
        assert terminal.written[-2] == "\x1b]52;c;bG9jYWw6Ly8=\x07"
        assert terminal.written[-1] == "\x1bPtmux;\x1b\x1b]52;c;bG9jYWw6Ly8=\x1b\x1b\\\x1b\\"


async def test_a_sequence_is_written_to_the_terminal_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module uses a private name of Textual's: this is where a newer Textual says that it has gone."""
    terminal = Terminal(monkeypatch)
    app = acme().app()
    clipboard.write(app, "before there is a terminal")
    async with app.run_test() as pilot:
        await listed(pilot)
        clipboard.write(app, "\x1b]0;as it is\x07")
        assert terminal.written[-1] == "\x1b]0;as it is\x07"
        assert "before there is a terminal" not in terminal.written


async def test_copy_a_layer_digest() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("enter")
        await quiet(pilot)
        layer = browse(pilot).layers_pane.current_layer
        assert layer is not None
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.clipboard == str(layer.digest))


async def test_copy_the_manifest_as_received() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("5")
        await quiet(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("k", "k", "j", "up", "down", "enter")
        row = browse(pilot).tags_pane.current
        assert row is not None
        assert row.modelkit is not None
        raw = row.modelkit.manifest.raw.decode()
        await until(pilot, lambda: pilot.app.clipboard == raw)


async def test_escape_in_a_dialog_does_nothing() -> None:
    async with acme().app().run_test(notifications=True) as pilot:
        await listed(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert pilot.app.clipboard == ""


async def test_open_a_typed_repository_where_there_is_no_catalog() -> None:
    world = acme()
    world.sources[Place("remote", "ghcr.io")].repository("acme/llm").add({"package": {}}, [], "v1")
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await pilot.press(*"ghcr.io/acme/llm:v1", "enter")
        await until(pilot, lambda: browse(pilot).at == "tags")
        await quiet(pilot)
        assert "ghcr.io › acme/llm › v1" in text_of(pilot)
        rows = browse(pilot).repositories_pane.body.rows
        assert any(isinstance(row, RepositoryRow) and row.typed for row in rows)


async def test_open_says_what_is_wrong_with_a_reference() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await pilot.press(*"ftp://x", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, InputDialog)
        assert "ftp:// is not a source" in text_of(pilot)


async def test_open_completes_known_repositories() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await pilot.press(*"senti", "tab", "enter")
        await until(pilot, lambda: browse(pilot).at == "tags")
        repository = browse(pilot).tags_pane.repository
        assert repository is not None
        assert repository.name == "sentiment"


async def test_login_tries_and_then_asks_the_registry_again() -> None:
    from kittui.errors import Unauthorized

    world = acme()
    registry = world.sources[Place("remote", "registry.acme.dev")]
    registry.failing["repositories"] = Unauthorized("401 from registry.acme.dev")
    world.login_error = Unauthorized("the registry refused this password")
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: "registry.acme.dev requires a login" in text_of(pilot))
        await pilot.press("L")
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        await pilot.press(*"ann", "enter", *"secret", "enter")
        await until(pilot, lambda: "refused this password" in text_of(pilot))
        assert "secret" not in text_of(pilot)
        world.login_error = None
        registry.failing.clear()
        await pilot.press("enter")
        await until(pilot, lambda: "vision/edge" in text_of(pilot))
        assert world.logins[-1] == ("registry.acme.dev", "ann", "secret")


async def test_login_is_not_offered_for_the_store() -> None:
    async with acme().app().run_test(notifications=True, size=(160, 45)) as pilot:
        await listed(pilot)
        assert "Log in" not in text_of(pilot)
        await pilot.press("L")
        assert pilot.app.screen is browse(pilot)


async def test_help_says_why_a_key_does_nothing_here() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 70)) as pilot:
        await listed(pilot)
        await pilot.press("?")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpDialog))
        shown = text_of(pilot)
        assert "Filter as you type" in shown
        assert "Login works only on a registry" in shown, "the cursor is in the store"
        assert "Ctrl+P" in shown
        await pilot.press("escape")
        assert pilot.app.screen is browse(pilot)


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_palette_runs_commands(key: str) -> None:
    from textual.command import CommandPalette

    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette))
        await pilot.press(*"theme: light")
        await until(pilot, lambda: "Theme: light" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.theme == "kittui-light")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quit(key: str) -> None:
    app = acme().app()
    async with app.run_test(notifications=True) as pilot:
        await listed(pilot)
        await pilot.press(key)
        await pilot.pause()
        assert app._exit


async def test_quit_asks_while_a_transfer_runs() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        app.activity("transfers", "⬇ 1 pull 62 %")
        await pilot.pause()
        assert "⬇ 1 pull 62 %" in text_of(pilot)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("escape")
        assert not app._exit
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmDialog))
        assert not app._exit, "what is under way does not end by Enter alone"
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("up", "enter")
        await until(pilot, lambda: app._exit)


async def test_keymap_moves_a_key_and_the_footer_follows() -> None:
    async with acme(keymap={"refresh": ["f5"]}).app().run_test(notifications=True, size=(160, 45)) as pilot:
        await listed(pilot)
        assert "F5 Refresh" in text_of(pilot).replace("f5", "F5")


@pytest.mark.parametrize(
    ("keymap", "says"),
    [
        ({"refrehs": ["f5"]}, "keymap.refrehs: there is no such command; did you mean refresh?"),
        ({"reload everything": ["f5"]}, "there is no such command; docs/keys.md lists them."),
        ({"refresh": ["ctrl+b"]}, "it can't have ctrl+b: terminals and tmux take it"),
        ({"refresh": ["alt+x"]}, "it can't have alt+x"),
        ({"refresh": []}, "no key is given"),
        ({"refresh": ["pagedwn"]}, "there is no key 'pagedwn'; did you mean pagedown?"),
        ({"refresh": ["C-d"]}, "there is no key 'C-d'; did you mean ctrl+d?"),
        ({"refresh": ["shift+d"]}, "there is no key 'shift+d'; write 'D'"),
        ({"refresh": ["hyper+d"]}, "there is no key 'hyper+d'"),
    ],
)
async def test_keymap_mistakes_are_said_and_the_defaults_stay(keymap: dict[str, list[str]], says: str) -> None:
    """A command whose keys can't be used keeps those that it has."""
    app = acme(keymap=keymap).app()
    async with app.run_test(notifications=True, size=(160, 45)) as pilot:
        await listed(pilot)
        await until(pilot, lambda: any(says in each.message for each in app._notifications))
        assert app.ports.keys["refresh"] == "r"
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))


async def test_a_command_has_several_keys_and_footer_help_and_palette_show_them_all() -> None:
    app = acme(keymap={"copy": ["Ctrl+D", "question_mark", "F8"], "help": ["f1", "?"]}).app()
    async with app.run_test(notifications=True, size=(160, 70)) as pilot:
        await to_tags(pilot)
        assert "Ctrl+D/?/F8 Copy" in text_of(pilot)
        for key in ("ctrl+d", "question_mark", "f8"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
            await pilot.press("escape")
        await pilot.press("y")
        assert not isinstance(pilot.app.screen, ChoiceDialog), "the keys replace the former one"
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpDialog))
        assert "Ctrl+D ? F8 Copy" in " ".join(text_of(pilot).split())
        await pilot.press("escape")
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert "Copy  Ctrl+D ? F8" in titles


@pytest.mark.parametrize(
    ("keymap", "keys", "said"),
    [
        (
            {"refresh": ["y"]},
            {"refresh": "y", "copy": "Ctrl+P Copy"},
            ["c.yaml:4: keymap.refresh: y was copy's; copy has no key now; use the palette"],
        ),
        (
            {"refresh": ["j"]},
            {"refresh": "j", "move.down": "↓", "text.down": "↓"},
            [
                "c.yaml:4: keymap.refresh: j was move.down's; move.down has ↓",
                "c.yaml:4: keymap.refresh: j was text.down's; text.down has ↓",
            ],
        ),
        (
            {"refresh": ["f5", "f6"], "copy": ["F5"]},
            {"refresh": "F6", "copy": "F5"},
            ["c.yaml:5: keymap.copy: F5 was refresh's; refresh has F6"],
        ),
        ({"refresh": ["y"], "copy": ["r"]}, {"refresh": "y", "copy": "r"}, []),
        # What all dialogs have and what one of them has can't have one key; a dialog and the panes can.
        (
            {"messages.copy": ["q"]},
            {"messages.copy": "q", "dialog.cancel": "Esc", "quit": "Ctrl+P Quit"},
            [
                "c.yaml:4: keymap.messages.copy: q was quit's; quit has no key now; use the palette",
                "c.yaml:4: keymap.messages.copy: q was dialog.cancel's; dialog.cancel has Esc",
            ],
        ),
        ({"dialog.look": ["c", "t"]}, {"dialog.look": "c", "retag": "t", "promote": "c"}, []),
        # Screens have q for going back beside the program's own q.
        ({"quit": ["q", "f10"]}, {"quit": "q", "history.close": "Esc"}, []),
    ],
)
def test_a_key_that_is_taken_moves_and_that_is_said_with_its_line(
    keymap: dict[str, list[str]], keys: dict[str, str], said: list[str]
) -> None:
    places = {name: f"c.yaml:{number}" for number, name in enumerate(keymap, 4)}
    names = acme(keymap=keymap, keymap_places=places).app().ports.keys
    _, problems = names.usable()
    assert {name: names[name] for name in keys} == keys
    assert problems == said


async def test_a_command_that_lost_its_key_is_in_the_palette_without_one() -> None:
    app = acme(keymap={"refresh": ["y"]}).app()
    async with app.run_test(notifications=True, size=(160, 45)) as pilot:
        await to_tags(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Refresh  y", "Copy"} <= titles
        assert "unbound" not in text_of(pilot)
        footer = text_of(pilot).splitlines()[-1]
        assert "y Refresh" in footer
        assert "Copy" not in footer, "a key that nobody can press is no hint"


async def test_what_takes_a_change_back_is_named_though_it_lost_its_key() -> None:
    app = acme(keymap={"refresh": ["z"]}).app()
    async with app.run_test(notifications=True, size=(160, 45)) as pilot:
        await listed(pilot)
        app.toast("1 tag removed", undo="undo")
        said = "1 tag removed\nCtrl+P Undo undoes it"
        await until(pilot, lambda: said in [each.message for each in app._notifications])


def test_without_a_key_for_the_palette_a_command_is_named_by_its_label() -> None:
    names = acme(keymap={"refresh": ["z"], "copy": [":", "ctrl+p"]}).app().ports.keys
    assert names["undo"] == "Undo"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("?", "question_mark"),
        ("question_mark", "question_mark"),
        ("ctrl+d", "ctrl+d"),
        ("Ctrl+D", "ctrl+d"),
        ("shift+ctrl+Up", "ctrl+shift+up"),
        ("F12", "f12"),
        ("Esc", "escape"),
        ("PgDn", "pagedown"),
        ("→", "right"),
        ("Space", "space"),
        ("-", "minus"),
        ("minus", "minus"),
        (",", "comma"),
        ("ä", "ä"),
        ("G", "G"),
        ("shift+tab", "shift+tab"),
    ],
)
def test_keys_are_taken_as_textual_spells_them_and_as_they_are_shown(written: str, key: str) -> None:
    assert parse_key(written) == key


def test_every_key_that_is_shown_can_be_written() -> None:
    for binding in acme().app().ports.keys.all.values():
        for key in binding.key.split(","):
            shown = display_keys(key)[0]
            assert parse_key(shown) == parse_key(key), (key, shown)
            assert "_" not in shown


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_resize_keeps_the_selection(size: tuple[int, int]) -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await to_tags(pilot)
        await pilot.press("j", "j")
        await resize(pilot, (50, 12))
        assert "kittui needs 60 columns and 15 rows" in text_of(pilot)
        await resize(pilot, size)
        row = browse(pilot).tags_pane.current
        assert row is not None
        assert row.target == "rollback"
        assert browse(pilot).at == "tags"
        assert browse(pilot).tags_pane.body.has_focus
        assert "rollback" in text_of(pilot)


@pytest.mark.parametrize(
    ("size", "classes"),
    [
        ((160, 45), {"-wide", "-roomy"}),
        ((149, 45), {"-wide", "-snug"}),
        ((119, 45), {"-narrow"}),
        ((59, 45), {"-tiny"}),
        ((160, 14), {"-tiny"}),
    ],
)
async def test_the_layout_is_the_size_s(size: tuple[int, int], classes: set[str]) -> None:
    """From the start, and the same when the terminal becomes that size."""
    async with acme().app().run_test(notifications=True, size=size) as pilot:
        assert classes == set(LAYOUTS) & set(browse(pilot).classes)
        for other in ((160, 45), (130, 40), (100, 30), (20, 5)):
            await resize(pilot, other)
            await resize(pilot, size)
            await until(pilot, lambda: classes == set(LAYOUTS) & set(browse(pilot).classes))


@pytest.mark.parametrize("width", [62, 80, 100, 120, 160])
async def test_every_tab_is_in_the_title(width: int) -> None:
    """By its number at least, whichever is shown, with nothing cut at the end."""
    async with acme().app().run_test(notifications=True, size=(width, 30)) as pilot:
        await to_tags(pilot)
        browse(pilot).go("details")
        pane = browse(pilot).details_pane
        for tab in pane.tabs[:3]:
            pane.turn_to(tab.id)
            await until(pilot, lambda: pane.title_bar.size.width > 0)
            await quiet(pilot)
            line = str(pane.title_bar.render())
            assert tab.title in line
            assert "…" not in line
            assert all(f"{number} " in line for number in (4, 5, 6))


async def test_without_a_tag_the_layers_say_so_in_their_midst() -> None:
    """What was shown of the tag before is gone, so the words have the room of the rows."""
    async with acme().app().run_test(notifications=True, size=(160, 45)) as pilot:
        await to_tags(pilot)
        pane = browse(pilot).layers_pane
        assert pane.filled
        pane.show(None)
        assert not pane.filled
        assert pane.query_one(Note).has_class("panel")
        assert not pane.query_one(Note).has_class("line")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("as it is", "as it is"),
        ("oci:/tmp/models/acme/fraud-detector:v1.1.0", "oci:/tm…tor:v1.1.0"),
        ("模" * 20, "模模模…模模模模模"),
    ],
)
def test_a_text_is_cut_in_its_middle(text: str, cut: str) -> None:
    assert shorten_middle(text, 18) == cut


async def test_start_opens_what_was_named() -> None:
    app = acme().app("registry.acme.dev/acme/fraud-detector:v1.1.0")
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await until(pilot, lambda: browse(pilot).at == "tags" and browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        row = browse(pilot).tags_pane.current
        assert row is not None
        assert row.target == "v1.1.0"


async def test_start_is_not_moved_away_by_a_listing_that_was_under_way() -> None:
    """The store is listed at once, and again for what was named; the first listing may come last."""
    world = acme()
    local = world.sources[LOCAL]
    listing, late = local.repositories, asyncio.Event()
    calls: list[int] = []

    async def slow_at_first() -> AsyncIterator[Sequence[RepositoryEntry]]:
        calls.append(1)
        if len(calls) == 1:
            await late.wait()
            yield [RepositoryEntry(f"removed-{number}") for number in range(3)]
        async for page in listing():
            yield page

    local.repositories = slow_at_first  # type: ignore[method-assign]
    app = world.app("local://sentiment:latest")
    async with app.run_test(notifications=True, size=(160, 45)) as pilot:
        await until(pilot, lambda: len(calls) == 2 and browse(pilot).tags_pane.current is not None)
        late.set()
        await quiet(pilot)
        row, current = browse(pilot).repositories_pane.current, browse(pilot).tags_pane.current
        assert browse(pilot).at == "tags"
        assert current is not None
        assert (current.repository.name, current.target) == ("sentiment", "latest")
        assert isinstance(row, RepositoryRow)
        assert row.entry.name == "sentiment"
        assert "removed" not in text_of(pilot)


async def test_start_with_nonsense_says_so() -> None:
    async with acme().app("ftp://x").run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await until(pilot, lambda: "ftp:// is not a source" in text_of(pilot))


async def test_mouse_clicks_choose_open_and_run() -> None:
    async with acme().app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        rows = browse(pilot).repositories_pane.body
        await pilot.click(rows, offset=(6, 1))
        assert rows.cursor == 1
        await pilot.click(rows, offset=(6, 1), times=2)
        await until(pilot, lambda: browse(pilot).at == "tags")
        await quiet(pilot)
        at = text_of(pilot).splitlines()[-1].index("Copy")
        await pilot.click(None, offset=(at, 29))
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))


async def test_no_two_commands_share_a_key() -> None:
    from kittui.tui.app import PARTS

    live: dict[tuple[str, ...], list[str]] = {}
    for command in (command for part in PARTS for command in part.commands):
        for key in command.keys.split(","):
            live.setdefault((key, command.enabled.__name__), []).append(command.id)
    assert not [ids for ids in live.values() if len(ids) > 1]


async def test_risk_shows_its_tab() -> None:
    async with acme().app().run_test(notifications=True, size=(160, 45)) as pilot:
        await to_tags(pilot)
        await pilot.press("8")
        await until(pilot, lambda: browse(pilot).details_pane.tab == "risk")
        assert browse(pilot).at == "details"


async def test_a_layer_that_cannot_be_read_says_so_below_it() -> None:
    async with acme().app().run_test(notifications=True, size=(160, 45)) as pilot:
        await to_tags(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "world keeps no blobs" in text_of(pilot))
        assert browse(pilot).at == "layers"
        await pilot.press("h")
        await until(pilot, lambda: "keeps no blobs" not in text_of(pilot))


async def test_at_80_columns_name_stage_and_age_stay() -> None:
    async with acme().app().run_test(notifications=True, size=(80, 24)) as pilot:
        await to_registry(pilot)
        lines = text_of(pilot).splitlines()
        titles = next(line for line in lines if " tag " in line)
        assert all(title in titles for title in ("tag", "age", "stage"))
        row = next(line for line in lines if " v0.9.0 " in line)
        assert "rollback" in row
        assert "61 d" in row


CHANGES = ["c", "R", "t", "x", "p", "u", "z", "f", "space", "slash", "o", "colon", "enter", "escape", "at", "s"]


async def test_keys_below_the_smallest_size_do_nothing() -> None:
    async with acme().app().run_test(notifications=True, size=(80, 24)) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        before = screen.selection
        await resize(pilot, (50, 12))
        await until(pilot, lambda: "kittui needs 60 columns and 15 rows" in text_of(pilot))
        await pilot.press(*CHANGES)
        await quiet(pilot)
        assert pilot.app.screen is screen
        assert screen.selection == before
        assert screen.tags_pane.order == "stage"
        await resize(pilot, (80, 24))
        await pilot.press("space")
        await until(pilot, lambda: len(screen.marks) == 1)


async def test_a_dialog_that_a_small_terminal_hides_takes_no_keys_and_says_why() -> None:
    async with acme().app().run_test(notifications=True, size=(80, 24)) as pilot:
        await to_registry(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await resize(pilot, (50, 12))
        await pilot.press("enter")
        await until(pilot, lambda: any("this terminal has 50" in note.message for note in pilot.app._notifications))
        assert isinstance(pilot.app.screen, ChoiceDialog)
        await resize(pilot, (80, 24))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def test_q_leaves_a_terminal_that_is_too_small() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(50, 12)) as pilot:
        await until(pilot, lambda: "kittui needs 60 columns" in text_of(pilot))
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


async def test_log_out_asks_first_and_forgets() -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("O")
        await until(pilot, lambda: any("only on a registry" in each.message for each in pilot.app._notifications))
        await to_registry(pilot)
        await pilot.press("O")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")
        assert world.logouts == [], "the cursor is on Cancel"
        await pilot.press("O")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("k", "enter")
        await until(pilot, lambda: world.logouts == ["registry.acme.dev"])


async def test_a_source_is_closed_and_what_is_none_does_not_stay() -> None:
    world = acme()
    async with world.app().run_test(notifications=True, size=(120, 35)) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).repositories_pane
        await pilot.press("space", "1", "Q")
        await until(pilot, lambda: any("Put the cursor on a source" in n.message for n in pilot.app._notifications))
        labels = [getattr(row, "label", "") for row in pane.body.rows]
        pane.body.move_to(labels.index("registry.acme.dev"))
        await pilot.press("Q")
        await until(pilot, lambda: all("acme.dev" not in str(row.entry.place) for row in pane.places))
        await quiet(pilot)
        assert pane.current is not None
        assert not browse(pilot).marks
        assert "registry.acme.dev" not in text_of(pilot).splitlines()[0]
        folder = Place("oci", directory="/etc")
        bad = world.sources.setdefault(folder, WorldSource(folder))
        bad.failing["repositories"] = NotFound("/etc is not an OCI image layout", hint="A layout is a folder.")
        await pilot.press("o", *"oci:/etc", "enter")
        await until(pilot, lambda: any("not an OCI image layout" in n.message for n in pilot.app._notifications))
        await quiet(pilot)
        assert all(row.entry.place != folder for row in pane.places)
        assert pane.current is not None


def test_keys_are_written_as_on_the_keyboard() -> None:
    from kittui.tui.app import PARTS
    from kittui.tui.frame.keymap import KeyNames
    from kittui.tui.frame.program import Program

    keys = KeyNames([command.binding for part in PARTS for command in part.commands] + list(Program.BINDINGS))
    names = {
        key.strip(): shown for each in keys.all.values() for key in each.key.split(",") for shown in display_keys(key)
    }
    assert not {key: shown for key, shown in names.items() if "_" in shown or shown in ("at", "comma", "plus")}
    assert names["at"] == "@"


@pytest.mark.parametrize("width", [120, 149, 150, 189, 190, 240])
async def test_the_sides_have_the_sizes_that_others_are_fitted_beside(width: int) -> None:
    async with acme().app().run_test(size=(width, 40)) as pilot:
        await listed(pilot)
        screen = browse(pilot)
        found = {"repositories": screen.repositories_pane.size.width, "details": screen.details_pane.size.width}
        assert found == {name: side(name, width) for name in found}


async def test_a_pane_that_has_all_the_room_is_not_made_larger() -> None:
    world = acme()
    async with world.app().run_test(size=(160, 40), notifications=True) as pilot:
        await listed(pilot)
        before = browse(pilot).repositories_pane.size.width
        await pilot.press("+", ">")
        await until(pilot, lambda: "This pane is zoomed; + ends that." in text_of(pilot))
        await pilot.press("+")
        await until(pilot, lambda: browse(pilot).repositories_pane.size.width == before)
        assert world.sizes == {}


async def test_what_is_over_is_taken_from_every_screen_below_a_dialog() -> None:
    app = acme().app()
    async with app.run_test(size=(160, 40)) as pilot:
        await listed(pilot)
        below = Below()
        await app.push_screen(below)
        app.activity("copy", "verifying 99 %")
        assert below.query_one(HeaderBar).doing == ("verifying 99 %",)
        await app.push_screen(ConfirmDialog("Leave", ["Leave?"], "Leave"))
        app.activity("copy", None)
        assert below.query_one(HeaderBar).doing == ()


async def test_ctrl_c_keeps_what_is_typed_and_says_how_to_leave() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press(*"abc", "ctrl+c")
        await until(pilot, lambda: any("Ctrl+C does not quit" in each.message for each in app._notifications))
        assert app.screen.query_one(Input).value == "abc"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is browse(pilot))
        await pilot.press("slash", "x", "ctrl+c")
        assert not app._exit
        assert browse(pilot).pane.filter == "x"


async def test_ctrl_c_closes_a_dialog_without_a_text() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.screen is browse(pilot))
        assert not app._exit


async def test_one_q_too_many_after_a_screen_does_not_quit(monkeypatch: pytest.MonkeyPatch) -> None:
    from kittui.tui.frame import leaving

    monkeypatch.setattr(leaving, "AGAIN", 3600.0)
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        await pilot.press("T")
        await until(pilot, lambda: app.screen is not browse(pilot))
        await pilot.press("q", "q")
        await until(pilot, lambda: any("q again quits" in each.message for each in app._notifications))
        assert not app._exit
        monkeypatch.setattr(leaving, "AGAIN", 0.0)
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


async def test_quit_asks_while_rows_are_marked() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        await pilot.press("space", "q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "1 row marked" in text_of(pilot)
        assert not app._exit


async def test_escape_and_a_dialog_take_away_what_is_said_and_messages_keep_it() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        at = screen.pane
        app.fail(Unreachable("registry.acme.dev does not answer", hint="Try again."))
        await until(pilot, lambda: len(app._notifications) == 1)
        await pilot.press("escape")
        await until(pilot, lambda: not app._notifications)
        assert screen.pane is at, "the next Esc goes back"
        await pilot.press("escape")
        await until(pilot, lambda: screen.pane is not at)
        app.fail(Unreachable("registry.acme.dev does not answer", hint="Try again."))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
        assert not app._notifications
        await pilot.press("escape", "at")
        await until(pilot, lambda: text_of(pilot).count("does not answer") == 2)


async def test_what_a_command_says_stays_over_the_dialog_it_opens_next() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await to_registry(pilot)
        app.notify("said before")

        async def work() -> None:
            app.notify("could not be saved")
            await app.ask(ConfirmDialog("Again", ["Once more?"], "Yes"))

        app.run_command("Save", work())
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "could not be saved" in [each.message for each in app._notifications]


def test_how_long_something_is_said_follows_from_its_length() -> None:
    from kittui.tui.frame.sayings import shown_for

    assert shown_for("", over=False) == 4
    assert shown_for("x" * 80, over=False) == 6
    assert shown_for("x" * 5000, over=False) == 8
    assert shown_for("x" * 5000, over=True) == 4


async def test_without_utf8_nothing_but_ascii_is_drawn() -> None:
    async with acme(ascii_marks=True).app().run_test(size=(120, 35)) as pilot:
        await to_registry(pilot)
        svg = html.unescape(pilot.app.export_screenshot())
        drawn = "".join(re.findall(r"<text [^>]*>([^<]*)</text>", svg)).replace("\xa0", " ")
        assert "champion" in drawn
        assert drawn.isascii(), {each for each in drawn if not each.isascii()}


async def test_a_key_that_nothing_is_bound_to_says_so() -> None:
    app = acme().app()
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("m")
        await until(pilot, lambda: any("m does nothing here" in each.message for each in app._notifications))


async def test_help_begins_with_what_is_used_most_and_is_filtered() -> None:
    app = acme().app()
    async with app.run_test(size=(120, 150)) as pilot:
        await to_registry(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: "Pull into the local store" in text_of(pilot))
        shown = text_of(pilot)
        assert shown.index("Pull into the local store") < shown.index("Next row")
        await pilot.press("slash", *"champion roll")
        await until(pilot, lambda: "Move champion back to what rollback holds" in text_of(pilot))
        assert "Pull into the local store" not in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "Pull into the local store" in text_of(pilot))
        assert isinstance(app.screen, HelpDialog)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is browse(pilot))

"""Whole bursts in a real terminal: what is typed ahead goes into what opens, and no move overtakes a command."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding

from kittui.tui.app import PARTS
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from tests.tui.ptys import HERE, Program
from tests.tui.waiting import EARLY

State = dict[str, Any]

INPUTS = {
    "/": "MainScreen",
    "o": "InputDialog",
    "t": "InputDialog",
    "c": "PromotionDialog",
    "R": "PromotionDialog",
    "x": "PlanDialog",
    "L": "LoginDialog",
    "F": "InputDialog",
    ":": "CommandPalette",
    "u": "UnpackDialog",
    "d": "PickDialog",
    "i": "PickDialog",
}
"""Keys that open something to type into, on a tag of a registry."""
LISTS = {
    "b": "BoardScreen",
    "H": "HistoryScreen",
    "@": "MessagesDialog",
    "y": "ChoiceDialog",
    "p": "PlanDialog",
    "a": "ChoiceDialog",
    "T": "TransfersScreen",
    "C": "DoctorScreen",
    "X": "ChoiceDialog",
    "O": "ConfirmDialog",
    "?": "HelpDialog",
}
"""Keys that open something to choose from or to read."""
ELSEWHERE = {"w", "v", "S", "V", "e", "vertical_line", "P", "D"}
"""Keys that need a file, or a tag of the store, under the cursor."""


class Terminal:
    """The program, and the last state that it wrote down."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self._path = folder / "state.json"

    def until(self, condition: Callable[[State], object], what: str) -> State:
        """Wait for a state; the test fails where it never comes."""
        end = time.monotonic() + 30
        state: State = {}
        while time.monotonic() < end:
            self.program.read(0.05)
            if self._path.exists():
                state = json.loads(self._path.read_text())
                if condition(state):
                    return state
        raise AssertionError(f"{what} never came true: {state}")

    def burst(self, keys: str) -> None:
        """Write everything at once."""
        self.program.press(keys)

    def back(self) -> None:
        """To the tags, with nothing open above them, whatever was opened."""

        def home(state: State) -> bool:
            return bool(state["depth"] == 1 and state["input"] is None and not state["waits"])

        def closer(depth: int, state: State) -> bool:
            return bool(state["depth"] < depth) or home(state)

        for _ in range(3):
            state = self.until(lambda state: not state["waits"], "quiet")
            if home(state):
                break
            self.burst("\x1b")
            self.until(partial(closer, state["depth"]), "back")
        self.until(home, "the panes")


@pytest.fixture(params=[0.0, 0.3], ids=["fast", "slow"])
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    with Program(str(HERE / "typing_program.py"), str(tmp_path), str(request.param), size=(120, 40)) as program:
        terminal = Terminal(program, tmp_path)
        terminal.until(lambda state: state["at"] == "champion", "the tags")
        terminal.burst("2")
        terminal.until(lambda state: state["pane"] == "tags", "pane 2")
        yield terminal


def opened(screen: str, typing: bool, state: State) -> bool:
    """Whether a screen is open, and everything that was typed has arrived."""
    return bool(state["screen"] == screen and not state["waits"] and (state["input"] is not None or not typing))


def test_what_is_typed_ahead_goes_into_what_opens(terminal: Terminal) -> None:
    for key, screen in INPUTS.items():
        terminal.burst(f"{key}  jxz")
        state = terminal.until(partial(opened, screen, True), key)
        assert state["input"].endswith("jxz"), (key, state)
        assert (state["marks"], state["at"]) == ([], "champion") or key == "/", (key, state)
        terminal.back()
        terminal.until(lambda now: now["at"] == "champion", "the cursor")
    for key, screen in LISTS.items():
        terminal.burst(f"{key} j")
        state = terminal.until(partial(opened, screen, False), key)
        assert (state["marks"], state["at"]) == ([], "champion"), (key, state)
        terminal.back()


def test_every_key_that_opens_something_is_tried() -> None:
    keys = {"question_mark": "?", "slash": "/", "colon": ":"}
    opening = {
        command.id: keys.get(key := command.keys.partition(",")[0], key)
        for part in PARTS
        for command in part.commands
        if command.heading != "Panes"
    }
    quiet = {
        "reverse",
        "sort",
        "mark",
        "mark-all",
        "unmark",
        "group",
        "favourite",
        "refresh",
        "next",
        "previous",
        "undo",
        "redo",
    }
    quiet |= {"history", "reverse", "close"}
    missing = {name: key for name, key in opening.items() if name not in quiet}
    assert set(missing.values()) <= {*INPUTS, *LISTS, *ELSEWHERE}, missing


def closed(screen: str, state: State) -> bool:
    """Whether a screen is on top again, with nothing to type into."""
    return bool(state["screen"] == screen and not state["waits"] and state["input"] is None)


def nearer(screen: str, before: State, state: State) -> bool:
    """Whether an Esc has closed something."""
    less = state["depth"] < before["depth"] or (state["input"] is None) > (before["input"] is None)
    return closed(screen, state) or bool(less and not state["waits"])


BOARD = {"c": "PromotionDialog", "R": "PromotionDialog", "t": "InputDialog", "/": "BoardScreen"}
"""Keys of the board that open something to type into."""
BOARD_LISTS = {"a": "ChoiceDialog", "o": "ChoiceDialog", "H": "HistoryScreen", "d": "CompareScreen", "?": "HelpDialog"}
HISTORY = {"t": "InputDialog", "X": "InputDialog", "/": "HistoryScreen"}
HISTORY_LISTS = {"?": "HelpDialog"}


def type_ahead(terminal: Terminal, screen: str, inputs: dict[str, str], lists: dict[str, str]) -> None:
    """Press each key of a screen with what is typed after it in one burst, and come back."""
    for key, wanted in (lists | inputs).items():
        terminal.burst(f"{key}jxz" if key in inputs else f"{key}j")
        state = terminal.until(partial(opened, wanted, key in inputs), key)
        assert key in lists or state["input"].endswith("jxz"), (key, state)
        while not closed(screen, state):
            terminal.burst("\x1b")
            state = terminal.until(partial(nearer, screen, state), f"back from {key}")


def test_what_is_typed_ahead_on_the_board_and_in_the_history(terminal: Terminal) -> None:
    terminal.burst("tnew\r")
    before = terminal.until(lambda now: "new" in now["tags"], "a move")["tags"]
    terminal.burst("b")
    terminal.until(lambda now: now["card"] == "challenger", "the board")
    type_ahead(terminal, "BoardScreen", BOARD, BOARD_LISTS)
    terminal.burst("\x1b")
    terminal.until(lambda now: now["depth"] == 1 and not now["waits"], "the panes")
    terminal.burst("H")
    terminal.until(partial(closed, "HistoryScreen"), "the history")
    type_ahead(terminal, "HistoryScreen", HISTORY, HISTORY_LISTS)
    assert terminal.until(lambda now: not now["waits"], "quiet")["tags"] == before


def test_every_key_of_board_and_history_that_opens_something_is_tried() -> None:
    quiet = {"undo", "redo", "copy", "sort", "group", "compact", "reload", "close", "mark", "compare", "now", "restore"}
    for bindings, tried in (
        (BoardScreen.BINDINGS, BOARD | BOARD_LISTS),
        (HistoryScreen.BINDINGS, HISTORY | HISTORY_LISTS),
    ):
        keys = {
            {"slash": "/", "question_mark": "?"}.get(key := each.key.partition(",")[0], key)
            for each in bindings
            if isinstance(each, Binding) and (each.id or "").partition(".")[2] not in quiet
        }
        assert keys <= set(tried)


def test_what_asks_for_a_text_says_so() -> None:
    """So that what is typed while its dialog is being prepared is kept for it."""
    asks = {command.keys for part in PARTS for command in part.commands if command.text}
    assert asks == {*INPUTS, "P", "w", "a", "X"} - {"/", ":"}


def test_an_unpack_in_one_burst(terminal: Terminal, tmp_path: Path) -> None:
    terminal.burst(f"ju{tmp_path}/out")
    terminal.until(lambda now: str(now["input"]).endswith("/out") and seen(now), "the dialog")
    terminal.burst("\r")
    terminal.until(lambda _: (tmp_path / "out" / "Kitfile").exists(), "the folder")


def test_a_comparison_is_picked_by_its_letters_in_one_burst(terminal: Terminal) -> None:
    terminal.burst("dv0.9\r")
    state = terminal.until(partial(opened, "CompareScreen", False), "the comparison")
    assert not state["marks"]


def test_a_move_never_overtakes_a_command(terminal: Terminal) -> None:
    rows = terminal.until(lambda state: len(state["rows"]) == 6, "six tags")["rows"]
    first = rows.index("champion")
    terminal.burst(" j j ")
    state = terminal.until(lambda now: len(now["marks"]) == 3, "three marks")
    # Marking moves the cursor on as well.
    assert state["marks"] == rows[first : first + 5 : 2]
    terminal.burst("Ugjjtnew\rj")
    state = terminal.until(lambda now: "new" in now["tags"], "the tag")
    assert state["tags"]["new"] == state["tags"][rows[2]]
    assert not state["marks"]


def seen(state: State) -> bool:
    """Whether the dialog has been there long enough to be read."""
    return not (state["waits"] or state["unseen"])


def test_a_plan_is_not_agreed_to_before_it_is_seen(terminal: Terminal) -> None:
    terminal.burst("cjust because\r\r\rj\r")
    state = terminal.until(lambda now: EARLY in now["said"], "the refusal")
    assert (state["screen"], state["reasons"]) == ("PromotionDialog", [])
    terminal.until(seen, "the dialog")
    terminal.burst("\r")
    state = terminal.until(lambda now: len(now["reasons"]) == 2, "the promotion")
    assert state["reasons"] == ["just because"] * 2
    assert state["tags"]["champion"] == state["tags"]["challenger"]


def test_an_enter_held_down_agrees_to_nothing(terminal: Terminal) -> None:
    terminal.burst("cwhy\r")
    for _ in range(20):
        terminal.burst("\r")
        terminal.program.read(0.05)
    state = terminal.until(lambda now: EARLY in now["said"], "the refusal")
    assert (state["screen"], state["reasons"]) == ("PromotionDialog", [])
    assert state["tags"]["champion"] != state["tags"]["challenger"]


def test_a_filter_a_mark_and_the_plan_of_a_removal_in_one_burst(terminal: Terminal) -> None:
    terminal.burst("/v1\r*xold\rk")
    terminal.until(lambda now: now["screen"] == "PlanDialog" and seen(now), "the plan")
    terminal.burst("\r")
    state = terminal.until(lambda now: "v1.0.0" not in now["tags"] and "v1.1.0" not in now["tags"], "the removal")
    assert set(state["tags"]) == {"champion", "challenger", "rollback", "v0.9.0"}
    assert set(terminal.until(lambda now: len(now["reasons"]) == 2, "the history")["reasons"]) == {"old"}

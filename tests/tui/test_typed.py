"""Bytes that are no UTF-8: they are ignored, split anywhere, and the interface goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.events import Key

from kittui.cli.compose import Composition
from kittui.cli.interface import run_interface
from kittui.config import Flags
from kittui.tui.app import KittuiApp
from kittui.tui.frame.typed import TypedText, separate
from tests.tui.ptys import HERE, Program

ODD = {
    "mouse": b"\x1b[M !!\x1b[M\x20\xe1\xc3\x1b[M#\xff\xff",
    "alt": b"\xe1\xea\xf1",
    "latin": b"\x1b[200~caf\xe9 \xfcber\x1b[201~",
    "cut": b"\xe2\x82",
    "all": bytes(range(0x80, 0x100)),
}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"abc", "abc"),
        ("grün €".encode(), "grün €"),
        (b"a\x1b[M !!b", "ab"),
        (b"a\x1b[M\x20\xe1\xc3b", "ab"),
        (b"\x1b[<0;5;5M", "\x1b[<0;5;5M"),
        (b"caf\xe9 x", "caf x"),
        (b"\xe1a", "a"),
        (b"\x1b", "\x1b"),
        (b"\x1b[", "\x1b["),
    ],
)
def test_what_is_typed(content: bytes, text: str) -> None:
    assert TypedText().decode(content) == text


@given(st.text(max_size=20), st.integers(0, 80), st.integers(0, 80))
def test_utf8_comes_through_wherever_it_is_cut(text: str, one: int, other: int) -> None:
    content = text.encode() + b"\x1b[M\xe1\xe2\xe3" + text.encode()
    # Between Escape and what follows it nobody can tell the key from a report.
    start = len(text.encode())
    low, high = sorted(cut if not start < cut < start + 3 else start for cut in (one, other))
    typed = TypedText()
    pieces = [typed.decode(content[:low]), typed.decode(content[low:high]), typed.decode(content[high:], final=True)]
    if "\x1b" not in text:
        assert "".join(pieces) == text * 2


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        ([b"\x1bk"], ["escape", "k"]),
        ([b"\x1bjj/"], ["escape", "j", "j", "slash"]),
        ([b"\x1b/"], ["escape", "slash"]),
        ([b"\x1b1"], ["escape", "1"]),
        ([b"\x1bG"], ["escape", "G"]),
        ([b"\x1b\r"], ["escape", "enter"]),
        ([b"\x1b\x1bq"], ["escape", "escape", "q"]),
        ([b"\x1bb"], ["escape", "b"]),
        ([b"j\x1b", b"k"], ["j", "escape", "k"]),
        ([b"\x1b", b"/v"], ["escape", "slash", "v"]),
        ([b"\x1b", b"b"], ["escape", "b"]),
        ([b"\x1b", b"[A"], ["up"]),
        ([b"\x1b[A\x1b[1;2C"], ["up", "shift+right"]),
        ([b"\x1bOP"], ["f1"]),
        ([b"\x1b\x7f"], ["ctrl+w"]),
        ([b"x", b"y"], ["x", "y"]),
    ],
)
def test_escape_and_a_key_are_two_keys_however_fast(pieces: list[bytes], keys: list[str]) -> None:
    """In one read, or the key right after: Textual alone makes Alt of both, or drops one of them."""
    typed, parser = TypedText(), XTermParser()
    events = [event for piece in pieces for event in parser.feed(typed.decode(piece))]
    assert [each.key for event in events for each in separate(event, typing=False) if isinstance(each, Key)] == keys


def test_option_and_an_arrow_go_by_words_in_an_input() -> None:
    events = list(XTermParser().feed(TypedText().decode(b"\x1bb\x1bf")))
    keys = [each.key for event in events for each in separate(event, typing=True) if isinstance(each, Key)]
    assert keys == ["ctrl+left", "ctrl+right"]


def test_the_drivers_look_for_their_decoder_by_its_name() -> None:
    assert callable(vars(linux_driver)["getincrementaldecoder"])


def test_the_interface_goes_on() -> None:
    with Program(str(HERE / "hostile_program.py")) as program:
        program.until("Local store")
        program.settle()
        for content in ODD.values():
            os.write(program.fd, content)
            program.settle(0.3)
        program.press(":")
        program.until("command")
        assert os.waitpid(program.pid, os.WNOHANG) == (0, 0)


@pytest.mark.parametrize(("left_with", "status"), [(None, 1), (0, 0), (3, 3)])
async def test_an_interface_that_was_not_left_is_no_success(
    left_with: int | None, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(app: KittuiApp, **_: Any) -> None:
        if left_with is not None:
            app.exit(return_code=left_with)

    monkeypatch.setattr(KittuiApp, "run_async", ended)
    environ = {"XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    async with Composition(Flags(store=str(tmp_path / "store")), environ=environ) as composition:
        assert await run_interface(composition, None) == status

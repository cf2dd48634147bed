"""Nothing that was read from somewhere reaches the terminal as anything but harmless text."""

from __future__ import annotations

import re

from tests.tui.ptys import HERE, Program

MUST_NOT = (
    b"SEFDS0VE\x07",
    b"\x1b]52;c;SEFDS0VE",
    b"\x1b[2J\x1b[31mC",
    b"\x1b[31mC",
    "\u009b".encode(),
    "\u009d".encode(),
    "\u202e".encode(),
    "\u2066".encode(),
    "\u200b".encode(),
    "\u2028".encode(),
    b"\x1bP1$r",
    b"\x08",
    b"\x0f",
    b"\x7f",
)
"""Bytes of the hostile text that must never be written."""
SEQUENCE = re.compile(
    rb"\x1b\[[?>=<]?[0-9;:]*[A-Za-z]"  # CSI
    rb"|\x1b\[[0-9;?]*\$p"  # DECRQM
    rb"|\x1b\](?:0|2|10|11|22);[^\x07\x1b]*(?:\x07|\x1b\\)"  # the window's title
    rb"|\x1b_G[^\x1b]*\x1b\\"  # a question about graphics
    rb"|\x1b[()][A-Z0-9]|\x1b[=>78c]"
)


def check(output: bytes) -> None:
    """Assert that what was written holds only Textual's own sequences, and none of the hostile ones."""
    for bad in MUST_NOT:
        where = output.find(bad)
        assert where < 0, f"{bad!r} was written: {output[max(0, where - 60) : where + 60]!r}"
    rest = SEQUENCE.sub(b"", output)
    assert b"\x1b" not in rest, rest[max(0, rest.find(b"\x1b") - 40) : rest.find(b"\x1b") + 40]
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f]", rest)


def test_no_hostile_byte_is_written_on_any_screen() -> None:
    with Program(str(HERE / "hostile_program.py")) as program:
        program.until("Local store")
        program.settle()
        program.press("j")
        program.settle()
        for keys in ("\r", "s", "=", " ", "U", "\r", "j", "j", "4", "G", "5", "G", "2", "j", "3", "4"):
            program.press(keys)
            program.settle(0.25)
        program.press("2k")
        for keys in ("y", "\x1b", "?", "G", "\x1b", ":", "\x1b", "/evil", "\r", "\x1b", "o", "evil", "\x1b"):
            program.press(keys)
            program.settle(0.3)
        program.press("1G")
        program.settle()
        program.press("k\r")
        program.settle()
        program.press("L")
        program.settle()
        for keys in ("a", "\r", "b", "\r"):
            program.press(keys)
            program.settle(0.3)
        program.press("\x1b")
        program.settle()
        output = program.output
        assert b"[@click=app.quit]K[/]" in output, "markup is shown as it is"
        assert b"Error" in output
        assert b"login" in output
        check(output)


def test_copying_a_hostile_text_sends_it_encoded_alone() -> None:
    with Program(str(HERE / "hostile_program.py")) as program:
        program.until("Local store")
        program.settle()
        program.press("jy")
        program.settle()
        program.press("\r")
        program.settle()
        copied = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", program.output)
        assert len(copied) == 1
        assert copied[0] != b"SEFDS0VE"
        check(re.sub(rb"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", b"", program.output))

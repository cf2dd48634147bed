"""What is copied does nothing but name something, wherever it is pasted."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.terminal import clean
from kittui.tui.frame.kit_commands import shell_word

PASTED = "m/a\x1b[201~\ntouch pwned\n"


def word_in(shell: str, text: str) -> bytes:
    """What a shell takes a word for."""
    return subprocess.run([shell, "-c", f"printf %s {shell_word(text)}"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    "text",
    [
        PASTED,
        "a b",
        "it's",
        "-rf",
        "$(touch x)",
        "`x`",
        "\\",
        "\\\n'",
        "\udcff\udc9b",
        "\u202egnp.exe",
        "ü'\r",
        "!!",
        "",
    ],
)
def test_a_shell_reads_the_text_and_nothing_else(shell: str, text: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert word_in(shell, text) == text.encode("utf-8", "surrogateescape")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_what_steers_is_written_out_on_one_line(text: str) -> None:
    word = shell_word(text)
    assert clean(word, limit=None) == word
    assert clean(text, limit=None) != text or word == shlex.quote(text)

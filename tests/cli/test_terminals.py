"""What the environment says of a terminal decides on colours and marks."""

from __future__ import annotations

import pytest

from kittui.cli.terminals import has_many_colours, shows_utf8
from kittui.config.values import SIXTEEN


@pytest.mark.parametrize(
    ("environ", "many"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "linux"}, False),
        ({"TERM": "xterm"}, False),
        ({"TERM": "screen"}, False),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({}, True),
    ],
)
def test_sixteen_colours_are_known_by_the_environment(environ: dict[str, str], many: bool) -> None:
    assert has_many_colours(environ) is many


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C.utf8"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "POSIX"}, False),
        ({}, True),
        ({"LC_ALL": "", "LANG": "en_US.UTF-8"}, True),
    ],
)
def test_utf8_is_known_by_the_locale(environ: dict[str, str], utf8: bool) -> None:
    assert shows_utf8(environ) is utf8


def test_the_theme_of_sixteen_colours_has_its_name() -> None:
    assert SIXTEEN == "kittui-ansi"

"""Themes: five colourings of the same roles.

There is one accent; every other colour has a meaning, which a mark also shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

DEFAULT: Final = "kittui-dark"

ROLES: Final = (
    "text",
    "muted",
    "faint",
    "accent",
    "good",
    "warn",
    "bad",
    "special",
    "string",
    "number",
    "key",
    "bar",
)
"""Foreground roles that rows and lines are drawn with; each is the theme variable `kit-ROLE`.

Words have a contrast of 4.5 to 1 at least, `faint` ones too; `kit-line` is for borders and rules, which carry no
meaning.
"""


def _theme(name: str, *, dark: bool, ansi: bool = False, cursor_text: str = "", **colours: str) -> Theme:
    """Build a theme whose CSS colours and row roles come from one small palette."""
    variables = {f"kit-{role.replace('_', '-')}": value for role, value in colours.items()}
    variables["kit-cursor-text"] = cursor_text
    background, surface, text = colours["background"], colours["surface"], colours["text"]
    variables.update(
        {
            "scrollbar": colours["line"],
            "scrollbar-hover": colours["muted"],
            "scrollbar-active": colours["accent"],
            "scrollbar-background": background,
            "scrollbar-background-hover": background,
            "scrollbar-background-active": background,
            "scrollbar-corner-color": background,
            "block-cursor-background": colours["cursor"],
            "block-cursor-foreground": cursor_text or text,
            "block-cursor-text-style": "bold",
            "input-cursor-background": colours["accent"],
            "input-cursor-foreground": background if not ansi else "ansi_black",
            "input-cursor-text-style": "none",
            "input-selection-background": colours["cursor"],
            "border": colours["accent"],
            "border-blurred": colours["line"],
        }
    )
    if ansi:
        variables.update({"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"})
    return Theme(
        name,
        primary=colours["accent"],
        secondary=colours["muted"],
        accent=colours["accent"],
        warning=colours["warn"],
        error=colours["bad"],
        success=colours["good"],
        foreground=text,
        background=background,
        surface=surface,
        panel=surface,
        boost=surface,
        dark=dark,
        text_alpha=1.0,
        variables=variables,
        ansi=ansi,
    )


THEMES: Final = (
    _theme(
        "kittui-dark",
        dark=True,
        background="#12161d",
        surface="#1a202a",
        text="#d6dbe5",
        muted="#8b96a8",
        faint="#768296",
        line="#465060",
        accent="#7ab7ff",
        good="#8fd694",
        warn="#e8c07d",
        bad="#f2828d",
        special="#c3a6ff",
        string="#b5d6a7",
        number="#e8c07d",
        key="#9fb6d3",
        bar="#3f6ea5",
        cursor="#2a3f5c",
        cursor_blurred="#222a36",
        added="#10291a",
        removed="#34191e",
        added_word="#1d5a34",
        removed_word="#7a2933",
    ),
    _theme(
        "kittui-light",
        dark=False,
        background="#fcfcfb",
        surface="#f0f1f3",
        text="#1f2630",
        muted="#5d6776",
        faint="#6a7482",
        line="#b9c0ca",
        accent="#0b57c2",
        good="#16703a",
        warn="#8a5300",
        bad="#b3261e",
        special="#6b3fa0",
        string="#2f6b2f",
        number="#8a5300",
        key="#3d5a80",
        bar="#7ba7dd",
        cursor="#cfe1fb",
        cursor_blurred="#e6e9ee",
        added="#e3f5e6",
        removed="#fdecea",
        added_word="#a4dcb0",
        removed_word="#f7b9b3",
    ),
    _theme(
        "kittui-contrast",
        dark=True,
        background="#000000",
        surface="#1c1c1c",
        text="#ffffff",
        muted="#d0d0d0",
        faint="#9a9a9a",
        line="#7a7a7a",
        accent="#5fd7ff",
        good="#5fff87",
        warn="#ffd75f",
        bad="#ff8787",
        special="#ffafff",
        string="#afffaf",
        number="#ffd75f",
        key="#d7e8ff",
        bar="#5fd7ff",
        cursor="#ffffff",
        cursor_text="#000000",
        cursor_blurred="#3a3a3a",
        added="#00300f",
        removed="#3d0a10",
        added_word="#006b26",
        removed_word="#8a1420",
    ),
    _theme(
        "kittui-colour-blind",
        dark=True,
        background="#12161d",
        surface="#1a202a",
        text="#d6dbe5",
        muted="#8b96a8",
        faint="#768296",
        line="#465060",
        accent="#56b4e9",
        good="#56b4e9",
        warn="#f0b03a",
        bad="#e8793a",
        special="#dba4c4",
        string="#a8d5ee",
        number="#f0b03a",
        key="#9fb6d3",
        bar="#3b7ea6",
        cursor="#1f4560",
        cursor_blurred="#222a36",
        added="#0f2c44",
        removed="#3a2413",
        added_word="#165a8c",
        removed_word="#84431a",
    ),
    _theme(
        "kittui-ansi",
        dark=True,
        ansi=True,
        background="ansi_default",
        surface="ansi_default",
        text="ansi_default",
        muted="ansi_white",
        faint="ansi_bright_black",
        line="ansi_bright_black",
        accent="ansi_bright_blue",
        good="ansi_green",
        warn="ansi_yellow",
        bad="ansi_red",
        special="ansi_magenta",
        string="ansi_green",
        number="ansi_yellow",
        key="ansi_cyan",
        bar="ansi_blue",
        cursor="ansi_blue",
        cursor_text="ansi_bright_white",
        cursor_blurred="ansi_bright_black",
        added="ansi_green",
        removed="ansi_red",
        added_word="ansi_green",
        removed_word="ansi_red",
    ),
)

NAMES: Final = tuple(theme.name for theme in THEMES)
"""The themes in the order that the palette offers them."""


COLOURLESS: Final = "kit-colourless"
"""The variable of the theme that shows the cursor without colour."""


def themes(*, colourless: bool) -> tuple[Theme, ...]:
    """The themes to register. `colourless`: the terminal's own colours are left out too (NO_COLOR), so that theme marks
    the cursor by reverse video."""
    if not colourless:
        return THEMES
    plain = {COLOURLESS: "yes", "block-cursor-text-style": "reverse", "input-cursor-text-style": "reverse"}
    return tuple(replace(each, variables=each.variables | plain) if each.ansi else each for each in THEMES)


CHANGED: Final = ("added", "removed", "added-word", "removed-word")
"""Backgrounds of changed lines, and of their differing words."""


class Roles:
    """Rich styles of a theme's roles on row backgrounds: `base`, `cursor` and `blurred`, and those of changed lines."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        def colour(role: str) -> Color:
            return Color.parse(variables.get(f"kit-{role}") or variables["foreground"])

        self._ansi = variables.get("kit-background", "").startswith("ansi")
        grounds = {"base": colour("background"), "cursor": colour("cursor"), "blurred": colour("cursor-blurred")}
        plain = variables.get("kit-background") or variables["background"]
        grounds |= {name: Color.parse(variables.get(f"kit-{name}") or plain) for name in CHANGED}
        cursor_text = variables.get("kit-cursor-text") or ""
        self._styles: dict[tuple[str, str], Style] = {}
        for ground, background in grounds.items():
            for role in ROLES:
                foreground = colour(role)
                if ground == "cursor" and cursor_text:
                    foreground = Color.parse(cursor_text)
                elif ground != "base" and role == "faint":
                    foreground = colour("muted")
                if self._ansi and ground == "blurred":
                    foreground = colour("cursor-text")
                if self._ansi and ground in CHANGED:
                    # It is unknown whether the terminal's colours are readable on each other.
                    foreground = Color.parse("ansi_bright_white" if ground.startswith("removed") else "ansi_black")
                word = ground.endswith("-word")
                self._styles[role, ground] = Style(
                    color=foreground.rich_color,
                    bgcolor=background.rich_color,
                    bold=(ground == "cursor" and (self._ansi or bool(cursor_text))) or word or None,
                    reverse=(ground == "cursor" and COLOURLESS in variables) or (word and self._ansi) or None,
                    underline=(ground == "blurred" and COLOURLESS in variables) or None,
                )

    def style(self, role: str, ground: str = "base") -> Style:
        """The style of a role; `+` adds attributes: `accent+bold`, `text+strike`. Unknown roles are text.

        A role may have its own background: `text@added`; the cursor's takes precedence. `#rrggbb on #rrggbb` is drawn
        in exactly these colours, for pixels of a picture.
        """
        if role.startswith("#"):
            return _pixels(role)
        role, _, own = role.partition("@")
        ground = own if own and ground == "base" else ground
        return _with_attributes(
            self._styles.get((role.partition("+")[0], ground)) or self._styles["text", ground], role
        )


@lru_cache(maxsize=4096)
def _pixels(role: str) -> Style:
    upper, _, lower = role.partition(" on ")
    return Style(color=upper, bgcolor=lower or None)


@lru_cache(maxsize=512)
def _with_attributes(style: Style, role: str) -> Style:
    attributes = role.split("+")[1:]
    return style + Style.parse(" ".join(attributes)) if attributes else style

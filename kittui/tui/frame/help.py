"""Builds help and palette from the keys that work now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from textual.app import App, SystemCommand
from textual.screen import Screen

from kittui.tui.frame.ports import Settings
from kittui.tui.style import theme
from kittui.tui.style.keys import display_keys
from kittui.tui.widgets.lines import Line

Section = list[tuple[str, str, str]]
MOVEMENT = "Moving the cursor"
_HEADINGS = {
    "move": MOVEMENT,
    "text": MOVEMENT,
    "below": MOVEMENT,
    "compare": "Comparing",
    "timeline": "Over the versions",
    "history": "History",
    "board": "Board",
    "list": "List",
    "usage": "List",
    "checks": "List",
}
"""Where help lists the keys of lists and screens, by the first part of their ids."""


MARKS: Final = (
    ("●", "good", "every layer is in the local store"),
    ("◐", "good", "some layers are in the local store"),
    ("✎", "accent", "marked"),
    ("″", "muted", "the same digest as the row above"),
    ("↻", "warn", "moved by somebody else since it was shown"),
    ("✗", "bad", "could not be read; the details say why"),
    ("▲", "warn", "a place that could not be listed, or requires a login"),
)
"""The marks of the panes."""


def sections(screen: Screen[Any], headings: Mapping[str, str], refusal: Callable[[str], str]) -> dict[str, Section]:
    """(keys, label, tooltip) of all keys that work now, by heading: the screen's own first, movement last.

    `headings` say it for commands, by their ids. A command that does nothing here says why instead of what it does.
    """
    found: dict[str, Section] = {
        heading: []
        for heading in (
            *dict.fromkeys(_HEADINGS[name] for name in _HEADINGS if _HEADINGS[name] != MOVEMENT),
            *("Move", "ModelKit", "Browse", "Upkeep", "Program", "Files", "Panes", MOVEMENT),
        )
    }
    keys: dict[str, list[str]] = {}
    rows: dict[str, tuple[str, str, str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not active.enabled or not binding.tooltip or binding.system:
            continue
        name = binding.id or binding.action
        keys.setdefault(name, []).extend(filter(None, display_keys(binding.key)))
        heading = headings.get(name) or _HEADINGS.get(name.partition(".")[0], "Program")
        rows[name] = (heading, binding.description, refusal(name) or binding.tooltip)
    for name, (heading, label, tooltip) in rows.items():
        found.setdefault(heading, []).append((" ".join(keys[name]), label, tooltip))
    return found


def legend(settings: Settings, marks: Iterable[tuple[str, str, str]] | None = None) -> list[Line]:
    """What the marks mean: those of the panes, or a screen's own."""
    lines: list[Line] = [
        (
            (f"  {stage.ascii_mark if settings.ascii_marks else stage.mark} ", stage.colour),
            (f"{stage.name:<13} ", "text"),
        )
        for stage in settings.stages
    ]
    for mark, role, words in MARKS if marks is None else marks:
        lines.append(((f"  {mark} ", role), (words, "muted")))
    return lines


def palette(app: App[None], screen: Screen[object], refusal: Callable[[str], str]) -> Iterable[SystemCommand]:
    """Commands that are enabled on the screen below the palette, then themes."""
    seen: set[str] = set()
    keys: dict[str, list[str]] = {}
    for active in screen.active_bindings.values():
        keys.setdefault(active.binding.id or "", []).extend(filter(None, display_keys(active.binding.key)))
    for active in screen.active_bindings.values():
        binding = active.binding
        if not active.enabled or not binding.id or binding.system or binding.id in seen or binding.id == "palette":
            continue
        if binding.id.startswith(("move.", "text.", "pane.", "tab.")) or not binding.description:
            continue
        if refusal(binding.id):
            continue
        seen.add(binding.id)
        yield SystemCommand(
            f"{binding.description}  {' '.join(keys[binding.id])}".rstrip(),
            binding.tooltip,
            _runner(app, active.node, binding.action),
        )
    for name in theme.NAMES:
        yield SystemCommand(f"Theme: {name.removeprefix('kittui-')}", "Change the colours", _chooser(app, name))


def _runner(app: App[None], node: object, action: str) -> Callable[[], object]:
    async def run() -> None:
        await app.run_action(action, node)  # type: ignore[arg-type]

    return run


def _chooser(app: App[None], name: str) -> Callable[[], None]:
    def choose() -> None:
        app.theme = name

    return choose

"""The user's keymap: checked against the bindings that there are, and keys as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.app import App
from textual.binding import Binding

from kittui.tui import extensions
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows

_SHOWN: Final = {
    "slash": "/",
    "question_mark": "?",
    "equals_sign": "=",
    "colon": ":",
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}
TAKEN: Final = frozenset({"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+q", "ctrl+m", "ctrl+i"})
"""Keys that screen, tmux and terminals take for themselves."""


def display_keys(keys: str) -> list[str]:
    """Keys as people write them: `ctrl+p` is `Ctrl+P`."""
    return [_display(key.strip()) for key in keys.split(",")]


def _display(key: str) -> str:
    if key in _SHOWN:
        return _SHOWN[key]
    if "+" in key:
        return "+".join(part.capitalize() for part in key.split("+"))
    return key


def all_bindings(app: App[None]) -> dict[str, Binding]:
    """Every binding that can be remapped, by id."""
    declared = [*Rows.BINDINGS, *Lines.BINDINGS, *type(app).BINDINGS]
    found = {command.id: command.binding for command in extensions.commands()}
    found.update({each.id: each for each in declared if isinstance(each, Binding) and each.id})
    return found


def usable_keymap(keymap: Mapping[str, str], app: App[None]) -> tuple[dict[str, str], list[str]]:
    """Split a keymap into what can be used and sentences on what can't: unknown ids, keys that terminals take, and
    keys that another command has and keeps."""
    bindings = all_bindings(app)
    usable: dict[str, str] = {}
    problems: list[str] = []
    for name, keys in keymap.items():
        wanted = {key.strip() for key in keys.split(",") if key.strip()}
        if name not in bindings:
            problems.append(f"keymap: there is no command {name!r}; docs/keys.md lists them.")
        elif not wanted:
            problems.append(f"keymap: {name} has no key.")
        elif refused := sorted(key for key in wanted if key in TAKEN or key.startswith("alt+")):
            problems.append(f"keymap: {name} can't have {', '.join(refused)}; terminals and tmux take it.")
        else:
            usable[name] = keys
    for name in list(usable):
        wanted = {key.strip() for key in usable[name].split(",")}
        heading = name.partition(".")[0]
        for other, binding in bindings.items():
            if other == name or (other.partition(".")[0] in ("move", "text") and heading in ("move", "text")):
                continue
            kept = usable.get(other, binding.key)
            clash = wanted & {key.strip() for key in kept.split(",")}
            if clash and other not in usable:
                problems.append(
                    f"keymap: {name} takes {', '.join(sorted(clash))}, which is {other}; give that another key."
                )
                usable.pop(name, None)
                break
    return usable, problems

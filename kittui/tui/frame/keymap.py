"""The user's keymap: checked against the bindings that there are, and keys as they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Final

from textual.app import App
from textual.binding import Binding, BindingType

from kittui.tui.frame import extensions
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows

_SHOWN: Final = {
    "slash": "/",
    "question_mark": "?",
    "equals_sign": "=",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "tilde": "~",
    "plus": "+",
    "minus": "-",
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

SCOPES: Final = {
    "compare": ("kittui.tui.compare.screen:CompareScreen",),
    "timeline": ("kittui.tui.compare.over_versions:TimelineScreen",),
    "pick": ("kittui.tui.compare.pick_dialog:PickDialog",),
    "viewer": ("kittui.tui.inspect.viewer:ViewerScreen",),
    "transfers": ("kittui.tui.change.transfers_screen:TransfersScreen",),
    "unpack": ("kittui.tui.change.unpack_dialog:UnpackDialog",),
    "filter": ("kittui.tui.panes.filtering:FilterInput",),
    "dialog": (
        "kittui.tui.dialogs.dialog:Dialog",
        "kittui.tui.dialogs.choice:ChoiceDialog",
        "kittui.tui.dialogs.prompt:InputDialog",
    ),
    "help": ("kittui.tui.dialogs.help:HelpDialog",),
}
"""Where keys work that are not of the browse screen, by the first part of their ids: imported only for a keymap."""
_EVERYWHERE: Final = frozenset({"move", "text", "palette", "quit"})


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
    declared: list[BindingType] = [*Rows.BINDINGS, *Lines.BINDINGS, *type(app).BINDINGS]
    for places in SCOPES.values():
        for place in places:
            module, _, name = place.partition(":")
            declared += getattr(import_module(module), name).BINDINGS
    found = {command.id: command.binding for command in extensions.commands()}
    found.update({each.id: each for each in declared if isinstance(each, Binding) and each.id and not each.system})
    return found


def shown_key(bindings: Iterable[BindingType], name: str, keymap: Mapping[str, str]) -> str:
    """The key of a binding as it is shown, after the user's keymap."""
    keys = keymap.get(name) or next(each.key for each in bindings if isinstance(each, Binding) and each.id == name)
    return display_keys(keys)[0]


def _scope(name: str) -> str:
    """Where a binding works: a scope, everywhere, or (empty) on the browse screen."""
    head, dot, _ = name.partition(".")
    return head if (dot and head in SCOPES) or head in _EVERYWHERE else ""


def _together(one: str, other: str) -> bool:
    """Whether two bindings can be live at once, so that they can't have one key."""
    a, b = _scope(one), _scope(other)
    if {a, b} == {"move", "text"}:
        return False
    return a == b or a in _EVERYWHERE or b in _EVERYWHERE


def usable_keymap(keymap: Mapping[str, str], app: App[None]) -> tuple[dict[str, str], list[str]]:
    """Split a keymap into what can be used and sentences on what can't: unknown ids, keys that terminals take, and
    keys that another command has and keeps."""
    if not keymap:
        return {}, []
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
        for other, binding in bindings.items():
            if other == name or not _together(name, other):
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

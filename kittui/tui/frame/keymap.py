"""The keys as the user has mapped them: every text that names a key asks here for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from textual.binding import Binding, BindingType

from kittui.tui.style.keys import display_keys
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows

TAKEN: Final = frozenset({"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+q", "ctrl+m", "ctrl+i"})
"""Keys that screen, tmux and terminals take for themselves."""


def _dialogs() -> Sequence[BindingType]:
    from kittui.tui.dialogs.choice import Choices
    from kittui.tui.dialogs.dialog import Dialog
    from kittui.tui.dialogs.plan import PlanDialog
    from kittui.tui.dialogs.prompt import InputDialog

    return [*Dialog.BINDINGS, *Choices.BINDINGS, *InputDialog.BINDINGS, *PlanDialog.BINDINGS]


def _help() -> Sequence[BindingType]:
    from kittui.tui.dialogs.help import HelpDialog

    return HelpDialog.BINDINGS


def _messages() -> Sequence[BindingType]:
    from kittui.tui.dialogs.messages import MessagesDialog

    return MessagesDialog.BINDINGS


_SCOPES: Final[Mapping[str, Callable[[], Sequence[BindingType]]]] = {
    "move": lambda: Rows.BINDINGS,
    "text": lambda: Lines.BINDINGS,
    "dialog": _dialogs,
    "help": _help,
    "messages": _messages,
}
"""Where keys work that no part adds, by the first part of their ids."""
_EVERYWHERE: Final = frozenset({"move", "text", "palette", "quit"})


class KeyNames:
    """The keys of all commands and screens by id, after the user's keymap.

    `live` are the bindings of commands and of the application; `scopes` give those of screens by the first part of
    their ids, and are asked only for a key that is needed, so that its screen is not imported before.
    """

    def __init__(
        self,
        live: Sequence[BindingType] = (),
        scopes: Mapping[str, Callable[[], Sequence[BindingType]]] | None = None,
        keymap: Mapping[str, str] | None = None,
    ) -> None:
        self._live = _by_id(live)
        self._scopes = {**_SCOPES, **(scopes or {})}
        self._keymap = dict(keymap or {})
        self._usable: Mapping[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        """The first key of a binding as it is shown: `keys["pull"]`."""
        keys = self._mapped.get(name) or self._binding(name).key
        return display_keys(keys)[0]

    def of(self, name: str) -> list[str]:
        """All keys of a binding, as Textual spells them."""
        return [key.strip() for key in (self._mapped.get(name) or self._binding(name).key).split(",")]

    @property
    def _mapped(self) -> Mapping[str, str]:
        if not self._keymap:
            return self._keymap
        if self._usable is None:
            self.usable()
        return self._usable or {}

    def _binding(self, name: str) -> Binding:
        if name in self._live:
            return self._live[name]
        head = name.partition(".")[0]
        if head not in self._scopes:
            raise KeyError(name)
        return _by_id(self._scopes[head]())[name]

    @property
    def all(self) -> dict[str, Binding]:
        """Every binding that can be remapped, by id."""
        found = dict(self._live)
        for scope in self._scopes.values():
            found.update(_by_id(scope()))
        return found

    def usable(self) -> tuple[dict[str, str], list[str]]:
        """Split the keymap into what can be used and sentences on what can't: unknown ids, keys that terminals take,
        and keys that another command has and keeps."""
        if not self._keymap:
            return {}, []
        bindings = self.all
        usable: dict[str, str] = {}
        problems: list[str] = []
        for name, keys in self._keymap.items():
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
                if other == name or not self._together(name, other):
                    continue
                kept = usable.get(other, binding.key)
                clash = wanted & {key.strip() for key in kept.split(",")}
                if clash and other not in usable:
                    problems.append(
                        f"keymap: {name} takes {', '.join(sorted(clash))}, which is {other}; give that another key."
                    )
                    usable.pop(name, None)
                    break
        self._usable = usable
        return usable, problems

    def _scope(self, name: str) -> str:
        """Where a binding works: a scope, everywhere, or (empty) on the browse screen."""
        head, dot, _ = name.partition(".")
        return head if (dot and head in self._scopes) or head in _EVERYWHERE else ""

    def _together(self, one: str, other: str) -> bool:
        """Whether two bindings can be live at once, so that they can't have one key."""
        a, b = self._scope(one), self._scope(other)
        if {a, b} == {"move", "text"}:
            return False
        return a == b or a in _EVERYWHERE or b in _EVERYWHERE


def _by_id(bindings: Sequence[BindingType]) -> dict[str, Binding]:
    return {each.id: each for each in bindings if isinstance(each, Binding) and each.id and not each.system}

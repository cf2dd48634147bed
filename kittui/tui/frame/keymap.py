"""The keys as the user has mapped them: every text that names a key asks here for it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from textual.binding import Binding, BindingType

from kittui.tui.style.keys import UNBOUND, display_keys, parse_key
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
_EVERYWHERE: Final = frozenset({"move", "text", "program"})
"""Scopes whose keys work on every screen."""
_PROGRAM: Final = frozenset({"palette", "quit", "waiting", "messages", "repaint", "suspend"})
"""Bindings of the program itself."""
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("help", "messages", "unpack", "pick"), frozenset({"dialog"})),
    **dict.fromkeys(("board", "history", "timeline", "list"), frozenset({"below"})),
    **dict.fromkeys(("usage", "checks"), frozenset({"list", "below"})),
}
"""Scopes that are dialogs, lists, or tables with a text below, so that the keys of all of these work in them too."""


class KeyNames:
    """The keys of all commands and screens by id, after the user's keymap.

    `live` are the bindings of commands and of the application; `scopes` give those of screens by the first part of
    their ids, and are asked only for a key that is needed, so that its screen is not imported before. `places` say
    where (file and line) the keymap has an id.
    """

    def __init__(
        self,
        live: Sequence[BindingType] = (),
        scopes: Mapping[str, Callable[[], Sequence[BindingType]]] | None = None,
        keymap: Mapping[str, Sequence[str]] | None = None,
        places: Mapping[str, str] | None = None,
    ) -> None:
        self._live = _by_id(live)
        self._scopes = {**_SCOPES, **(scopes or {})}
        self._keymap = dict(keymap or {})
        self._places = dict(places or {})
        self._usable: Mapping[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        """The first key of a binding as it is shown; where it lost its keys, the palette's and its name there."""
        if key := self._shown(name)[0]:
            return key
        return f"{self._shown('palette')[-1]} {self._binding(name).description}".lstrip()

    def _shown(self, name: str) -> list[str]:
        return display_keys(self._mapped.get(name) or self._binding(name).key)

    def of(self, name: str) -> list[str]:
        """All keys of a binding, as Textual spells them."""
        return [key.strip() for key in (self._mapped.get(name) or self._binding(name).key).split(",")]

    def all_of(self, name: str) -> str:
        """All keys that the user gave a binding, else its first one, for the footer; empty if it lost its keys."""
        return "/".join(display_keys(self._mapped[name])) if name in self._mapped else self[name]

    @property
    def commands(self) -> frozenset[str]:
        """The ids of all commands and of the program's own bindings."""
        return frozenset(self._live)

    @property
    def _mapped(self) -> Mapping[str, str]:
        if not self._keymap:
            return {}
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
        """The keys of every binding that the keymap changes, and sentences on what was not or not only as written.

        A key that another binding has moves to the one that the keymap names, and within the keymap to the later one.
        """
        if not self._keymap:
            return {}, []
        bindings = self.all
        defaults = {name: [key.strip() for key in binding.key.split(",")] for name, binding in bindings.items()}
        problems: list[str] = []
        wanted: dict[str, list[str]] = {}
        for name, written in self._keymap.items():
            if name not in bindings:
                close = difflib.get_close_matches(name, bindings, n=1)
                meant = f"did you mean {close[0]}?" if close else "docs/keys.md lists them."
                problems.append(self._said(name, f"there is no such command; {meant}"))
            elif keys := self._keys(name, written, problems):
                wanted[name] = keys
        now = {name: keys for name, keys in defaults.items() if name not in wanted}
        for name, keys in wanted.items():
            # What both have by default is meant so: the screen's goes before the program's.
            for key in [key for key in keys if key not in defaults[name]]:
                for other in [each for each in now if key in now[each] and self._together(name, each)]:
                    now[other] = [each for each in now[other] if each != key]
                    left = ", ".join(shown for each in now[other] for shown in display_keys(each))
                    has = f"{other} has {left}" if left else f"{other} has no key now; use the palette"
                    problems.append(self._said(name, f"{display_keys(key)[0]} was {other}'s; {has}"))
            now[name] = keys
        self._usable = {
            name: ",".join(keys) or f"{UNBOUND}{name}" for name, keys in now.items() if keys != defaults[name]
        }
        return dict(self._usable), problems

    def _keys(self, name: str, written: Sequence[str], problems: list[str]) -> list[str]:
        """The keys of one line of the keymap that there are, and that terminals leave to programs."""
        keys: list[str] = []
        for text in written:
            try:
                key = parse_key(text)
            except ValueError as error:
                problems.append(self._said(name, str(error)))
                continue
            if key in TAKEN or key.startswith("alt+"):
                problems.append(self._said(name, f"it can't have {text}: terminals and tmux take it"))
            else:
                keys.append(key)
        if not written:
            problems.append(self._said(name, "no key is given"))
        return list(dict.fromkeys(keys))

    def _said(self, name: str, what: str) -> str:
        place = f"{self._places[name]}: " if name in self._places else ""
        return f"{place}keymap.{name}: {what}"

    def _scope(self, name: str) -> str:
        """Where a binding works: a scope, in the whole program, or (empty) on the browse screen."""
        head, dot, _ = name.partition(".")
        if dot and head in self._scopes:
            return head
        return "program" if name in _PROGRAM else ""

    def _together(self, one: str, other: str) -> bool:
        """Whether two bindings can be live at once, so that they can't have one key."""
        scopes = {self._scope(one), self._scope(other)}
        if scopes == {"move", "text"} or one == other:
            return False
        kinds = frozenset().union(*(_KINDS.get(each, frozenset()) for each in scopes))
        return len(scopes) == 1 or bool(scopes & (_EVERYWHERE | kinds))


def _by_id(bindings: Sequence[BindingType]) -> dict[str, Binding]:
    return {each.id: each for each in bindings if isinstance(each, Binding) and each.id and not each.system}

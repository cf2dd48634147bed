"""Every command has an action in the interface, and every action a command; what has only one says why."""

from __future__ import annotations

from kittui.cli.app import COMMANDS
from kittui.tui.app import key_names

BOTH: dict[str, tuple[str, ...]] = {
    "ls": ("pane.repositories", "pane.tags", "open", "refresh"),
    "show": ("pane.kitfile", "pane.manifest"),
    "tree": ("pane.layers", "pane.risk", "look.scan"),
    "cat": ("look.view", "look.save", "look.edit", "look.page", "pane.file"),
    "diff": ("diff",),
    "find": ("find",),
    "timeline": ("timeline",),
    "pull": ("pull", "transfers"),
    "push": ("push",),
    "copy": ("retag",),
    "unpack": ("unpack",),
    "tag": ("retag", "history.restore"),
    "remove": ("remove", "usage.remove"),
    "du": ("usage",),
    "clean": ("clean", "usage.clean"),
    "promote": ("promote",),
    "gate": ("promote",),
    "rollback": ("rollback",),
    "undo": ("undo", "redo"),
    "history": ("history", "pane.history"),
    "prune": ("history.prune",),
    "verify": ("look.verify", "pane.manifest"),
    "sign": ("vouch",),
    "approve": ("vouch",),
    "reject": ("vouch",),
    "attest": ("vouch",),
    "board": ("board",),
    "login": ("login",),
    "logout": ("logout",),
    "doctor": ("doctor", "checks.repair", "checks.verify"),
}
"""Each command with the ids of the keys that do the same."""
ONLY_COMMANDS = {
    "demo": "it opens the interface",
    "index": "CI puts an index together from tags; the interface opens, compares and pulls its variants",
    "fleet": "it promotes over several registries unattended; on the board each is promoted by itself",
    "report": "a document for an auditor, made from the shell or by a timer",
    "evidence": "a folder for an auditor, made from the shell or by CI",
    "bom": "a document for other programs, made by CI",
}
ONLY_KEYS = {
    **dict.fromkeys(
        ("filter", "sort", "reverse", "group", "favourite", "next", "previous", "back", "zoom", "mark", "mark-all",
         "unmark", "pane.next", "pane.previous", "tab.next", "tab.previous", "larger", "smaller", "close"),
        "it arranges, marks or moves on the screen",
    ),
    **dict.fromkeys(
        ("help", "palette", "quit", "waiting", "messages", "repaint", "suspend"), "it is about the interface itself"
    ),
    "copy": "the clipboard; ls, show and find print references and digests",
}  # fmt: skip


def test_every_command_has_an_action_or_a_reason() -> None:
    assert set(BOTH) | set(ONLY_COMMANDS) == set(COMMANDS)
    assert not set(BOTH) & set(ONLY_COMMANDS)


def test_every_action_has_a_command_or_a_reason() -> None:
    names = key_names({}, {})
    ids = {command for actions in BOTH.values() for command in actions}
    assert ids <= set(names.all), "an action of that name is there"
    live = names.commands
    assert live <= ids | set(ONLY_KEYS), f"say which command does it: {sorted(live - ids - set(ONLY_KEYS))}"
    assert set(ONLY_KEYS) <= live, f"there is no such action any more: {sorted(set(ONLY_KEYS) - live)}"

"""What can be copied of a selection."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choice
from kittui.tui.frame.kit_commands import bare_reference, is_harmless, kit_commands, shell_word
from kittui.tui.frame.selection import Mark, Selection
from kittui.tui.widgets.bars import shorten_middle

DETAIL = 40
"""Columns of a text beside its label: both are on one line."""


def copies(selection: Selection) -> list[Choice[str]]:
    """The texts to choose from, of all marks first: their values are exact, their labels cleaned."""
    return [*_of_marks(selection.marks), *_of_cursor(selection)]


def _of_marks(marks: Sequence[Mark]) -> list[Choice[str]]:
    """What all marked rows are called, a line each."""
    if not marks:
        return []
    what = f"all {len(marks)} marked" if len(marks) > 1 else "the marked one"
    bare = [bare_reference(mark.repository, mark.target) for mark in marks]
    choices = [Choice("\n".join(bare), "references", what)]
    choices.append(Choice("\n".join(mark.reference for mark in marks), "kittui references", what))
    digests = [str(mark.digest) for mark in marks if mark.digest is not None]
    if len(digests) == len(marks):
        pinned = (bare_reference(mark.repository, mark.digest) for mark in marks)
        choices += [
            Choice("\n".join(digests), "digests", what),
            Choice("\n".join(pinned), "references@digest", what),
        ]
    return choices


def _of_cursor(selection: Selection) -> list[Choice[str]]:
    repository = selection.repository
    if repository is None:
        return [_choice("source", str(selection.place))] if selection.place else []
    choices: list[Choice[str]] = []
    node = selection.node
    if node is not None and node.kind not in ("note", "ask"):
        choices.append(_choice("path" if node.kind == "file" else "name", node.path or node.name))
        if node.kind == "file":
            path = node.path or node.name
            words = (repository.reference(selection.target), *(["--"] if path.startswith("-") else []), path)
            choices.append(_choice("read it", " ".join(map(shell_word, ("kittui", "cat", *words)))))
    if selection.layer is not None:
        choices.append(_choice("layer digest", str(selection.layer.digest)))
        if selection.layer.path:
            choices.append(_choice("layer path", selection.layer.path))
    choices.append(_choice("reference", bare_reference(repository, selection.target)))
    choices.append(_choice("kittui reference", repository.reference(selection.target)))
    if selection.digest is not None:
        choices.append(_choice("digest", str(selection.digest)))
        choices.append(_choice("reference@digest", bare_reference(repository, selection.digest)))
    if selection.target is not None:
        kind = selection.modelkit.kind if selection.modelkit is not None else None
        choices += [_choice(what, command) for what, command in kit_commands(repository, selection.target, kind)]
    if selection.pane == "details" and selection.modelkit is not None:
        raw = selection.modelkit.manifest.raw.decode("utf-8", "replace")
        choices.append(Choice(raw, "manifest", f"{len(raw):,} bytes, as received"))
    return choices


def _choice(label: str, text: str) -> Choice[str]:
    # A command is one line of harmless words already; a name that would do something where it is pasted becomes one.
    text = text if is_harmless(text) else shell_word(text)
    return Choice(text, label, shorten_middle(clean(text, limit=400), DETAIL))

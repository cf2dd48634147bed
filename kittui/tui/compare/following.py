"""Chooses what to follow across versions: the file or tensor under the cursor, else a Kitfile value."""

from __future__ import annotations

from kittui.compare.documents import values_by_path
from kittui.compare.words import value_words
from kittui.errors import NotFound
from kittui.terminal import clean
from kittui.tui.compare.over_versions import TimelineScreen
from kittui.tui.compare.pick_dialog import Offer, PickDialog
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import FileHere, Selection, TensorHere
from kittui.usecases.browse.exact import exact_kitfile
from kittui.usecases.diff.compare import Side
from kittui.usecases.diff.manifests import without_digests
from kittui.usecases.diff.timeline import Subject


async def follow(context: Context) -> None:
    """Open the timeline of what is under the cursor; on a tag, of the value that is chosen from its Kitfile."""
    selection = context.selection
    repository, target = selection.repository, selection.target
    if repository is None or target is None:
        return
    subject = _under_cursor(selection) or await _chosen(context)
    if subject is not None:
        case = await context.ports.differ((Side(repository, target),))
        context.show(TimelineScreen(case, repository, subject, target))


def _under_cursor(selection: Selection) -> Subject | None:
    if selection.pane != "layers" or selection.node is None:
        return None
    payload = selection.node.payload
    if isinstance(payload, TensorHere):
        return Subject("tensor", payload.file.entry.path, payload.tensor.name)
    if isinstance(payload, FileHere) and payload.entry.type == "file":
        return Subject("file", payload.entry.path)
    return None


async def _chosen(context: Context) -> Subject | None:
    """One of the Kitfile's values."""
    selection = context.selection
    repository, target = selection.repository, selection.target
    if repository is None or target is None:
        return None
    kit = await context.ports.modelkit(repository, target)

    values = values_by_path(without_digests(exact_kitfile(kit)))
    if not values:
        raise NotFound(
            f"{clean(target, limit=30)} has no Kitfile", hint="Put the cursor on one of its files, in pane 3."
        )
    offers = [Offer(path, value_words(value, 60), reference=path) for path, value in values.items()]
    answer = await context.ask(PickDialog("Kitfile value to follow across all versions:", offers, verb="Follow"))
    return Subject("value", answer.reference) if answer is not None else None

"""Draws the cells of rows in the repositories tree."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from kittui.terminal import clean, size_text
from kittui.tui.panes.tree import FavouritesRow, GroupRow, PlaceRow, RepositoryRow, TreeRow
from kittui.tui.widgets.cutting import Spans


def cells(row: TreeRow, room: int, *, starred: bool) -> Sequence[Spans]:
    """The name, in `room` cells, and how many there are below it; `starred` is a favourite outside of their heading."""
    pad = "  " * row.depth
    if isinstance(row, RepositoryRow):
        return _repository(row, pad, starred=starred)
    fold = "▾ " if row.unfolded else "▸ "
    if isinstance(row, FavouritesRow):
        return (((fold, "muted"), ("★ Favourites", "text+bold")), ((str(len(row.found)), "muted"),))
    if isinstance(row, GroupRow):
        return (((pad + fold, "muted"), (clean(row.name) + "/", "text")), ((str(row.count), "faint"),))
    return _place(row, fold, room)


def _place(row: PlaceRow, fold: str, room: int) -> Sequence[Spans]:
    size = sum(each.size or 0 for each in row.found)
    text = f"  {size_text(size)}" if size else ""
    fits = cell_len(fold + row.label + text) <= room
    total = ((text, "faint"),) if text and fits else ()
    mark = ((" ▲", "warn"),) if row.state.kind in ("failed", "login", "stale") else ()
    return (((fold, "muted"), (row.label, "text+bold"), *total, *mark), ((str(len(row.found) or ""), "muted"),))


def _repository(row: RepositoryRow, pad: str, *, starred: bool) -> Sequence[Spans]:
    name = [(f"{pad}  ", "text"), (clean(row.shown), "bad" if row.entry.problem else "text")]
    if starred:
        name.append((" ★", "accent"))
    if row.typed:
        name.append((" typed", "faint"))
    count = "!" if row.entry.problem else f"{row.tags}" if row.tags is not None else ""
    return (name, ((count, "bad+bold" if row.entry.problem else "muted"),))

"""Opens the file of a row with its viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.tui.inspect import pictures
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile, Shown

if TYPE_CHECKING:
    from kittui.tui.frame.selection import FileHere
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask


async def open_here(
    inspector: Inspector,
    here: FileHere,
    *,
    ask: Ask | None = None,
    width: int = 100,
    background: str = "#000000",
    draws: bool = False,
) -> Shown:
    """Open a file and read its first page; raises what reading raises, Refused if the price is not agreed to.

    With `draws` images are also given as large as a terminal that draws them itself wants them.
    """
    view = await inspector.open(here.repository, here.layer, here.entry, ask=ask)
    return await show(
        OpenFile(
            here.entry.path,
            view,
            width,
            draws and pictures.can_draw(),
            background,
            inspector,
            here.repository,
            here.layer,
            here.entry,
            here.modelkit,
            ask,
        )
    )

"""Chooses the viewer for a file. To add a kind of file, write a module with a VIEWER, and list it here."""

from __future__ import annotations

from kittui.errors import Malformed, TooLarge, Unsupported
from kittui.formats.lfs import POINTER_LIMIT
from kittui.usecases.inspect.viewers import markdown, models, notebooks, parquet, pictures, pointers, tables
from kittui.usecases.inspect.viewers.shown import OpenFile, Shown, Viewer
from kittui.usecases.inspect.viewers.texts import open_text

VIEWERS: tuple[Viewer, ...] = (
    pointers.VIEWER,
    models.VIEWER,
    parquet.VIEWER,
    pictures.VIEWER,
    notebooks.VIEWER,
    markdown.VIEWER,
    tables.VIEWER,
)
"""The first one that accepts a file shows it."""


def sniff_viewer(path: str, size: int, head: bytes) -> Viewer | None:
    """The viewer of a file, by its name, its size, and its content if that is below POINTER_LIMIT bytes."""
    name = path.lower()
    return next((viewer for viewer in VIEWERS if viewer.takes(name, size, head)), None)


async def show(file: OpenFile) -> Shown:
    """Show a file with its viewer, or as text or bytes if no viewer accepts it or can read it.

    Raises what reading raises, and Refused if its price is not agreed to.
    """
    head = await file.view.read(0, file.size) if file.size < POINTER_LIMIT else b""
    viewer = sniff_viewer(file.path, file.size, head)
    if viewer is None:
        return await open_text(file)
    try:
        return await viewer.open(file)
    except (Malformed, TooLarge, Unsupported) as error:
        return await open_text(file, " ".join(part for part in (error.message, error.hint) if part))

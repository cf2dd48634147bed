"""Images of both sides side by side, below their row's details, with the pixels that differ."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from kittui.compare.changes import FileChange
from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.compare.workers import run_newest
from kittui.tui.frame.program import program_of
from kittui.tui.widgets.blocks import beside
from kittui.tui.widgets.lines import Line
from kittui.usecases.diff.originals import files_of
from kittui.usecases.inspect.copies import LayerFile, Original
from kittui.usecases.inspect.viewers.pictures import BYTES_LIMIT, FORMATS, compare_pictures

if TYPE_CHECKING:
    from textual.screen import Screen

    from kittui.tui.compare.reading import Reading
    from kittui.tui.compare.tree import Row

_KEPT: Final = 8
_COLUMNS: Final = 64
"""Maximum width of an image in cells."""
_READING: Final[Sequence[Line]] = ((), (("reading both images …", "muted"),))


class Pictures:
    """The images of the row under the cursor: read and decoded beside the interface, once for each width."""

    def __init__(self, screen: Screen[None], reading: Reading, on_drawn: Callable[[], None]) -> None:
        self._screen = screen
        self._reading = reading
        self._on_drawn = on_drawn
        self._known: OrderedDict[tuple[object, ...], Sequence[Line]] = OrderedDict()

    def lines(self, row: Row, width: int) -> Sequence[Line]:
        """The lines below a row: empty for what is not two images."""
        change, comparison = row.entry.subject, self._reading.comparison
        if not isinstance(change, FileChange) or change.status != "changed" or comparison is None:
            return ()
        if (
            not change.path.lower().endswith(tuple(FORMATS))
            or max(change.size_a or 0, change.size_b or 0) > BYTES_LIMIT
        ):
            return ()
        if program_of(self._screen).no_color:
            return ((), (("Images are not drawn without colours (NO_COLOR).", "muted"),))
        key = (comparison.a.digest, comparison.b.digest, change.layer, change.path, width)
        if key not in self._known:
            run_newest(self._screen, "pictures", partial(self._draw, key, change, width))
            return _READING
        return self._known[key]

    async def _draw(self, key: tuple[object, ...], change: FileChange, width: int) -> None:
        try:
            self._known[key] = await self._drawn(change, width)
        except KittuiError as error:
            words = [text for text in (error.message, error.hint) if text]
            self._known[key] = ((), *(((clean(text), "muted"),) for text in words))
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        self._on_drawn()

    async def _drawn(self, change: FileChange, width: int) -> Sequence[Line]:
        comparison = self._reading.comparison
        if comparison is None:
            return ()
        old, new = await files_of(self._reading.case, self._reading.sides, comparison, change)
        background = program_of(self._screen).theme_variables.get("kit-background", "")
        pair = await compare_pictures(
            await _read(old),
            await _read(new),
            max(8, min(_COLUMNS, (width - 4) // 2)),
            background if background.startswith("#") else "#000000",
        )
        lines: list[Line] = [(), ((pair.words, "text"),), ()]
        lines += beside(pair.pictures[:2])
        if len(pair.pictures) > 2:
            lines += [(), (("the pixels that differ:", "muted"),), *beside(pair.pictures[2:])]
        return lines


async def _read(original: Original | None) -> bytes:
    async def decline(_: object) -> bool:
        return False

    if not isinstance(original, LayerFile):
        return b""
    return await original.inspector.read_file(
        original.repository, original.layer, original.entry, BYTES_LIMIT, ask=decline
    )

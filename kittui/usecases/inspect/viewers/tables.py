"""Shows CSV, TSV and JSON lines as rows under titles."""

from __future__ import annotations

from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.records import Splitter
from kittui.formats.tables import Form, read_form, table_suffix
from kittui.formats.text import SNIFFED, Decoder, Encoding, sniff
from kittui.usecases.inspect.viewers.paging import Pager
from kittui.usecases.inspect.viewers.shown import Grid, OpenFile, Record, Shown, Viewer, Way, clean_line
from kittui.usecases.inspect.viewers.texts import guessed

CELLS = 4_000_000
"""Maximum cells of one table."""


class TableLayout:
    """Lays out rows with cleaned cells; line ends in a cell are drawn as `⏎`."""

    def __init__(self, kind: str, encoding: Encoding, budget: Budget) -> None:
        self._kind = kind
        self._decoder = Decoder(encoding)
        self._budget = budget
        self._form: Form | None = None
        self._splitter = Splitter("", quoted=False)
        self._left = ""
        self._count = 0
        self._full: TooLarge | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The titles, once the first row was read."""
        return tuple(clean_line(title.replace("\n", "⏎")) for title in self._form.titles) if self._form else ()

    @property
    def unclosed(self) -> bool:
        """Whether a quote was not closed, so that lines are rows from there on."""
        return self._splitter.unclosed

    def __call__(self, content: bytes, offset: int, *, ended: bool) -> list[Any]:
        if self._full is not None:
            raise self._full
        text = self._left + self._decoder.feed(content, ended=ended)
        form, leading = self._form, 0
        if form is None:
            form = self._form = read_form(self._kind, text, ended=ended)
            if form is None:
                self._left = text
                return []
            self._splitter, leading = Splitter(form.delimiter, quoted=form.quoted), form.leading
        records, used = self._splitter.split(text, ended=ended)
        self._left = text[used:]
        return self._rows(form, [record for record in records if record != "\n"][leading:])

    def _rows(self, form: Form, records: list[str]) -> list[Record]:
        rows: list[Record] = []
        try:
            for record in records:
                cells = form.cells(record)
                self._budget.spend("cells", len(cells))
                self._count += 1
                rows.append(Record(self._count, tuple(clean_line(cell.replace("\n", "⏎")) for cell in cells)))
        except TooLarge as error:
            if not rows:
                raise
            self._full = error
        return rows


async def _open(file: OpenFile) -> Shown:
    kind = table_suffix(file.path)
    encoding = sniff(await file.view.read(0, min(file.size, SNIFFED)), zeros=True)
    if encoding is None or kind is None:
        raise Malformed("it is not a text")
    budget = Budget("the table", cells=CELLS, seconds=60)
    layout = TableLayout(kind, encoding, budget)
    pager = Pager(file.view, layout, budget)
    records = await pager.more()
    if pager.problem and not layout.columns:
        raise TooLarge(pager.problem)
    grid = Grid(layout.columns, records)
    problem = "a quote is not closed: from there on every line is a row" if layout.unclosed else guessed(encoding)
    return Shown("table", file.size, (Way("Table", grid),), pager, verified=file.view.verified, problem=problem)


VIEWER = Viewer("table", lambda path, size, head: table_suffix(path) is not None, _open)

"""The board screen: stages across, repositories down; keys on a card do the same as in the panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.binding import Binding, BindingType
from textual.timer import Timer

from kittui.disk.threads import in_thread
from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.board.cards import MARKS, ORDERS, Order, about, arranged, half_text, stages_of, waits
from kittui.tui.board.choosing import choose
from kittui.tui.board.grid import Grid
from kittui.tui.board.reading import Reading
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.spacing import DRAW, Spacing
from kittui.tui.panes.table_screen import TableScreen
from kittui.tui.widgets.lines import Page
from kittui.usecases.change.unfinished import half_done

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.state.journal import Entry
    from kittui.usecases.trust.board import BoardRow

MANY: Final = 30
"""The number of repositories from which the board starts with one line each."""
HINTS: Final = (
    ("board.open", "Open", "screen.open"),
    ("board.promote", "Promote", "screen.perform('promote')"),
    ("board.retag", "Retag", "screen.perform('retag')"),
    ("board.vouch", "Vouch", "screen.perform('vouch')"),
    ("board.filter", "Filter", "screen.filter"),
    ("board.sort", "Sort", "screen.sort"),
    ("board.group", "Group", "screen.group"),
    ("board.compact", "Compact", "screen.compact"),
    ("board.set", "Other board", "screen.set"),
    ("board.close", "Back", "screen.close"),
)
PERFORMED: Final = frozenset({"promote", "rollback", "retag", "undo", "vouch", "history"})
"""Commands of the panes that work on a card."""


class BoardScreen(TableScreen):
    """Shows names at once and details as they arrive; the card under the cursor is shown in full below."""

    DEFAULT_CSS = """
    BoardScreen Lines { height: 9; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "c", "perform('promote')", "Promote", id="board.promote", tooltip="Promote challenger to champion here"
        ),
        Binding("R", "perform('rollback')", "Roll back", id="board.rollback", tooltip="Roll champion back to rollback"),
        Binding("t", "perform('retag')", "Retag", id="board.retag", tooltip="Move the card to another stage"),
        Binding("z", "perform('undo')", "Undo", id="board.undo", tooltip="Undo the last change here"),
        Binding("Z", "perform('redo')", "Redo", id="board.redo", tooltip="Redo what was undone last"),
        Binding("a", "perform('vouch')", "Vouch", id="board.vouch", tooltip="Sign, approve, reject or attest"),
        Binding("H", "perform('history')", "History", id="board.history", tooltip="Who moved which tag, and when"),
        Binding("d", "compare", "Compare", id="board.compare", tooltip="Compare the card with the champion"),
        Binding("y", "copy", "Copy", id="board.copy", tooltip="Copy the card's reference"),
        Binding(
            "slash",
            "filter",
            "Filter",
            id="board.filter",
            tooltip="Filter by name, version, person or what is waited for",
        ),
        Binding("s", "sort", "Sort", id="board.sort", tooltip="Sort by name, waiting first, or last moved first"),
        Binding("equals_sign", "group", "Group", id="board.group", tooltip="Group by namespace, or not"),
        Binding("v", "compact", "Compact", id="board.compact", tooltip="One line per repository, or cards"),
        Binding("o", "set", "Other board", id="board.set", tooltip="Show a source, a namespace or a saved set"),
        Binding("r", "reload", "Reload", id="board.reload", tooltip="Read everything again"),
        Binding("question_mark", "app.help", "Help", id="board.help", tooltip="All keys that work now"),
        Binding("escape,q,b", "close", "Back", id="board.close", tooltip="Clear the filter, or go back to the panes"),
    ]

    def __init__(self, context: Context, words: Sequence[str]) -> None:
        """`words` name repositories as for `kittui board`; empty means everything configured."""
        self._ports = context.ports
        self._grid = Grid(self._ports.clock)
        super().__init__(self._grid)
        self._given, self._words = context, tuple(words)
        self._reading = Reading(self._ports.trust, self._ports.clock)
        self._order: Order = "name"
        self._grouped = False
        self._timer: Timer | None = None
        self._spacing = Spacing()
        self._journal: list[Entry] = []
        self._lines.can_focus = False

    @property
    def marks_of_help(self) -> Sequence[tuple[str, str, str]]:
        """The marks of cards, for the help."""
        return MARKS

    @property
    def grid(self) -> Grid:
        """The cards."""
        return self._grid

    @property
    def rows(self) -> dict[str, BoardRow]:
        """All that was read, by reference."""
        return self._reading.rows

    def to_first(self) -> None:
        """Put the cursor on the first repository."""
        self._grid.action_edge(0)

    @property
    def on_a_row(self) -> bool:
        """Whether the cursor is on a repository."""
        return self._grid.row is not None

    def on_mount(self) -> None:
        """Start reading."""
        self.hint(HINTS)
        self._grid.focus()
        self._load()

    def refusal(self, command: str) -> str:
        """Why a key does nothing for the card, by its id; empty if it works."""
        name = command.removeprefix("board.")
        if name not in PERFORMED:
            return ""
        return self._given.browser.refusal(name, self._selection or self.selection)

    def on_resize(self) -> None:
        """Size the card's details to fit a small terminal."""
        self._lines.styles.height = 7 if self.size.height < 30 else 11

    @work(group="board", exclusive=True, description="load")
    async def _load(self, *, again: bool = False) -> None:
        before = self._reading.begin()
        labels = {str(each.place): each.label for each in self._ports.places if each.label}
        names = [clean(labels.get(word, word), limit=80) for word in self._words]
        self._header.where = ("Board", ", ".join(names) or "everything")
        self.draw()
        failed: KittuiError | None = None
        try:
            await self._read_journal()
            async for row in self._reading.read(self._words, before):
                if row is None and not again:
                    self._grid.compact = (self._reading.total or 0) > MANY
                self._draw_soon()
        except KittuiError as error:
            failed = error
            self.program.fail(error)
        self.draw()
        if problems := [one for one in self._reading.problems if one is not failed]:
            texts = (f"{clean(one.reference or '')}: {clean(one.message)}" for one in problems[:3])
            self.notify("\n".join(texts), severity="warning", markup=False)

    async def _read_journal(self) -> None:
        """Read which changes of this machine are open: what was cut short stays in view until it is finished."""
        try:
            entries = await in_thread(self._ports.change_tools().ledger.journal.entries)
        except KittuiError as error:
            self.program.fail(error)
            return
        self._journal = [entry for entry in entries if entry.state == "open"]

    def _half(self, row: BoardRow) -> str:
        """What of a change was done in a repository, and what was not; empty where none was cut short."""
        name = row.repository.reference()
        entries = [entry for entry in self._journal if entry.repository == name]
        found = half_done(entries, {tag: cell.digest for tag, cell in row.cells.items() if cell.digest is not None})
        return half_text(found, self._ports.keys, self._ports.clock()) if found is not None else ""

    def _draw_soon(self) -> None:
        """Draw a few times per second at most; stops once everything has arrived."""
        if self._timer is None:
            self._timer = self.set_timer(max(DRAW, self._spacing.wait), lambda: self._spacing.draw(self.draw))

    def draw(self) -> None:
        """Show what was read and the filter leaves."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        rows = list(self.rows.values())
        challenger = self._ports.settings.lifecycle.challenger
        shown = arranged(rows, self._order, self._needle, grouped=self._grouped)
        self._grid.show(shown, stages_of(rows, self._reading.stages), challenger)
        self.say_read(self._reading.read_at, self._reading.trouble())
        self.say(self._summary(rows))

    def _summary(self, rows: Sequence[BoardRow]) -> str:
        total, problems = self._reading.total, self._reading.problems
        if total is None:
            return "Listing repositories …"
        shown = [row for row in rows if row.cells or row.problem]
        parts = [f"{len(shown)} of {total} repositories have a stage" if total else "No repositories here"]
        waiting = sum(map(waits, shown))
        parts += [f"▲ {waiting} wait{'s' if waiting == 1 else ''} for a gate"] if waiting else []
        halves = sum(bool(self._half(row)) for row in rows) if self._journal else 0
        parts += [f"▲ {halves} half done"] if halves else []
        parts += [f"by {'what waits' if self._order == 'waiting' else 'last move'}"] if self._order != "name" else []
        parts += ["by namespace"] if self._grouped else []
        parts += [f"/{clean(self._needle, limit=60)}"] if self._needle else []
        parts += [f"✗ {len(problems)} could not be listed"] if problems else []
        done = self._reading.done
        parts += [f"reading {done} of {total} …"] if done < total else []
        return " · ".join(parts)

    @on(Grid.Moved)
    def _moved(self) -> None:
        self.hint(HINTS)
        row = self._grid.row
        if row is None:
            nothing = (
                "Nothing here matches the filter." if self._needle else "Repositories with a stage tag are shown here."
            )
            nothing = "" if self._reading.total is None else nothing
            self._lines.show(Page([((nothing, "muted"),)]))
            return
        half, now = self._half(row), self._ports.clock()
        self._lines.show(Page(about(row, self._grid.cell, self._grid.stage, now, half)))

    @property
    def _selection(self) -> Selection | None:
        """The card under the cursor as a selection of the panes."""
        row, cell = self._grid.row, self._grid.cell
        if row is None:
            return None
        return Selection(
            "tags",
            place=row.repository.source.place,
            source=row.repository.source,
            repository=row.repository,
            target=cell.tag if cell is not None else None,
            digest=cell.digest if cell is not None else None,
            read_only=self._ports.settings.read_only,
        )

    def action_perform(self, command: str) -> None:
        """Run a command of the panes on this card."""
        selection = self._selection
        if selection is None or selection.repository is None:
            self.program.toast("Put the cursor on a repository first.")
            return
        repository = selection.repository
        # Tag moves are reported wherever they happen, but new signatures are not.
        vouches = command == "vouch"
        self._given.browser.perform(command, selection, lambda: self._read_again(repository) if vouches else None)

    def tags_changed(self, repository: Repository | None) -> None:
        """Tags were changed, here or on a screen above: read them again."""
        if repository is None:
            self.action_reload()
        else:
            self._read_again(repository)

    @work(group="board.row", description="read again")
    async def _read_again(self, repository: Repository) -> None:
        self._ports.forget(repository)
        await self._read_journal()
        if await self._reading.read_again(repository):
            self.draw()

    @on(Grid.Opened)
    def action_open(self) -> None:
        """Show the ModelKit in the panes."""
        row, cell = self._grid.row, self._grid.cell
        if row is None:
            return
        target = cell.tag if cell is not None else None
        self.dismiss()
        self._given.browser.open(*self._ports.locate(row.repository.reference(target)))

    def action_compare(self) -> None:
        """Compare the champion with the card."""
        from kittui.usecases.diff.compare import Side

        row, cell = self._grid.row, self._grid.cell
        champion = row.cells.get(self._ports.settings.lifecycle.champion) if row is not None else None
        if row is None or cell is None or champion is None or champion is cell:
            self.program.toast("Put the cursor on a stage other than the champion.")
            return
        self.program.open_comparison(Side(row.repository, champion.tag), Side(row.repository, cell.tag))

    def action_copy(self) -> None:
        """Copy the card's reference."""
        selection = self._selection
        if selection is not None and selection.reference is not None:
            self.program.copy(selection.reference)

    def action_sort(self) -> None:
        """Use the next sort order."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self.draw()

    def action_group(self) -> None:
        """Group by namespace, or not."""
        self._grouped = not self._grouped
        self.draw()

    def action_compact(self) -> None:
        """One line per repository, or cards."""
        self._grid.toggle()

    def action_set(self) -> None:
        """Choose what the board shows."""
        self.program.run_command("Other board", self._choose())

    async def _choose(self) -> None:
        words = await choose(self.program, self._ports, list(self.rows.values()))
        if words is not None:
            self._words = words
            self._load()

    def action_reload(self) -> None:
        """Read everything again."""
        for row in self.rows.values():
            self._ports.forget(row.repository)
        self._load(again=True)

    def action_close(self) -> None:
        """Clear the filter, else go back."""
        if not self.drop_filter():
            self.dismiss()


async def show_board(context: Context) -> None:
    """Open the board of the source under the cursor."""
    place = context.selection.place
    context.show(BoardScreen(context, (str(place),) if place is not None else ()))

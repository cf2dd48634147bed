"""The board on the screen: stages across, repositories down; what is done to a card is what the panes' keys do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.board.cards import MARKS, ORDERS, Order, about, arranged, card, stages_of, waits
from kittui.tui.board.grid import Grid
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.frame.context import Context
from kittui.tui.frame.program import Program, program_of
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.filtering import FilterInput
from kittui.tui.panes.queries import parse
from kittui.tui.panes.state import read_facts
from kittui.tui.style.sizes import at_text
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Lines, Page

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.trust.board import Board, BoardRow, Cell

DRAW: Final = 0.1
"""Seconds between two drawings while rows arrive."""
MANY: Final = 30
"""Repositories from which the board begins with one line for each."""
HINTS: Final = (
    ("open", "Open", "open"),
    ("promote", "Promote", "perform('promote')"),
    ("retag", "Retag", "perform('retag')"),
    ("vouch", "Vouch", "perform('vouch')"),
    ("filter", "Filter", "filter"),
    ("sort", "Sort", "sort"),
    ("group", "Group", "group"),
    ("compact", "Compact", "compact"),
    ("set", "Other board", "set"),
    ("close", "Back", "close"),
)
PERFORMED: Final = frozenset({"promote", "rollback", "retag", "undo", "vouch", "history"})
"""Commands of the panes that are done to a card."""


class BoardScreen(Screen[None], inherit_bindings=False):
    """Names at once, details as they arrive; the card under the cursor in full below."""

    DEFAULT_CSS = """
    BoardScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    BoardScreen #facts { height: 1; padding: 0 1; color: $kit-muted; }
    BoardScreen FilterInput, BoardScreen FilterInput:focus {
        display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; color: $kit-text;
    }
    BoardScreen.-filtering FilterInput { display: block; }
    BoardScreen Lines { height: 9; border-top: solid $kit-line; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "perform('promote')", "Promote", id="board.promote", tooltip="Challenger to champion here"),
        Binding("R", "perform('rollback')", "Roll back", id="board.rollback", tooltip="Champion back to rollback"),
        Binding("t", "perform('retag')", "Retag", id="board.retag", tooltip="Move the card: give it another stage"),
        Binding("z", "perform('undo')", "Undo", id="board.undo", tooltip="Take the last change here back"),
        Binding("Z", "perform('redo')", "Redo", id="board.redo", tooltip="Do again what undo took back last"),
        Binding("a", "perform('vouch')", "Vouch", id="board.vouch", tooltip="Sign, approve, reject or attest"),
        Binding("H", "perform('history')", "History", id="board.history", tooltip="Who moved which tag, when"),
        Binding("d", "compare", "Compare", id="board.compare", tooltip="Compare the card with the champion"),
        Binding("y", "copy", "Copy", id="board.copy", tooltip="Copy the card's reference"),
        Binding("slash", "filter", "Filter", id="board.filter", tooltip="Names, versions, people, what is waited for"),
        Binding("s", "sort", "Sort", id="board.sort", tooltip="By name, what waits first, last moved first"),
        Binding("equals_sign", "group", "Group", id="board.group", tooltip="By namespace, or not"),
        Binding("v", "compact", "Compact", id="board.compact", tooltip="One line a repository, or cards"),
        Binding("o", "set", "Other board", id="board.set", tooltip="A source, a namespace, or a saved set"),
        Binding("r", "reload", "Reload", id="board.reload", tooltip="Ask for everything again"),
        Binding("question_mark", "app.help", "Help", id="board.help", tooltip="Every key that is live now"),
        Binding("escape,q,b", "close", "Back", id="board.close", tooltip="Drop the filter, or back to the panes"),
    ]

    def __init__(self, context: Context, words: Sequence[str]) -> None:
        """`words` name repositories as `kittui board` does; none of them is everything that is configured."""
        super().__init__()
        self._given, self._words = context, tuple(words)
        self._ports = context.ports
        self._board: Board | None = None
        self._rows: dict[str, BoardRow] = {}
        self._total: int | None = None
        self._problems: Sequence[KittuiError] = ()
        self._order: Order = "name"
        self._grouped = False
        self._needle = self._filtered_by = ""
        self._read_at: datetime | None = None
        self._broken_since: datetime | None = None
        self._timer: Timer | None = None
        self._header, self._facts = HeaderBar(), Static(id="facts")
        self._filter = FilterInput()
        self._grid = Grid(self._card)
        self._lines = Lines()
        self._lines.can_focus = False
        self._footer = FooterBar()

    @property
    def program(self) -> Program:
        """The program, for its keys and toasts."""
        return program_of(self)

    @property
    def marks_of_help(self) -> Sequence[tuple[str, str, str]]:
        """The marks of cards, for help."""
        return MARKS

    @property
    def grid(self) -> Grid:
        """The cards."""
        return self._grid

    def compose(self) -> ComposeResult:
        """Header, facts, the filter while one is typed, cards, the one under the cursor, keys."""
        yield self._header
        yield self._facts
        yield self._filter
        yield self._grid
        yield self._lines
        yield self._footer

    def on_mount(self) -> None:
        """Begin to read."""
        self._hint()
        self._grid.focus()
        self._load()

    def _hint(self) -> None:
        """Name the keys in the footer that do something for the card under the cursor."""
        keys = self._ports.keys
        self._footer.hints = tuple(
            KeyHint(keys.all_of(f"board.{name}"), label, f"screen.{action}")
            for name, label, action in HINTS
            if not self.refusal(f"board.{name}")
        )

    def refusal(self, command: str) -> str:
        """Why a key does nothing for the card, by its id; empty where it does something."""
        name = command.removeprefix("board.")
        if name not in PERFORMED:
            return ""
        return self._given.browser.refusal(name, self._selection or Selection(read_only=self._read_only))

    @property
    def _read_only(self) -> bool:
        return self._ports.settings.read_only

    def on_resize(self) -> None:
        """The card in full takes what a small terminal can spare."""
        self._lines.styles.height = 7 if self.size.height < 30 else 11

    def _card(self, cell: Cell | None, width: int) -> list[Spans]:
        return card(cell, self._ports.clock(), width)

    @work(group="board", exclusive=True)
    async def _load(self) -> None:
        before, self._rows, self._total, self._problems = self._rows, {}, None, ()
        labels = {str(each.place): each.label for each in self._ports.places if each.label}
        names = [clean(labels.get(word, word), limit=80) for word in self._words]
        self._header.where = ("Board", ", ".join(names) or "everything")
        self._draw()
        try:
            found, self._problems = await self._ports.trust.named(self._words)
            self._total = len(found)
            self._grid.compact = len(found) > MANY
            self._board = self._ports.trust.board()
            async for row in self._board.rows(found):
                name = row.repository.reference()
                self._rows[name] = _kept(before.get(name), row)
                self._draw_soon()
            self._read_at = self._ports.clock()
        except KittuiError as error:
            self._total = self._total or 0
            self._problems = [*self._problems, error]
            self.program.fail(error)
        for one in self._problems:
            lost = {name: row for name, row in before.items() if _names(one, row)}
            self._rows |= {
                name: replace(row, problem=one.message) for name, row in lost.items() if name not in self._rows
            }
        self._draw()
        if self._problems:
            texts = (f"{clean(one.reference or '')}: {clean(one.message)}" for one in self._problems[:3])
            self.notify("\n".join(texts), severity="warning", markup=False)

    def _draw_soon(self) -> None:
        """Draw at most a few times a second; nothing runs once everything is there."""
        if self._timer is None:
            self._timer = self.set_timer(DRAW, self._draw)

    def _draw(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        rows = list(self._rows.values())
        stages = stages_of(rows, self._board.stages if self._board is not None else ())
        challenger = self._ports.settings.lifecycle.challenger
        self._grid.show(arranged(rows, self._order, self._needle, grouped=self._grouped), stages, challenger)
        self._say(rows)

    def _say(self, rows: Sequence[BoardRow]) -> None:
        now = self._ports.clock()
        broken = sum(bool(row.problem) for row in rows) or len(self._problems)
        if self._total is not None:
            self._broken_since = (self._broken_since or now) if broken else None
        since = f"{broken} not read since {at_text(self._broken_since, now)}" if self._broken_since and broken else ""
        self._header.facts = read_facts(self._read_at, since, now)
        if self._total is None:
            self._facts.update(Content("Listing repositories …"))
            return
        shown = [row for row in rows if row.cells or row.problem]
        done = sum(row.complete for row in rows)
        parts = [f"{len(shown)} of {self._total} repositories have a stage" if self._total else "No repositories here"]
        waiting = sum(map(waits, shown))
        parts += [f"▲ {waiting} wait{'s' if waiting == 1 else ''} for a gate"] if waiting else []
        parts += [f"by {'what waits' if self._order == 'waiting' else 'last move'}"] if self._order != "name" else []
        parts += ["by namespace"] if self._grouped else []
        parts += [f"/{clean(self._needle, limit=60)}"] if self._needle else []
        parts += [f"✗ {len(self._problems)} could not be listed"] if self._problems else []
        parts += [f"reading {done} of {self._total} …"] if done < self._total else []
        self._facts.update(Content(" · ".join(parts)))

    @on(Grid.Moved)
    def _moved(self) -> None:
        self._hint()
        row = self._grid.row
        if row is None:
            nothing = "Nothing here holds it." if self._needle else "A repository with a stage tag shows here."
            nothing = "" if self._total is None else nothing
            self._lines.show(Page([((nothing, "muted"),)]))
            return
        self._lines.show(Page(about(row, self._grid.cell, self._grid.stage, self._ports.clock())))

    @property
    def _selection(self) -> Selection | None:
        """The card under the cursor as the panes would select it."""
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
            read_only=self._read_only,
        )

    def action_perform(self, command: str) -> None:
        """Do what a key of the panes does, to this card."""
        selection = self._selection
        if selection is None or selection.repository is None:
            self.program.toast("Put the cursor on a repository first.")
            return
        repository = selection.repository
        # Tags that move are heard of, wherever they are moved; what somebody vouches for is not.
        vouches = command == "vouch"
        self._given.browser.perform(command, selection, lambda: self._read_again(repository) if vouches else None)

    def tags_changed(self, repository: Repository | None) -> None:
        """Tags were changed, here or on a screen above: read what they are now."""
        if repository is None:
            self.action_reload()
        else:
            self._read_again(repository)

    @work(group="board.row")
    async def _read_again(self, repository: Repository) -> None:
        name = repository.reference()
        if self._board is None or name not in self._rows:
            return
        self._ports.forget(repository)
        row = self._rows[name] = await self._board.stages_of(repository)
        if not row.complete:
            self._rows[name] = await self._board.details_of(row)
        self._draw()

    @on(Grid.Opened)
    def action_open(self) -> None:
        """Show the ModelKit among the panes."""
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
            self.program.toast("Put the cursor on another stage than the champion, where there is one.")
            return
        self.program.open_comparison(Side(row.repository, champion.tag), Side(row.repository, cell.tag))

    def action_copy(self) -> None:
        """Copy the card's reference."""
        selection = self._selection
        if selection is not None and selection.reference is not None:
            self.program.copy(selection.reference)

    def action_filter(self) -> None:
        """Type a filter."""
        self._filtered_by = self._needle
        self.add_class("-filtering")
        self._filter.focus()

    @on(FilterInput.Typed)
    def _typed(self, event: FilterInput.Typed) -> None:
        self._needle = event.text.strip()
        self._filter.problem = parse(self._needle).problem
        self._draw()

    @on(FilterInput.Left)
    def _left(self, event: FilterInput.Left) -> None:
        if not event.keep or not self._needle:
            self._needle = ""
        self.remove_class("-filtering")
        self._grid.focus()
        self._draw()
        if event.keep and self._needle and self._needle != self._filtered_by:
            self._grid.action_edge(0)

    def action_sort(self) -> None:
        """Take the next order."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._draw()

    def action_group(self) -> None:
        """By namespace, or not."""
        self._grouped = not self._grouped
        self._draw()

    def action_compact(self) -> None:
        """One line a repository, or cards."""
        self._grid.toggle()

    def action_set(self) -> None:
        """Choose what the board is of."""
        self.program.run_command("Other board", self._choose())

    async def _choose(self) -> None:
        names = sorted({row.name.rpartition("/")[0] for row in self._rows.values() if row.name.count("/") > 1})
        choices: list[Choice[tuple[str, ...]]] = [
            Choice((word,), clean(word, limit=60), "saved set") for word in self._ports.trust.sets
        ]
        if self._ports.settings.favourites:
            choices.append(Choice(tuple(self._ports.settings.favourites), "favourites", "the starred repositories"))
        places = [str(each.place) for each in self._ports.places]
        choices += [Choice((place,), clean(place, limit=60), "source") for place in places]
        choices += [Choice((f"{name}/",), clean(f"{name}/", limit=60), "namespace") for name in names]
        choices.append(Choice((), "everything", "all that is configured"))
        words = await self.program.ask(ChoiceDialog("Board of", choices))
        if words is not None:
            self._words = words
            self._load()

    def action_reload(self) -> None:
        """Ask for everything again."""
        for row in self._rows.values():
            self._ports.forget(row.repository)
        self._load()

    def action_close(self) -> None:
        """Drop the filter, then back."""
        if self._needle:
            self._needle = ""
            self._filter.value = ""
            self._draw()
        else:
            self.dismiss()


def _kept(before: BoardRow | None, row: BoardRow) -> BoardRow:
    """A row as it was read; where it could not be read, what was known of it before, with why."""
    return replace(before, problem=row.problem) if before is not None and row.problem and not row.cells else row


def _names(error: KittuiError, row: BoardRow) -> bool:
    """Whether what could not be listed is where a row is from."""
    return str(row.repository.source.place) == (error.reference or "") or row.name.startswith(f"{error.reference}/")


async def show_board(context: Context) -> None:
    """Open the board of the source under the cursor."""
    place = context.selection.place
    context.show(BoardScreen(context, (str(place),) if place is not None else ()))

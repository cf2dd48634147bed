"""The history screen: every move of a repository's tags, and what its stages held after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.worker import Worker

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.terminal import clean, counted
from kittui.trust.documents import parse_time, read_moment, write_time
from kittui.tui.change.history_page import held_line, move_cells, move_lines, notes, nothing, tag_of
from kittui.tui.frame.commands import Condition, changes_allowed, every, writable_here
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.rows_screen import RowsScreen
from kittui.tui.panes.state import trouble_since
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Rows
from kittui.usecases.trust.chain import TagEvent
from kittui.usecases.trust.held import Held, held_at
from kittui.usecases.trust.history import MergedHistory

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository

COLUMNS = (
    Column("  time", 18, sticky=True),
    Column("action", 9, sticky=True),
    Column("tag", 12, sticky=True),
    Column("before", 12),
    Column("after", 12),
    Column("proof", 16),
    Column("who: why", 20, flex=True),
)
NOT_ALL = "The registry's records were not all read."


class HistoryScreen(RowsScreen[TagEvent]):
    """The moves, newest first; below, the one under the cursor, and what each tag pointed to then."""

    DEFAULT_CSS = """
    HistoryScreen Lines { height: 45%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "on_date", "On a date", id="history.date", tooltip="Show what the tags pointed to on a date"),
        Binding("space", "mark", "Mark", id="history.mark", tooltip="Mark the move, to compare it with another"),
        Binding(
            "d",
            "compare",
            "Compare",
            id="history.compare",
            tooltip="Compare before and after the move, or the results of the marked move and this one",
        ),
        Binding(
            "D",
            "compare_now",
            "With now",
            id="history.now",
            tooltip="Compare the move's result with what the tag holds now",
        ),
        Binding("R", "restore", "Restore", id="history.restore", tooltip="Point the tag to this again"),
        Binding("X", "prune", "Prune", id="history.prune", tooltip="Delete old records of tag moves from the registry"),
        Binding("z", "undo", "Undo", id="history.undo", tooltip="Undo the last tag change here"),
        Binding("Z", "redo", "Redo", id="history.redo", tooltip="Redo what was undone last"),
        Binding(
            "slash",
            "filter",
            "Filter",
            id="history.filter",
            tooltip="Filter by tag, person, reason or digest; Esc clears",
        ),
        Binding("r", "reload", "Reload", id="history.reload", tooltip="Read the history again"),
        Binding("y", "copy", "Copy", id="history.copy", tooltip="Copy the visible moves, one per line"),
        Binding("question_mark", "app.help", "Help", id="history.help", tooltip="All keys that work now"),
        Binding(
            "escape,q,H", "close", "Back", id="history.close", tooltip="Stop reading, clear the filter, or go back"
        ),
    ]

    NEEDS: ClassVar[Mapping[str, Condition]] = dict.fromkeys(
        ("history.restore", "history.prune", "history.undo"), every(changes_allowed, writable_here)
    )

    def __init__(self, context: Context, repository: Repository, tag: Tag | None, names: Mapping[str, str]) -> None:
        """`names` maps digests to tags."""
        super().__init__(COLUMNS, move_cells, _key)
        self._given = context
        self._marked: TagEvent | None = None
        self._repository, self._tag, self._names = repository, tag, names
        self._history = MergedHistory(repository.reference(), ())
        self._by_tag: dict[str, MergedHistory] | None = None
        self._moment: datetime | None = None
        self._found: TagEvent | None = None
        self._reader: Worker[None] | None = None
        self._trouble = ""
        self._complete = False

    @property
    def found(self) -> Sequence[TagEvent]:
        """The moves that are known so far."""
        return self._history.events

    @property
    def selection(self) -> Selection:
        """The repository, ignoring marks in the panes."""
        return replace(self._given.selection, marks=())

    @property
    def history(self) -> MergedHistory:
        """The history read so far."""
        return self._history

    def on_mount(self) -> None:
        """Show what this machine knows at once, then add the registry's records."""
        self._header.where = tuple(clean(name, limit=60) for name in (self._repository.name, self._tag) if name)
        hints = [("date", "On a date", "screen.on_date"), ("compare", "Compare", "screen.compare")]
        hints += [("now", "With now", "screen.compare_now"), ("restore", "Restore", "screen.restore")]
        hints += [("mark", "Mark", "screen.mark"), ("filter", "Filter", "screen.filter")]
        hints += [("copy", "Copy", "screen.copy"), ("help", "Help", "app.help"), ("close", "Back", "screen.close")]
        self.hint([(f"history.{name}", label, action) for name, label, action in hints])
        self._rows.focus()
        self.action_reload()

    def action_reload(self) -> None:
        """Read the history again."""
        self._complete = False
        self._reader = self._read()

    def tags_changed(self, repository: Repository | None) -> None:
        """Tags were changed, by a transfer too: read the history again."""
        if repository is None or repository.reference() == self._repository.reference():
            self.action_reload()

    @work(group="history", exclusive=True)
    async def _read(self) -> None:
        self.say("Reading the history …")
        before = self._history
        try:
            async for history in self.program.ports.trust.history(self._repository, self._tag):
                self._history, self._by_tag = history, None
                self.draw()
                self._find_marked()
                self.say("This machine's moves; reading the registry's records …")
                self._detail()
        except KittuiError as error:
            self._say_read(error)
            self.say(error.message)
            self.program.fail(error)
            return
        trouble = self._history.trouble
        if trouble is not None and {*map(_key, before.events)} >= {*map(_key, self._history.events)}:
            self._history, self._by_tag = replace(before, notes=self._history.notes), None
            self.draw()
        self._complete = trouble is None
        self._say_read(trouble)
        self.say(self._summary())
        self._detail()

    def _say_read(self, error: KittuiError | None) -> None:
        now = self.program.ports.clock()
        self._trouble = (self._trouble or trouble_since(error, now)) if error is not None else ""
        self.say_read(self._read_at if error is not None else now, self._trouble)

    def _summary(self) -> str:
        events = self._history.events
        outside = sum(event.source == "none" for event in events)
        parts = [f"{counted(len(events), 'move')}, newest first"]
        parts += [f"{outside} outside kittui"] if outside else []
        parts += [f"▲ {counted(len(self._history.notes), 'note')} below"] if self._history.notes else []
        return " · ".join(parts)

    @on(Rows.Highlighted)
    def _moved(self) -> None:
        if not _same(self._rows.current, self._found):
            self._moment = None
        self._detail()

    def _detail(self) -> None:
        event = self._rows.current
        if event is None and self._moment is None:
            found: list[Line] = [(("Nothing matches the filter.", "muted"),)] if self._needle else []
            found = nothing(self._tag or self._repository.name) if not self._history.events else found
            self._lines.show(Page([*self._lacking(), *found, *notes(self._history)]))
            return
        lines: list[Line] = []
        if event is not None and self._moment is None:
            lines += move_lines(event, self._names)
        moment = self._moment or parse_time(event.time if event is not None else "")
        if moment is not None:
            at = write_time(moment)
            lines += [((f"What the tags pointed to at {at}" + (":" if self._moment else ", after it:"), "text+bold"),)]
            lines += [held_line(held, self._names) for held in self._held(moment)]
        self._lines.show(Page([*self._lacking(), *lines, *notes(self._history)]))

    def _lacking(self) -> list[Line]:
        """Note that the list is incomplete because the user stopped reading."""
        return [((NOT_ALL, "warn"),)] if self._reader is None and not self._complete else []

    def _held(self, moment: datetime) -> list[Held]:
        """What every moved tag pointed to; the last stages first."""
        if self._by_tag is None:
            order: dict[str, int] = {
                stage.name: number for number, stage in enumerate(self.program.ports.settings.stages)
            }
            tags = sorted({event.tag for event in self._history.events}, key=lambda tag: (-order.get(tag, -1), tag))
            moved: dict[str, list[TagEvent]] = {tag: [] for tag in tags}
            for event in self._history.events:
                moved[event.tag].append(event)
            self._by_tag = {tag: replace(self._history, events=tuple(events)) for tag, events in moved.items()}
        return [held_at(history, tag, moment) for tag, history in self._by_tag.items()]

    def action_on_date(self) -> None:
        """Ask for a date, go to the last move before it, and show what the tags pointed to."""
        self.program.run_command("On a date", self._on_date())

    async def _on_date(self) -> None:
        from kittui.tui.dialogs.prompt import InputDialog

        wrong = "Write 2026-09-01, or a time with its zone."
        text = await self.program.ask(
            InputDialog(
                "On a date",
                ("Show what the tags pointed to at the start of this day, or at this time:",),
                placeholder="2026-09-01, or 2026-09-01T12:00:00Z",
                check=lambda text: "" if read_moment(text.strip()) else wrong,
            )
        )
        moment = read_moment(text.strip()) if text is not None else None
        if moment is None:
            return
        at = write_time(moment)
        number = next((n for n, event in enumerate(self._rows.rows) if event.time <= at), None)
        if number is not None:
            self._rows.move_to(number)
        self._moment, self._found = moment, self._rows.current
        self._detail()

    def action_mark(self) -> None:
        """Mark or unmark the move under the cursor."""
        if (event := self._here()) is not None:
            self._mark(None if _same(event, self._marked) else event)

    def _here(self) -> TagEvent | None:
        """The move under the cursor; shows a message without one."""
        if self._rows.current is None:
            self.program.toast("There is no move under the cursor.")
        return self._rows.current

    def _mark(self, event: TagEvent | None) -> None:
        self._marked = event
        self._rows.marked.clear()
        if event is not None:
            self._rows.marked.add(_key(event))
        self._rows.touch()

    def _find_marked(self) -> None:
        """Find the marked move in the new list; clears the mark if it is gone."""
        if self._marked is not None:
            self._mark(next((event for event in self._history.events if _same(event, self._marked)), None))

    @on(Rows.Opened)
    def action_compare(self) -> None:
        """Compare what the tag pointed to before and after the move; with a mark, the results of both moves."""
        event, marked = self._here(), self._marked
        if event is not None and marked is not None and not _same(event, marked):
            self._compare(marked.after, event.after)
        elif event is not None:
            self._compare(event.before, event.after)

    def _compare(self, a: str | None, b: str | None) -> None:
        from kittui.usecases.diff.compare import Side

        if a is None or b is None or a == b:
            same = a is not None and a == b
            self.program.toast(
                "Both point to the same digest."
                if same
                else "The tag did not exist before or after this move, so there is nothing to compare."
            )
            return
        self.program.open_comparison(*(Side(self._repository, Digest(digest)) for digest in (a, b)))

    def action_compare_now(self) -> None:
        """Compare the move's result with what the tag points to now."""
        self.program.run_command("Compare", self._compare_now())

    async def _compare_now(self) -> None:
        event = self._here()
        if event is not None:
            held = event.after or event.before
            self._compare(held, (await self._repository.resolve(Tag.parse(event.tag))).digest)

    def action_restore(self) -> None:
        """Point the tag back to the move's result; for a removal, to what it held before."""
        if not self.refuses("history.restore"):
            self.program.run_command("Restore", self._restore())

    async def _restore(self) -> None:
        from kittui.tui.change.tags import restore

        event = self._rows.current
        digest = (event.after or event.before) if event is not None else None
        if event is None or digest is None:
            self.program.toast("Nothing to restore: it is unknown what the tag pointed to.")
            return
        await restore(self._given, self._repository, Tag.parse(event.tag), Digest.parse(digest))

    def action_prune(self) -> None:
        """Delete old records from the registry, except the newest of each tag."""
        if not self.refuses("history.prune"):
            self.program.run_command("Prune", self._prune())

    async def _prune(self) -> None:
        from kittui.tui.change.pruning import choose_old
        from kittui.usecases.trust.prune import prune

        self.program.ports.change_tools().policy.check_write(self._repository.reference())
        if not self._complete:
            self.program.toast(f"{NOT_ALL} Prune after they are.")
            return
        old = await choose_old(self.program, self._history)
        if not old:
            return
        try:
            done = await prune(self._repository, old)
            self.program.toast(f"{counted(len(done), 'record')} deleted.")
        finally:
            # Records deleted before a failure stay deleted.
            self.action_reload()

    def action_undo(self) -> None:
        """Undo the last change here, as in the panes."""
        self._given.browser.perform("undo", self.selection, self.action_reload)

    def action_redo(self) -> None:
        """Redo what was undone last, as the panes do."""
        self._given.browser.perform("redo", self._given.selection, self.action_reload)

    def text(self, row: TagEvent) -> str:
        """A move as text, for filtering and copying."""
        fields = [getattr(row, name) or "none" for name in ("actor", "action", "tag", "before", "after")]
        return "\t".join([row.when, *fields, row.vouched, row.reason])

    def action_close(self) -> None:
        """Stop reading, clear the filter, or go back."""
        if self._reader is not None and self._reader.is_running:
            self._reader.cancel()
            self._reader = None
            self.say(f"Stopped; the list is incomplete. {self._summary()}")
            self._detail()
        elif not self.drop_filter():
            self.dismiss()


def _key(event: TagEvent) -> tuple[str, ...]:
    return (event.id, event.tag, event.time, event.since)


def _same(a: TagEvent | None, b: TagEvent | None) -> bool:
    """Whether both are the same move, read at different times."""
    return a is not None and b is not None and _key(a) == _key(b)


async def show_history(context: Context) -> None:
    """Open the history of the repository, or of the tag under the cursor."""
    repository = context.selection.repository
    if repository is None:
        return
    known = context.browser.known_digests(repository)
    stages = {stage.name for stage in context.ports.settings.stages}
    # Prefer versions over stages, which may have moved since.
    names = {str(digest): tag for tag, digest in sorted(known.items(), key=lambda one: one[0] not in stages)}
    context.show(HistoryScreen(context, repository, tag_of(context.selection), names))

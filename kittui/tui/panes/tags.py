"""The tags pane: names appear at once; details from manifests fill in for the rows in view."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from textual import on, work
from textual.message import Message
from textual.reactive import var
from textual.timer import Timer
from textual.worker import Worker

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import together
from kittui.terminal import clean
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Mark
from kittui.tui.panes.queries import Query, parse
from kittui.tui.panes.spacing import DRAW, Spacing
from kittui.tui.panes.state import State
from kittui.tui.panes.tag_freshness import notice_moved
from kittui.tui.panes.tag_list_pane import TagListPane
from kittui.tui.panes.tag_lists import TagLists
from kittui.tui.panes.tag_reader import TagReader
from kittui.tui.panes.tag_rows import TagList, TagRow, unknown
from kittui.tui.panes.tag_states import CHOOSE, listed, loading, reread_words
from kittui.tui.widgets.rows import Rows

LEARN_AFTER = 0.3
"""Seconds after the last key of a filter until missing details are read."""
LEARNED = 200
"""Maximum tags that are read for a filter."""


class TagsPane(TagListPane):
    """The tags of one repository: lists them, reads rows, and notices what was moved or changed meanwhile."""

    NUMBER: ClassVar[int] = 2
    repository: var[Repository | None] = var(None)

    class Read(Message):
        """A tag's manifest has been read, or could not be."""

        def __init__(self, row: TagRow) -> None:
            super().__init__()
            self.row = row

    class Counted(Message):
        """A repository's tags have all been listed."""

        def __init__(self, repository: Repository, count: int) -> None:
            super().__init__()
            self.repository = repository
            self.count = count

    def __init__(self, ports: Ports, marks: dict[tuple[str, str, str], Mark]) -> None:
        super().__init__(ports, marks)
        self._reader = TagReader(
            ports, lambda read: self.run_worker(read, group="rows", description="read"), self._was_read
        )
        self._lists = TagLists(ports, self._reader)
        self._wanted: tuple[Place, str, Target] | None = None
        self._changed = False
        self._changes = 0
        self._before: frozenset[Tag] | None = None
        self._spacing = Spacing()
        self._reordering: Timer | None = None

    @property
    def _query(self) -> Query:
        return parse(self.filter, tags=True)

    def names_of(self, repository: Repository) -> list[Tag] | None:
        """A repository's tags, if all of them were listed before; no request."""
        return self._lists.names_of(repository)

    def on_mount(self) -> None:
        """Nothing is chosen yet."""
        self.set_state(CHOOSE)
        self.retitle()
        if self._ports.settings.refresh:
            self.set_interval(self._ports.settings.refresh, self._look_quietly)

    def watch_repository(self, repository: Repository | None) -> None:
        """Show another repository: from memory if it was listed before."""
        self._reader.stop()
        self.workers.cancel_group(self, "tags")
        self._view.changed()
        self._before = None
        self.filter = ""
        if repository is None:
            self._list = None
            self._rows.reset()
            self.set_state(CHOOSE)
            self.retitle()
            self.post_message(self.Rested())
            return
        self._list = self._lists.of(repository)
        self._drawn.stages = self._list.stages_by_digest()
        if self._list.complete:
            self.set_state(listed(self._list))
            self._assess()
        self._rows.reset()
        self.rebuild(first=True)
        self._find_wanted()
        self._read_moves(repository)
        if not self._list.complete:
            self._load(self._list)
        if self.current is None:
            self.post_message(self.Rested())

    @work(group="moves", exclusive=True, description="read moves")
    async def _read_moves(self, repository: Repository, *, changed: bool = False) -> None:
        """Read who moved which tag, as far as this machine knows: no request.

        Where we `changed` tags ourselves, those are no longer somebody else's move.
        """
        before = self._drawn.moves if changed else {}
        self._drawn.moves = before
        with suppress(KittuiError):
            # Take only what this machine knows, which comes first, and request no records from the registry.
            events = (await anext(self._ports.trust.history(repository, None))).events
            # The newest comes first, and stays.
            self._drawn.moves = {
                (Tag(event.tag), Digest(event.after)): (event.actor, event.time)
                for event in reversed(events)
                if event.after is not None
            }
        if changed and self._list is not None:
            ours = {tag for (tag, _), _ in self._drawn.moves.items() - before.items()}
            for row in self._list.rows:
                row.moved = row.moved and row.target not in ours
        self._rows.touch()

    def show_place(self, state: State) -> None:
        """No repository is chosen: show the state of the place under the cursor."""
        self.repository = None
        self.set_state(CHOOSE if state.kind == "ready" else state)

    def look_for(self, place: Place, name: str, target: Target) -> None:
        """Put the cursor on this tag or digest as soon as its repository is listed."""
        self._wanted = (place, name, target)
        self._find_wanted()

    @property
    def looking(self) -> bool:
        """Whether a requested tag or digest may still appear."""
        return self._wanted is not None

    def reload(self, *, says: bool = False) -> None:
        """List again, and resolve the tags in view again; `says`: report the result."""
        if self._list is not None:
            self._before = self._list.names if says else None
            self._reader.stop()
            self._ports.forget(self._list.repository)
            self._load(self._list)

    def forget(self, place: str | None = None, name: str | None = None) -> bool:
        """Tags of a repository, or of all, were changed: drop what is remembered of them.

        Returns whether they are shown: then they are listed again.
        """
        shown = self._lists.forget(place, name, self._list)
        if shown:
            self._changed = True
            self._changes += 1
            self.reload()
            if self._list is not None:
                self._read_moves(self._list.repository, changed=True)
        return shown

    @work(exclusive=True, group="tags", description="load")
    async def _load(self, tags: TagList) -> None:
        self.set_state(loading(tags.repository))
        failed = await self._lists.load(tags, self._show)
        self.set_state(failed or listed(tags))
        if self.current is None:
            self.post_message(self.Rested())
        if failed is None:
            self._find_wanted()
            if self._changed and not self.filter:
                self._rows.settle()
            self._changed = False
            self._assess()
            self._rows.view_again()
            if self._before is not None:
                self.notify(clean(reread_words(self._before, tags.names)), markup=False)
                self._before = None
            self.post_message(self.Counted(tags.repository, sum(row.entry.name is not None for row in tags.rows)))

    def _show(self, tags: TagList, rows: list[TagRow]) -> None:
        """Show a list's current rows."""
        tags.rows = list(rows)
        self._view.changed()
        if tags is not self._list:
            return
        self._drawn.stages = tags.stages_by_digest()
        first = not self._rows.rows or not (self._rows.touched or tags.complete)
        self.rebuild(first=first)
        self._find_wanted()

    def _find_wanted(self) -> None:
        if self._wanted is None or self._list is None:
            return
        repository = self._list.repository
        place, name, target = self._wanted
        if (place, name) != (repository.source.place, repository.name):
            return
        for number, row in enumerate(self._rows.rows):
            if target in (row.target, row.digest):
                self._wanted = None
                self._rows.move_to(number)
                self.post_message(self.Moved())
                return
        # A tag's digest is only known once its row is read, and only rows in view are read.
        view = self._rows.in_view
        read = not self._rows.rows or (bool(view) and all(row.digest or row.problem for row in view))
        if self._list.complete and (isinstance(target, Tag) or read):
            self._wanted = None
            self.notify(f"{clean(repository.reference(target))} is not listed.", severity="warning", markup=False)

    def set_filter(self, text: str) -> None:
        """Show only tags that meet the filter; what it asks for is read if unknown."""
        super().set_filter(text)
        self.workers.cancel_group(self, "learn")
        if self._query.fields:
            self._learn(self._query)

    @work(group="learn", exclusive=True, description="learn")
    async def _learn(self, query: Query) -> None:
        """Read what a filter needs for the first tags that lack it."""
        await sleep(LEARN_AFTER)
        tags = self._list
        if tags is None:
            return
        rows = [row for row in tags.rows if unknown(row, query)][:LEARNED]
        await together(*(self._learn_row(row, query) for row in rows))
        self._reorder()
        self._assess()

    async def _learn_row(self, row: TagRow, query: Query) -> None:
        await self._reader.learn(row, query)
        self._reorder_soon()

    @property
    def resting(self) -> bool:
        """Whether the pane still waits for the cursor to have rested, or to order what was read."""
        return super().resting or self._reordering is not None

    def _reorder_soon(self) -> None:
        """Sort and filter again soon, together with what else is read until then."""
        if self._reordering is None:
            self._reordering = self.set_timer(max(DRAW, self._spacing.wait), self._reorder)

    def _reorder(self) -> None:
        if self._reordering is not None:
            self._reordering.stop()
            self._reordering = None
        self._view.changed()
        self._spacing.draw(self.rebuild)

    def rehold(self) -> None:
        """Check again which read content is in the local store, after it has changed."""
        self._rehold()

    @work(group="held", exclusive=True)
    async def _rehold(self) -> None:
        with suppress(KittuiError):
            await self._reader.look_up_held(self._lists.rows)
        self._rows.touch()

    def _look_quietly(self) -> None:
        """Check whether somebody else moved the stages in view.

        It skips that while they are covered or have no focus, while something is being read, and while a command runs
        that may move them itself.
        """
        tags = self._list
        seen = self.app.app_focus and self.app.screen is self.screen and bool(self.children)
        if tags is None or not tags.complete or not seen:
            return
        if (
            not self._commanded
            and self.state.kind != "loading"
            and not any(w.group in ("tags", "check") for w in self._busy)
        ):
            self._check(tags)

    @property
    def _commanded(self) -> bool:
        """Whether a command is running."""
        return any(worker.group == "command" and not worker.is_finished for worker in self.workers)

    @property
    def _busy(self) -> Sequence[Worker[Any]]:
        return [worker for worker in self.workers if worker.node is self and not worker.is_finished]

    @work(group="check", exclusive=True, description="check")
    async def _check(self, tags: TagList) -> None:
        """Notice which stage tags of a list were moved; if any, list it again."""
        changes = self._changes
        moved = await notice_moved(tags, self._ports.clock, lambda: not self._commanded and self._changes == changes)
        if not self.children:
            return  # The program has ended meanwhile.
        if moved and tags is self._list:
            self.reload()
        self.retitle()

    def unmark_moved(self) -> None:
        """The user has seen which tags were moved."""
        for row in self._list.rows if self._list else ():
            row.moved = False

    @on(Rows.Viewed)
    def _viewed(self, event: Rows.Event) -> None:
        """Read what the rows in view point to, and no longer what scrolled away.

        While names still arrive, rows move: only stages, which stay at the top, are read before the last page.
        """
        event.stop()
        # What a stage holds is shown on every tag of its digest: stages are read wherever they stand.
        stages = self._list.stage_rows() if self._list is not None else []
        visible = [*self._rows.in_view, *stages]
        self._reader.stop_others(visible)
        for row in visible:
            if self._list is not None and (self._list.complete or self._list.stage_of(row) is not None):
                self.read(row)

    def read(self, row: TagRow, *, chosen: bool = False) -> None:
        """Read one row's manifest and config, unless that was done; of a variant that isn't chosen the manifest."""
        self._reader.start(row, chosen=chosen)

    def _was_read(self, row: TagRow) -> None:
        if self._list is None or row.repository is not self._list.repository:
            return
        if self._list.stage_of(row) is not None:
            self._drawn.stages = self._list.stages_by_digest()
            self._rows.touch()
        else:
            self._rows.touch(row)
        if self._view.grouped or self._view.by_details or self._query.fields:
            self._reorder_soon()
        elif row.unfolded or self._drawn.finds_undated(self._rows.rows) != self._drawn.undated:
            self.rebuild()
        if row.problem:
            self._assess()
        self._find_wanted()
        self.post_message(self.Read(row))

"""The tags pane: names at once; what only a manifest tells fills in for the rows in view."""

from __future__ import annotations

from asyncio import Semaphore, sleep
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, ClassVar

from textual import on, work
from textual.message import Message
from textual.reactive import var
from textual.worker import Worker

from kittui.errors import KittuiError, NotFound
from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete, Repository, TagEntry
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import together
from kittui.terminal import clean, size_text
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Mark
from kittui.tui.panes.queries import Query, parse
from kittui.tui.panes.rows_pane import RowsPane
from kittui.tui.panes.signed import word_spans
from kittui.tui.panes.state import READY, State, of_error, trouble_words
from kittui.tui.panes.tag_rows import ORDERS, Order, TagList, TagRow, is_digest_head, matching, unknown
from kittui.tui.panes.variant_rows import COLUMNS, columns, unfolded, variants_below, with_labels
from kittui.tui.style.sizes import age_text, at_text
from kittui.tui.widgets.rows import Rows, Spans

PAGE_PAUSE = 0.15
"""Seconds between two drawings of a listing that is still arriving, at least."""

_SEARCHED = 2_000
"""Tags among which those on a variant are looked for."""
LEARN_AFTER = 0.3
"""Seconds after the last key of a filter until what it asks for is read."""
LEARNED = 200
"""Tags that are read because a filter asks for something of them."""

CHOOSE = State("empty", "Choose a repository.", "Its tags show here.", "`Enter` opens the one under the cursor.")


class TagsPane(RowsPane[TagRow]):
    """The tags of one repository."""

    NUMBER: ClassVar[int] = 2
    FILTER_HINT: ClassVar[str] = "words, !not, /regex/, ~fuzzy, stage:, digest:, signed:yes, older:30d"
    repository: var[Repository | None] = var(None)

    class Moved(Message):
        """The cursor is on another tag, or none."""

    class Rested(Message):
        """The cursor has stayed on a tag."""

    class Entered(Message):
        """Enter on a tag."""

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
        super().__init__()
        self._ports = ports
        self._marks = marks
        self._lists: dict[tuple[str, str], TagList] = {}
        self._list: TagList | None = None
        self._reading: dict[int, Worker[None]] = {}
        self._limit = Semaphore(ports.settings.concurrency)
        self._order: Order = "stage"
        self._grouped = False
        self._reversed = False
        self._stages: dict[Any, Any] = {}
        self._wanted: Target | None = None
        self._shown: tuple[str, list[TagRow]] | None = None
        self._ordered: list[TagRow] | None = None
        self._labels: list[str] = []
        self._rows: Rows[TagRow] = Rows(
            COLUMNS,
            self._cells,
            lambda row: row.key,
        )
        self._rows.marked.update(marks)

    @property
    def current(self) -> TagRow | None:
        """The row under the cursor."""
        return self._rows.current

    @property
    def order(self) -> Order:
        """How the rows are ordered."""
        return self._order

    @property
    def grouped(self) -> bool:
        """Whether tags on one digest are shown as one group."""
        return self._grouped

    def names_of(self, repository: Repository) -> list[Tag] | None:
        """A repository's tags, where all of them were listed before; nothing is asked."""
        tags = self._lists.get(self._key(repository))
        return [row.entry.name for row in tags.rows if row.entry.name] if tags is not None and tags.complete else None

    def on_mount(self) -> None:
        """Nothing is chosen yet."""
        self.set_state(CHOOSE)
        self.retitle()
        if self._ports.settings.refresh:
            self.set_interval(self._ports.settings.refresh, self._look_quietly)

    def watch_repository(self, repository: Repository | None) -> None:
        """Show another repository: from memory if it was listed before."""
        self._stop_reading()
        self._changed()
        self.filter = ""
        if repository is None:
            self._list = None
            self._rows.reset()
            self.set_state(CHOOSE)
            self.retitle()
            return
        key = (str(repository.source.place), repository.name)
        self._list = self._lists.get(key)
        if self._list is None:
            self._list = self._lists[key] = TagList(repository, self._ports.settings.stages)
        if self._list.complete:
            self.set_state(READY if self._list.rows else _empty(repository))
            self._assess()
        self._rows.reset()
        self.rebuild(first=True)
        if not self._list.complete:
            self._load(self._list)

    def show_place(self, state: State) -> None:
        """No repository is chosen: say what there is to say of the place under the cursor."""
        self.repository = None
        self.set_state(CHOOSE if state.kind == "ready" else state)

    def look_for(self, target: Target) -> None:
        """Put the cursor on this tag or digest as soon as it is listed."""
        self._wanted = target
        self._find_wanted()

    def reload(self) -> None:
        """List again, and ask again for what the tags in view point to."""
        if self._list is not None:
            self._stop_reading()
            self._ports.forget(self._list.repository)
            self._load(self._list)

    def forget(self, place: str | None = None, name: str | None = None) -> None:
        """Drop what is remembered of a repository, or of all."""
        for key in [key for key in self._lists if place is None or key == (place, name)]:
            if self._lists[key] is not self._list:
                del self._lists[key]
        if self._list is not None and (place is None or self._key(self._list.repository) == (place, name)):
            self.reload()

    @staticmethod
    def _key(repository: Repository) -> tuple[str, str]:
        return (str(repository.source.place), repository.name)

    def set_filter(self, text: str) -> None:
        """Show only tags that meet the filter; what it asks for is read where it is not known."""
        self.filter = text
        self.rebuild()
        self._assess()
        self.workers.cancel_group(self, "learn")
        if self._query.fields:
            self._learn(self._query)

    @property
    def _query(self) -> Query:
        return parse(self.filter, tags=True)

    @work(group="learn", exclusive=True)
    async def _learn(self, query: Query) -> None:
        """Read what a filter asks for, of the first tags of which it is not known."""
        await sleep(LEARN_AFTER)
        tags = self._list
        if tags is None:
            return
        rows = [row for row in tags.rows if unknown(row, query)][:LEARNED]
        await together(*(self._learn_row(row, query) for row in rows))
        self._assess()

    async def _learn_row(self, row: TagRow, query: Query) -> None:
        if row.modelkit is None:
            await self._read_now(row)
        if "signed" in query.fields and row.digest is not None and row.signed is None:
            try:
                async with self._limit:
                    attached = await self._ports.signatures(row.repository, row.digest)
            except KittuiError as error:
                row.problem = error.message
            else:
                row.signed = any(one.is_signature for one in attached.found)
        self._changed()
        self.rebuild()

    def rehold(self) -> None:
        """The local store was changed: ask again what of all that was read is in it."""
        self._rehold()

    @work(group="held", exclusive=True)
    async def _rehold(self) -> None:
        rows = [row for tags in self._lists.values() for row in tags.rows]
        with suppress(KittuiError):
            await self._hold([*rows, *(variant for row in rows for variant in row.variants or ())])
        self._rows.touch()

    async def _hold(self, rows: Sequence[TagRow]) -> None:
        """Find out how much of each row that was read is in the local store."""
        read = [row for row in rows if row.layers and not row.repository.source.traits.is_store]
        held = await self._ports.held({blob.digest: blob for row in read for blob in row.layers}.values())
        for row in read:
            count = sum(blob.digest in held for blob in row.layers)
            row.held = "all" if count == len(row.layers) else "part" if count else ""

    def _look_quietly(self) -> None:
        """See whether somebody moved the stages in view: not while nobody looks, nor while something is being read."""
        tags = self._list
        seen = self.app.app_focus and self.app.screen is self.screen and bool(self.children)
        if tags is None or not tags.complete or not seen:
            return
        if self.state.kind != "loading" and not any(worker.group in ("tags", "check") for worker in self._busy):
            self._check(tags)

    @property
    def _busy(self) -> Sequence[Worker[Any]]:
        return [worker for worker in self.workers if worker.node is self and not worker.is_finished]

    @work(group="check", exclusive=True)
    async def _check(self, tags: TagList) -> None:
        """Ask once for each stage tag of a list; a tag that is elsewhere now, or gone, is marked and read again."""
        moved = False
        for row in [row for row in tags.rows if tags.stage_of(row) is not None and row.asked and row.digest]:
            before, target = row.digest, row.target
            if target is None:
                continue
            try:
                found = await row.repository.resolve(target)
            except NotFound:
                moved = True
                continue
            except KittuiError as error:
                tags.trouble = tags.trouble or self._since(error)
                break
            if row.digest == before and row.asked and found.digest != before:
                row.moved = moved = True
                row.entry, row.modelkit, row.asked = TagEntry(row.entry.name, found), None, False
        else:
            tags.trouble = ""
        if not self.children:
            return  # The program has ended meanwhile.
        if moved and tags is self._list:
            self.reload()
        self.retitle()

    def _since(self, error: KittuiError) -> str:
        now = self._ports.clock()
        return f"{trouble_words(error)} since {at_text(now, now)}"

    def unmark_moved(self) -> None:
        """The user has seen which tags were moved."""
        for row in self._list.rows if self._list else ():
            row.moved = False

    def turn_sort(self) -> bool:
        """Order the other way around; returns whether it is reversed now."""
        self._reversed = not self._reversed
        self._changed()
        self.rebuild()
        return self._reversed

    def cycle_sort(self) -> str:
        """Take the next order; returns its name."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._changed()
        self.rebuild()
        return self._order

    def toggle_group(self) -> bool:
        """Show tags on one digest together, or not; returns which."""
        self._grouped = not self._grouped
        self._changed()
        self.rebuild()
        return self._grouped

    def toggle_mark(self) -> bool:
        """Mark the tag under the cursor, or not, and continue to the next one."""
        row = self.current
        if row is None or row.target is None:
            return False
        if row.key in self._marks:
            del self._marks[row.key]
        else:
            self._marks[row.key] = Mark(row.repository, row.target, row.digest)
        self.remark()
        self._rows.action_move(1)
        return True

    def mark_all(self) -> None:
        """Mark every tag that is shown, so that a filter selects."""
        for row in self._rows.rows:
            if row.entry.name is not None:
                self._marks[row.key] = Mark(row.repository, row.entry.name, row.digest)
        self.remark()

    def remark(self) -> None:
        """Draw the marks again."""
        self._rows.marked.clear()
        self._rows.marked.update(self._marks)
        self._rows.touch()

    def _changed(self) -> None:
        """The rows, or what their order goes by, are others: order and filter anew."""
        self._shown = self._ordered = None

    def rebuild(self, *, first: bool = False) -> None:
        """Order and filter again; the cursor stays on its row."""
        if self._list is None:
            return
        before = self._shown
        query, now = self._query, self._ports.clock()
        words = query.words
        narrower = before is not None and bool(before[0].strip()) and self.filter.startswith(before[0])
        plain = bool(words) and parse(before[0], tags=True).words is not None if before is not None else False
        if before is not None and narrower and plain and not first and not any(map(is_digest_head, words or ())):
            rows = matching(before[1], query, self._list, now)
        else:
            if self._ordered is None:
                self._ordered = self._list.ordered(self._order, grouped=self._grouped)
                if self._reversed:
                    self._ordered.reverse()
            rows = matching(self._ordered, query, self._list, now)
        self._shown = (self.filter, rows)
        shown = unfolded(rows)
        found, labels = columns(shown)
        if labels or self._labels:
            self._labels = labels
            self._rows.set_columns(found)
        self._rows.show(shown, shown[0] if first and shown else None)
        self.place_note()
        self.retitle()

    def retitle(self) -> None:
        """The repository, how many tags, in which order."""
        rows = self._list.rows if self._list else []
        tags = sum(row.variant is None for row in self._rows.rows) if self.filter else 0
        right = f"{tags:,} of {len(rows):,}" if self.filter else f"{len(rows):,}" if rows else ""
        right += "+" if right and self._list and self._list.partial else ""
        notes = ["" if self._order == "stage" else self._order, "↑" if self._reversed else ""]
        notes.append("grouped" if self._grouped else "")
        right = " ".join(note for note in (*notes, right) if note)
        about = clean(self._list.repository.name) if self._list else ""
        read_at = self._list.read_at if self._list else None
        age = f"as of {at_text(read_at, self._ports.clock())}" if read_at else ""
        self.set_title("Tags", right, about=about, age=age, trouble=self._list.trouble if self._list else "")

    @work(exclusive=True, group="tags")
    async def _load(self, tags: TagList) -> None:
        """List a repository's tags page by page; what was there stays until the new listing is whole."""
        repository = tags.repository
        host = clean(repository.source.place.host) or "the local disk"
        self.set_state(State("loading", f"Asking {host} for the tags of {clean(repository.name)} …"))
        before = {row.target: row for row in tags.rows}
        rows: list[TagRow] = []
        next_take = 0.0
        try:
            async for page in self._ports.tags(repository):
                rows.extend(self._row(repository, entry, before) for entry in page)
                if not before and monotonic() > next_take:
                    start = monotonic()
                    self._take(tags, rows)
                    next_take = monotonic() + max(PAGE_PAUSE, 8 * (monotonic() - start))
        except KittuiError as error:
            stale = bool(before or rows)
            tags.trouble = tags.trouble or self._since(error)
            tags.partial = isinstance(error, Incomplete)
            self._take(tags, rows if len(rows) > len(before) else tags.rows)
            self.set_state(of_error(error, repository.source.place.host, stale=stale))
            return
        tags.read_at, tags.trouble = self._ports.clock(), ""
        self._take(tags, rows)
        tags.complete, tags.partial = True, False
        self.set_state(READY if rows else _empty(repository))
        self._assess()
        self._rows.view_again()
        self.post_message(self.Counted(repository, sum(row.entry.name is not None for row in rows)))

    def _row(self, repository: Repository, entry: Any, before: dict[Target | None, TagRow]) -> TagRow:
        row = before.get(entry.name or (entry.descriptor.digest if entry.descriptor else None))
        if row is None:
            row = TagRow.of(repository, entry)
        else:
            row.entry, row.asked, row.problem = entry, False, entry.problem
            if entry.descriptor is not None and row.digest != entry.descriptor.digest:
                row.modelkit = None
        if entry.descriptor is not None and row.modelkit is None:
            self._keep(row, self._ports.cached(entry.descriptor.digest))
        return row

    def _keep(self, row: TagRow, modelkit: Any) -> None:
        if modelkit is not None:
            known = row.digest if row.modelkit is not None else None
            row.modelkit = modelkit
            row.created = modelkit.created
            if row.variants is None or known != modelkit.digest:
                row.variants = variants_below(row)

    def _take(self, tags: TagList, rows: list[TagRow]) -> None:
        tags.rows = list(rows)
        self._changed()
        if tags is not self._list:
            return
        self._stages = tags.stages_by_digest()
        first = not self._rows.rows or not (self._rows.touched or tags.complete)
        self.rebuild(first=first)
        self._find_wanted()

    def _find_wanted(self) -> None:
        if self._wanted is None:
            return
        for number, row in enumerate(self._rows.rows):
            if row.target == self._wanted or row.digest == self._wanted:
                self._wanted = None
                self._rows.move_to(number)
                self.post_message(self.Moved())
                return

    def _assess(self) -> None:
        """The note says which tags could not be read, and when a filter leaves nothing."""
        if self._list is None or self.state.kind in ("loading", "failed", "login", "stale", "absent"):
            return
        bad = sum(row.problem is not None for row in self._list.rows) if len(self._list.rows) <= 20_000 else 0
        if self.filter and not self._rows.rows:
            problem = self._query.problem
            said = f"No tag of {len(self._list.rows):,} holds “{clean(self.filter)}”."
            said = f"{problem[:1].upper()}{problem[1:]}." if problem else said
            self.set_state(State("empty", said, "", "`Esc` clears the filter."))
        elif bad:
            total = len(self._list.rows)
            self.set_state(State("partial", f"{bad} of {total:,} tags could not be read.", "", "Rows say why."))
        elif self.state.kind in ("empty", "partial") and self._list.rows:
            self.set_state(READY)

    @on(Rows.Viewed)
    def _viewed(self, event: Rows.Event) -> None:
        """Read what the rows in view point to, and no longer what scrolled away.

        While names still arrive, rows move: only stages, which stay at the top, are read before the last page.
        """
        event.stop()
        visible = list(self._rows.in_view)
        wanted = set(map(id, visible))
        for key in [key for key in self._reading if key not in wanted]:
            self._reading.pop(key).cancel()
        for row in visible:
            if self._list is not None and (self._list.complete or self._list.stage_of(row) is not None):
                self.read(row)

    def read(self, row: TagRow, *, chosen: bool = False) -> None:
        """Read one row's manifest and config, unless that was done; of a variant that isn't chosen the manifest."""
        light = row.variant is not None and not chosen
        done = row.asked and (light or row.modelkit is not None or row.variant is None or row.problem is not None)
        if done or id(row) in self._reading or row.entry.problem:
            return
        self._reading[id(row)] = self._read(row, light)

    def _stop_reading(self) -> None:
        for worker in self._reading.values():
            worker.cancel()
        self._reading.clear()

    @work(group="rows")
    async def _read(self, row: TagRow, light: bool) -> None:
        await self._read_now(row, light=light)

    async def _read_now(self, row: TagRow, *, light: bool = False) -> None:
        try:
            async with self._limit:
                digest = row.entry.descriptor.digest if row.entry.descriptor else None
                target = digest or row.entry.name
                if target is None:
                    return
                if light:
                    manifest = await self._ports.manifest(row.repository, target)
                else:
                    modelkit = await self._ports.modelkit(row.repository, target)
                    manifest = modelkit.manifest
                    self._keep(row, modelkit)
            row.size = None if manifest.is_index else manifest.content_size
            row.problem = None
            row.layers = manifest.layers
            await self._hold([row])
        except KittuiError as error:
            row.problem = error.message
        row.asked = True
        self._reading.pop(id(row), None)
        self._was_read(row)

    def _was_read(self, row: TagRow) -> None:
        if self._list is None or row.repository is not self._list.repository:
            return
        digest = row.digest
        stage = self._list.stage_of(row)
        if stage is not None and digest is not None and digest not in self._stages:
            self._stages = self._list.stages_by_digest()
            self._rows.touch()
        else:
            self._rows.touch(row)
        if self._grouped or self._query.fields:
            self._changed()
            self.rebuild()
        elif row.unfolded:
            self.rebuild()
        if row.problem:
            self._assess()
        self.post_message(self.Read(row))

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Event) -> None:
        event.stop()
        self.post_message(self.Moved())
        self.when_resting(lambda: self.post_message(self.Rested()))

    @on(Rows.Opened)
    def _opened(self, event: Rows.Event) -> None:
        event.stop()
        row = self.current
        if row is None or not self._fold(row, not row.unfolded):
            self.post_message(self.Entered())

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        row = self.current
        if row is None:
            return
        if not event.unfold and row.above is not None:
            self._rows.to_parent(lambda one: 0 if one.above is None else 1)
        elif row.unfolded != event.unfold:
            self._fold(row, event.unfold)

    def _fold(self, row: TagRow, unfold: bool) -> bool:
        """Show or hide an index's variants; False for a row that has none below it."""
        if not row.is_index or not row.variants:
            return False
        row.unfolded = unfold
        self.rebuild()
        return True

    def _cells(self, row: TagRow) -> Sequence[Spans]:
        cells = self._own_cells(row)
        return with_labels(cells, row, self._labels) if self._labels else cells

    def _own_cells(self, row: TagRow) -> Sequence[Spans]:
        stage = self._list.stage_of(row) if self._list else None
        plain = self._ports.settings.ascii_marks
        name = clean(row.entry.name or "(no tag)")
        if row.variant is not None:
            tag: Spans = (("    ", "text"), (clean(self._tags_on(row)), "text"))
        elif row.variants:
            fold = "▾ " if row.unfolded else "▸ "
            tag = ((fold, "muted"), (name, "text" if stage is None else "text+bold"))
        elif stage is not None:
            tag = ((f"{stage.ascii_mark if plain else stage.mark} ", stage.colour), (name, "text+bold"))
        else:
            tag = (("  ", "text"), (name, "muted" if row.entry.name is None else "text"))
        if row.moved:
            tag = (*tag, (" ~moved" if plain else " ↻ moved", "warn"))
        held = ((_held(row), "good"),)
        if row.problem is not None:
            return (tag, (), (("✗ unreadable", "bad"),), (), (), ((clean(row.problem), "muted"),), ())
        digest = row.digest
        if digest is None:
            return (tag, held, (("·", "faint"),), (), (), (), ())
        if row.ditto:
            return (tag, held, (("″", "faint"),), (("″", "faint"),), (("″", "faint"),), (), ())
        modelkit = row.modelkit
        size = size_text(row.size)
        age = age_text(row.created, self._ports.clock()) if row.created else ""
        at = self._stages.get(digest)
        if modelkit is not None and not modelkit.is_modelkit:
            where: Spans = ((clean(modelkit.label), "special"),)
        elif at is not None:
            where = ((clean(at.name), at.colour),)
        else:
            where = ()
        return (
            tag,
            held,
            ((digest.short, "muted"),),
            ((size, "text"),),
            ((age, "muted"),),
            where,
            (self._signed(row, digest),),
        )

    def _signed(self, row: TagRow, digest: Digest) -> tuple[str, str]:
        """What its signatures are worth, where somebody has asked."""
        return word_spans(self._ports.trust.known(row.repository, digest))

    def recheck(self) -> None:
        """More is known of signatures: draw the words again."""
        self._rows.touch()

    def _tags_on(self, row: TagRow) -> str:
        """The tags that are known to be on a variant; without any its place in the index."""
        rows = self._list.rows if self._list is not None and len(self._list.rows) <= _SEARCHED else []
        names = [one.entry.name for one in rows if one.entry.name and one.digest == row.digest]
        if names or row.above is None or row.above.variants is None:
            return ", ".join(names)
        return f"variant {row.above.variants.index(row) + 1}"


def _held(row: TagRow) -> str:
    return {"all": "●", "part": "◐", "": " "}[row.held]


def _empty(repository: Repository) -> State:
    return State(
        "empty",
        f"{clean(repository.name)} has no tags.",
        "A tag shows here as soon as one is pushed or packed.",
        "`r` asks again.",
    )

"""Shows the disk usage of the store or a layout, and what removals would free; exact for marked rows too."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType

from kittui.terminal import clean, counted, size_text
from kittui.tui.frame.commands import Condition, changes_allowed, every, writable_here
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark, Selection
from kittui.tui.upkeep.list_screen import ListScreen
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line
from kittui.tui.widgets.rows import Rows
from kittui.usecases.change.usage import Usage, Used, usage_of

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository, Source

ORDERS: Final = ("what it frees", "size", "name")


class UsageScreen(ListScreen[Used]):
    """All ModelKits of a source on this machine, sorted by what their removal frees."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="usage.mark", tooltip="Mark it, to see what several free together"),
        Binding("x", "remove", "Remove", id="usage.remove", tooltip="Remove it, or all that are marked"),
        Binding("X", "clean", "Clean up", id="usage.clean", tooltip="Delete by age, by stage, without a tag"),
        Binding("s", "sort", "Sort", id="usage.sort", tooltip="By what it frees, by size, by name"),
    ]
    HINTS = (
        ("move.open", "Open", "screen.go"),
        ("usage.mark", "Mark", "screen.mark"),
        ("usage.remove", "Remove", "screen.remove"),
        ("usage.clean", "Clean up", "screen.clean"),
        ("usage.sort", "Sort", "screen.sort"),
    )

    NEEDS: ClassVar[Mapping[str, Condition]] = dict.fromkeys(
        ("usage.remove", "usage.clean"), every(changes_allowed, writable_here)
    )

    def __init__(self, context: Context, source: Source) -> None:
        columns = (
            Column("ModelKit", 28, flex=True, sticky=True),
            Column("size", 9, "right", sticky=True),
            Column("frees", 9, "right", sticky=True),
            Column("digest", 12),
            Column("shares with", 26, flex=True),
        )
        super().__init__(context, f"Disk usage of {source.place}", columns)
        self._source = source
        self._usage: Usage | None = None
        self._order = ORDERS[0]
        self._marked: dict[Hashable, Used] = {}

    @property
    def selection(self) -> Selection:
        """The source, without the marks in the panes."""
        return replace(self.context.selection, place=self._source.place, source=self._source, repository=None, marks=())

    @property
    def usage(self) -> Usage | None:
        """The usage as read."""
        return self._usage

    async def read(self) -> None:
        """Read every manifest of the source."""

        def on_progress(done: int, total: int) -> None:
            self.say(f"{done} of {counted(total, 'manifest')} read; Esc stops")

        usage = await usage_of(self._source, on_progress)
        self._usage, self._marked = usage, {}
        self.rows.marked.clear()
        for one in usage.used:
            self.add(one)

    def summary(self) -> str:
        """A summary of the whole source, and of the marked rows."""
        if self._usage is None or self.reading:
            return ""
        holdings = self._usage.holdings
        attached = sum(one.held.subject is not None for one in self._usage.used)
        said = [f"{size_text(holdings.total)} in {counted(len(self._usage.used) - attached, 'ModelKit')}"]
        said += [f"{attached} attached to them"] if attached else []
        said += [f"{size_text(holdings.unused)} that no ModelKit uses"] if holdings.unused else []
        said += [f"{size_text(holdings.leftovers)} of unfinished downloads"] if holdings.leftovers else []
        said += [f"a removal frees nothing now: {holdings.doubt}"] if holdings.doubt else []
        if self._marked:
            freed = size_text(self._usage.freed(self._marked.values()))
            said.append(f"✎ {len(self._marked)} marked: {freed} become free if all of them go")
        return " · ".join([*said, f"by {self._order}"])

    def arranged(self, found: Sequence[Used]) -> Sequence[Used]:
        """The rows in the chosen order."""
        if self._order == "size":
            return sorted(found, key=lambda one: -one.size)
        if self._order == "name":
            return sorted(found, key=lambda one: one.reference)
        return found

    def cells(self, row: Used) -> Sequence[Spans]:
        """Name, size, bytes freed, and the ModelKit with which it shares most."""
        name = clean(row.repository.name if row.repository.name != "." else "")
        tag = ", ".join(map(clean, row.held.tags)) or "(no tag)"
        shared = self._usage.shared(row) if self._usage is not None and row.freed < row.size else []
        others = len({one for _, names in shared for one in names})
        first = clean(shared[0][1][0]).removeprefix(f"{self._source.place}/") if shared else ""
        said = f"{first} and {others - 1} more" if others > 1 else first
        if row.held.subject is not None:
            tag, said = "attached", f"to {row.held.subject.short}"
        return (
            ((f"{name} ", "text"), (tag, "text+bold" if row.held.tags else "faint")),
            ((size_text(row.size), "text"),),
            ((size_text(row.freed), "good" if row.freed else "faint"),),
            ((row.digest.short, "muted"),),
            ((said, "muted"),),
        )

    def key(self, row: Used) -> Hashable:
        """Repository and digest."""
        return row.held.key

    def lines(self, row: Used | None) -> Sequence[Line]:
        """What its removal frees, and what else must be removed to free the rest."""
        if row is None or self._usage is None:
            return [(("Reading the manifests …" if self.reading else self.nothing("Nothing is here."), "muted"),)]
        lines: list[Line] = [
            ((clean(row.reference), "text+bold"), (f"  {row.digest.short}", "muted")),
            ((f"{size_text(row.freed)} ", "good"), (f"of {size_text(row.size)} become free if it goes.", "text")),
        ]
        for size, names in self._usage.shared(row):
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            lines.append(((f"{size_text(size)} ", "warn"), (f"only with {clean(', '.join(names[:4]))}{more}", "muted")))
        name = row.repository.name
        lines.append(((f"All of {clean(name)} frees {size_text(self._usage.repositories[name])}.", "muted"),))
        return lines

    def text(self, row: Used) -> str:
        """Reference, digest, size, bytes freed."""
        return "\t".join((row.reference, row.digest, str(row.size), str(row.freed)))

    def action_sort(self) -> None:
        """Use the next order."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self.draw()
        self.say(self.summary())

    def action_mark(self) -> None:
        """Mark or unmark the row, and move to the next."""
        row = self.rows.current
        if row is None:
            return
        key = self.key(row)
        if key in self._marked:
            del self._marked[key]
            self.rows.marked.discard(key)
        else:
            self._marked[key] = row
            self.rows.marked.add(key)
        self.rows.touch(row)
        self.rows.action_move(1)
        self.say(self.summary())

    @on(Rows.Opened)
    def action_go(self) -> None:
        """Show it in the panes."""
        row = self.rows.current
        if row is not None:
            browser = self.context.browser
            self.dismiss()
            browser.open(row.repository.source.place, row.repository.name, row.target)

    def action_remove(self) -> None:
        """Remove the marked rows, or the row under the cursor, as in the panes."""
        row = self.rows.current
        chosen = list(self._marked.values()) or ([row] if row is not None else [])
        if chosen:
            marks = tuple(Mark(one.repository, one.target, one.digest) for one in chosen)
            first = chosen[0]
            selection = replace(
                self.selection,
                repository=first.repository,
                target=first.target,
                digest=first.digest,
                marks=marks if self._marked else (),
            )
            self.context.browser.perform("remove", selection, lambda: None)

    def tags_changed(self, repository: Repository | None) -> None:
        """Read the usage again after tags were changed, also by a transfer."""
        if repository is None or repository.source.place == self._source.place:
            self.action_reload()

    def action_clean(self) -> None:
        """Clean up this source."""
        self.context.browser.perform("clean", self.selection, self.action_reload)


async def show_usage(context: Context) -> None:
    """Open the disk usage of the source under the cursor."""
    source = context.selection.source
    if source is not None:
        context.show(UsageScreen(context, source))

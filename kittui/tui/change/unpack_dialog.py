"""The unpack dialog: layers and files to tick, the folder with completion, total size, and existing files."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from kittui.disk.paths import typed_path
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError
from kittui.oci.target import Target
from kittui.terminal import clean, size_text
from kittui.tui.change.ticks import Choice, FileTick, LayerTick, Ticks, folders, in_the_way
from kittui.tui.change.wording import listed
from kittui.tui.dialogs.dialog import Dialog, Words
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector

REST = 9
"""Lines of the dialog without its tree."""

Row = LayerTick | FileTick | None


class UnpackDialog(Dialog[Choice]):
    """Asks what to unpack and where."""

    DEFAULT_CSS = """
    UnpackDialog Box { width: 90; }
    UnpackDialog Rows { height: 3; }
    UnpackDialog Words { height: auto; }
    """
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = (("Enter", "Unpack"), ("dialog.cancel", "Cancel"))
    IN_LAYERS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("unpack.tick", "Tick"),
        ("unpack.all", "All"),
        ("→", "Files"),
        ("unpack.turn", "Folder"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick", id="unpack.tick", tooltip="Tick or untick it"),
        Binding("a", "tick_all", "All", id="unpack.all", tooltip="Tick everything, or nothing"),
        Binding("v", "verify", "Verify", id="unpack.verify", tooltip="Read whole layers, to verify the files"),
        Binding(
            "tab",
            "turn",
            "Folder",
            id="unpack.turn",
            tooltip="Complete the folder, else go to the layers",
            priority=True,
        ),
        Binding("up", "layers", "Layers", id="unpack.layers", tooltip="Go from the folder to the layers", show=False),
    ]

    def __init__(
        self,
        repository: Repository,
        target: Target,
        inspector: Inspector,
        ticks: Ticks,
        folder: str,
        problem: str = "",
    ) -> None:
        """`problem` is why it opens again with the previous choices."""
        super().__init__(f"Unpack {clean(target)}")
        self._repository, self._inspector = repository, inspector
        self._ticks, self._problem = ticks, problem
        self._folder, self._completes = folder, False
        self._reference = repository.reference(target)

    @property
    def decides(self) -> bool:
        """Enter unpacks, both in the folder field and in the layers."""
        return True

    @property
    def _in_layers(self) -> bool:
        return isinstance(self.focused, Rows)

    def hints(self) -> Sequence[tuple[str, str]]:
        """The keys that work at the cursor."""
        turn = ("unpack.turn", "Complete" if self._completes else "Layers")
        return (*(self.IN_LAYERS if self._in_layers else (turn,)), *self.HINTS)

    def on_descendant_focus(self) -> None:
        """The folder and the layers have different keys."""
        self.show_hints()
        self._sum()

    def _offers(self) -> list[str]:
        """Completions of the folder, once something was typed."""
        folder = self.query_one(Input).value
        return folders(folder) if folder != self._folder and not self._in_layers else []

    def body(self) -> ComposeResult:
        """The source, the tree, the folder, the totals."""
        yield Words([Content.assemble((clean(self._reference), "$kit-muted"))])
        columns = [Column("", 3, sticky=True), Column("", 30, flex=True, sticky=True), Column("", 9, "right")]
        yield Rows[Row](columns, self._cells, id, titles=False)
        yield Words([Content.assemble(("Folder", "$kit-muted"))])
        entry = Input(self._folder)
        entry.cursor_blink = False
        yield entry
        yield Words([Content.assemble((f"✗ {clean(self._problem)}", "$kit-bad"))] if self._problem else [])
        yield Words([""])

    def on_mount(self) -> None:
        """Focus the folder; typing replaces it."""
        self._show()
        self.query_one(Input).focus()
        self._sum()

    def _cells(self, row: Row) -> tuple[Spans, Spans, Spans]:
        mark = "[x]" if self._ticks.is_ticked(row) else "[-]" if isinstance(row, LayerTick) and row.some else "[ ]"
        box: Spans = ((mark, "accent" if mark != "[ ]" else "muted"),)
        if row is None:
            return box, (("  Kitfile", "text"),), ()
        if isinstance(row, FileTick):
            return box, ((f"    {clean(row.path)}", "text"),), ((size_text(row.size), "muted"),)
        layer = row.layer
        fold = "▾" if row.open else "▸"
        name = clean(layer.path or layer.name or layer.digest.short)
        note = "  reading …" if row.loading else f"  {clean(row.problem)}" if row.problem else ""
        return (
            box,
            ((f"{fold} ", "muted"), (f"{clean(layer.type):<10} ", "accent"), (name, "text"), (note, "bad")),
            ((size_text(layer.size), "text"),),
        )

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        row = self.query_one(Rows).current
        if not isinstance(row, LayerTick):
            return
        row.open = event.unfold
        if event.unfold and row.files is None and not row.loading:
            row.loading, row.problem = True, None
            self._list(row)
        self._redraw()

    @work(group="unpack.listing", description="list")
    async def _list(self, row: LayerTick) -> None:
        try:
            found = await self._inspector.listing(self._repository, row.layer)
        except KittuiError as error:
            row.loading, row.open = False, False
            row.problem = error.message
        else:
            self._ticks.listed(row, found.files)
            row.problem = found.problem
        self._redraw()

    def _redraw(self) -> None:
        self._ticks.unfold()
        self._show()
        self.query_one(Rows).touch()
        self._sum()

    def on_resize(self) -> None:
        """Fit the available space."""
        self._show()

    def _show(self) -> None:
        """Show the rows, all of them if they fit into the dialog."""
        rows = self.query_one(Rows)
        rows.show(self._ticks.rows)
        rows.styles.height = max(3, min(len(self._ticks.rows), self.app.size.height - REST))

    def action_tick(self) -> None:
        """Tick or untick the row."""
        rows = self.query_one(Rows)
        if rows.has_focus and rows.rows:
            self._ticks.toggle(rows.rows[rows.cursor])
            self._redraw()

    def action_tick_all(self) -> None:
        """Tick everything, or nothing."""
        self._ticks.toggle_all()
        self._redraw()

    def action_verify(self) -> None:
        """Toggle reading whole layers for single files."""
        self._ticks.verify = not self._ticks.verify
        self._redraw()

    def action_turn(self) -> None:
        """Go to the folder; there, take the first completion, or go back to the layers."""
        entry = self.query_one(Input)
        if not entry.has_focus:
            entry.focus()
            return
        if offers := self._offers():
            entry.value = offers[0]
            entry.cursor_position = len(entry.value)
        else:
            self.action_layers()

    def action_layers(self) -> None:
        """Go to the layers."""
        self.query_one(Rows).focus()

    @on(Rows.Opened)
    def _opened(self, event: Rows.Opened) -> None:
        event.stop()
        self._submit()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._submit()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._sum()

    def _submit(self) -> None:
        folder = self.query_one(Input).value.strip()
        if folder and not self._ticks.empty:
            try:
                self.dismiss(self._ticks.choice(typed_path(folder)))
            except KittuiError as error:
                self.notify(clean(error.message), severity="error", markup=False)

    @work(exclusive=True, group="unpack.sum")
    async def _sum(self) -> None:
        """Update the totals."""
        ticks = self._ticks
        folder = self.query_one(Input).value.strip()
        taken = await in_thread(in_the_way, folder, ticks.paths) if folder else []
        parts = [Content.assemble((f"{size_text(ticks.size)} to unpack", "$kit-text bold"))]
        single = any(layer.some for layer in ticks.layers)
        if single and self._repository.files is None:
            words, other = (
                ("Verified: the layers of single files are read whole.", "reads only the files")
                if ticks.verify
                else ("Single files are read alone, which can't be verified.", "reads their layers")
            )
            if self._in_layers:
                words += f" {self.key('unpack.verify')} {other}."
            parts.append(Content.assemble((words, "$kit-good" if ticks.verify else "$kit-warn")))
        if taken:
            parts.append(Content.assemble((f"already there: {listed(taken)}; you will be asked", "$kit-warn")))
        if offers := self._offers():
            parts.append(Content.assemble((f"Tab: {listed(offers, 3)}", "$kit-muted")))
        self._completes = bool(offers)
        self.show_hints()
        self.show_last(parts)

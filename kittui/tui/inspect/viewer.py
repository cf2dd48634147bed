"""A file over the whole screen: text, Markdown, table, notebook, image, tensors or hexadecimal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Markdown

from kittui.errors import KittuiError, Refused
from kittui.oci.traffic import metered
from kittui.tasks import aside
from kittui.terminal import clean, size_text
from kittui.tui.frame import outside
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import FileHere
from kittui.tui.inspect.contents import open_here
from kittui.tui.inspect.markdown_view import MarkdownView
from kittui.tui.inspect.pages import lines_page
from kittui.tui.inspect.pictures import drawn
from kittui.tui.inspect.table_view import TableView
from kittui.tui.inspect.tensor_view import TensorView, facts_page, grown
from kittui.tui.panes.pane import PaneTitle
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.lines import Line, Lines, Page
from kittui.tui.widgets.rows import Rows
from kittui.usecases.inspect.viewers.shown import Document, Grid, Markup, Picture, Shown, Tensors, Way


class Views(Vertical):
    """The ways a file is shown; all but one are hidden."""


class ViewerScreen(Screen[None]):
    """Reads what it shows, and more at the end; shows what that cost and whether it is verified."""

    DEFAULT_CSS = """
    ViewerScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    ViewerScreen Views { height: 1fr; align-horizontal: center; }
    ViewerScreen Views > Lines { padding: 0 1; }
    ViewerScreen Views > .away { display: none; }
    ViewerScreen Input, ViewerScreen Input:focus {
        display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; color: $kit-text;
    }
    ViewerScreen Input.asked { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "close", "Back", id="viewer.close", tooltip="End the search, or back to the panes"),
        Binding("slash", "search", "Search", id="viewer.search", tooltip="Search as you type; Enter keeps the search"),
        Binding("n", "again(1)", "Next", id="viewer.next", tooltip="Next match", show=False),
        Binding("N", "again(-1)", "Previous", id="viewer.previous", tooltip="Previous match", show=False),
        Binding(
            "m",
            "turn",
            "Other view",
            id="viewer.turn",
            tooltip="Switch between rendered and source, or tensors and metadata",
        ),
        Binding("y", "copy", "Copy path", id="viewer.copy", tooltip="Copy the file's path"),
        Binding("w", "save", "Save", id="viewer.save", tooltip="Save the file to this machine"),
        Binding(
            "e", "outside('edit')", "Editor", id="viewer.edit", tooltip="Open a copy in $VISUAL or $EDITOR", show=False
        ),
        Binding("vertical_line", "outside('page')", "Pager", id="viewer.page", tooltip="Pipe it to $PAGER", show=False),
        Binding("V", "verify", "Verify", id="viewer.verify", tooltip="Read the whole layer and verify its digest"),
        Binding("question_mark", "app.help", "Help", id="viewer.help", tooltip="All keys that work now"),
    ]
    found: reactive[tuple[int, int] | None] = reactive(None, layout=False)

    def __init__(self, context: Context, here: FileHere) -> None:
        super().__init__()
        self._opened_by = context
        self._here = here
        self._inspector = context.ports.inspector()
        folder, _, name = here.entry.path.rpartition("/")
        above = (clean(folder),) if folder else ()
        self._way = (*context.browser.where, *above, clean(name))
        self._contents: Shown | None = None
        self._names: list[str] = []
        self._views: list[Widget] = []
        self._taken: list[Lines] = []
        self._at = 0
        self._read = 0
        self._requests = 0
        self._paging = False
        self._failed = ""

    @property
    def contents(self) -> Shown | None:
        """What is shown, once it was read."""
        return self._contents

    @property
    def view(self) -> Widget:
        """The current way of showing it."""
        return self._views[self._at] if self._views else self.query_one(Lines)

    def compose(self) -> ComposeResult:
        """Where it is, how it is shown, the file, a search line, the keys."""
        yield HeaderBar()
        yield PaneTitle()
        with Views():
            yield Lines()
        yield Input(placeholder="search", compact=True, select_on_focus=False)
        yield FooterBar()

    def on_resize(self) -> None:
        """Say less where it is narrow."""
        if self._contents is not None:
            self._tell()

    def on_mount(self) -> None:
        """Read the first part."""
        self.query_one(PaneTitle).active = True
        lines = self.query_one(Lines)
        lines.focus()
        self.watch(lines, "scroll_y", self._scrolled, init=False)
        self._tell()
        self._load()

    @work(group="viewer-load", exclusive=True)
    async def _load(self) -> None:
        from kittui.tui.frame.asking import agree

        async def ask(price: object) -> bool:
            return await agree(self._opened_by, self._here.entry.path, price)  # type: ignore[arg-type]

        try:
            with metered() as traffic:
                width = min(100, max(20, self.size.width - 4), max(20, 2 * (self.size.height - 6)))
                background = self.app.theme_variables.get("kit-background", "")
                contents = await open_here(
                    self._inspector,
                    self._here,
                    ask=ask,
                    width=width,
                    background=background if background.startswith("#") else "#000000",
                    draws=True,
                )
        except KittuiError as error:
            self._fail(error)
            return
        self._count(traffic.bytes, traffic.requests)
        if self.is_attached:
            await self._show(contents)

    def _count(self, read: int, requests: int) -> None:
        self._read += read
        self._requests += requests

    def _fail(self, error: KittuiError) -> None:
        said = "It was not read." if isinstance(error, Refused) else clean(error.message)
        lines: list[Line] = ["", ((said[:1].upper() + said[1:], "muted" if isinstance(error, Refused) else "bad"),)]
        if error.hint and not isinstance(error, Refused):
            lines += ["", ((clean(error.hint), "text"),)]
        keys = self._opened_by.ports.keys
        lines += ["", ((f"{keys['viewer.close']} goes back; {keys['viewer.save']} saves the file.", "muted"),)]
        self._failed = said
        self.query_one(Lines).show(Page(lines))
        self._tell()

    async def _show(self, contents: Shown) -> None:
        """Make the views of a file; the first of them is shown."""
        self._contents = contents
        first = self.query_one(Lines)
        self._taken = []
        for old in self._views:
            if old is not first:
                await old.remove()
        made = [one for way in contents.ways for one in await self._views_of(contents, way)]
        self._names = [name for name, _ in made]
        self._views = [view for _, view in made]
        self._turn_to(0)

    async def _views_of(self, contents: Shown, way: Way) -> list[tuple[str, Widget]]:
        """Make what draws one way of showing the file; the first page of lines goes where lines are from the start."""
        name, content = way
        if isinstance(content, Tensors):
            weights, tree = content.model.weights, TensorView()
            await self._mount(tree)
            grown_tree = await aside(grown, weights)
            tree.show(grown_tree, weights, content.facts, max(1, len(content.model.shards)))
            return [(name, tree), ("Metadata", await self._lines(facts_page(content.facts, weights)))]
        if isinstance(content, Grid):
            table = TableView()
            await self._mount(table)
            table.show(content)
            self.watch(table.rows, "scroll_y", self._scrolled, init=False)
            return [(name, table)]
        if isinstance(content, Markup):
            rendered = MarkdownView(content.text)
            await self._mount(rendered)
            return [(name, rendered)]
        if isinstance(content, Picture) and (image := drawn(content, self.size.width - 4)) is not None:
            scrolled = VerticalScroll(image)
            await self._mount(scrolled)
            return [(name, scrolled)]
        raw = contents.text if isinstance(content, Document) else ""
        return [(name, await self._lines(await aside(lines_page, content, raw)))]

    async def _lines(self, page: Page) -> Lines:
        lines = self.query_one(Lines)
        if lines in self._taken:
            lines = Lines()
            await self._mount(lines)
        self._taken.append(lines)
        lines.show(page)
        return lines

    async def _mount(self, view: Widget) -> None:
        view.add_class("away")
        await self.query_one(Views).mount(view)

    def _turn_to(self, number: int) -> None:
        self._at = number
        self.found = None
        for place, view in enumerate(self._views):
            view.set_class(place != number, "away")
        lines = self.query_one(Lines)
        if lines not in self._views:
            lines.add_class("away")
        shown = self.view
        (shown.rows if isinstance(shown, TensorView | TableView) else shown).focus()
        self._tell()

    def _tell(self) -> None:
        """Header, title and footer for what is shown now."""
        if not self.is_attached:
            return
        contents = self._contents
        header = self.query_one(HeaderBar)
        header.where = self._way
        header.facts = self._facts()
        title = self.query_one(PaneTitle)
        parts: list[tuple[str, str]] = []
        for place, name in enumerate(self._names or ["Not read" if self._failed else "Reading …"]):
            style = "$kit-accent bold" if place == self._at else "$kit-faint"
            parts += [("  " if place else "", ""), (name, style)]
        if contents is not None and contents.trouble:
            parts.append((f"   ▲ {clean(contents.trouble)}", "$kit-warn"))
        title.parts = tuple(parts)
        title.right = self._right()
        self.query_one(FooterBar).hints = tuple(self._hints())

    def _facts(self) -> tuple[tuple[str, str], ...]:
        contents = self._contents
        facts = [(size_text(self._here.entry.size), "$kit-muted")]
        if self._requests:
            many = "request" if self._requests == 1 else "requests"
            asked = f" in {self._requests} {many}" if self.app.size.width >= 110 else ""
            facts.append((f"{size_text(self._read)} read{asked}", "$kit-muted"))
        if contents is not None:
            facts.append(("✓ verified", "$kit-good") if contents.verified else ("not verified", "$kit-muted"))
        return tuple(facts)

    def _right(self) -> str:
        contents = self._contents
        if self.found is not None:
            place, count = self.found
            where = "" if contents is None or not contents.more else f" in the first {size_text(contents.shown)}"
            return f"match {place} of {count:,}{where}" if count else f"no match{where}"
        if contents is None:
            return ""
        if self._paging:
            return "reading on …"
        if contents.more:
            return f"the first {size_text(contents.shown)}, more at the end"
        if contents.shown < contents.size:
            return f"the first {size_text(contents.shown)}; {self._opened_by.ports.keys['viewer.save']} saves all of it"
        if contents.kind == "table" and isinstance(contents.first, Grid):
            return f"{len(contents.first.records):,} rows"
        return ""

    def watch_found(self) -> None:
        """Say which match it is."""
        if self.is_mounted:
            self._tell()

    def _hints(self) -> list[KeyHint]:
        hints = []
        for binding in self.BINDINGS:
            if not isinstance(binding, Binding) or not binding.show or self.refusal(binding.id or ""):
                continue
            label = binding.description
            if binding.action == "turn":
                label = self._names[(self._at + 1) % len(self._names)]
            action = binding.action if "." in binding.action else f"screen.{binding.action}"
            hints.append(KeyHint(self._opened_by.ports.keys.all_of(binding.id or ""), label, action))
        return hints

    def refusal(self, command: str) -> str:
        """Why a key does nothing now, by its id; empty if it does something."""
        action = command.removeprefix("viewer.")
        if action not in ("turn", "verify", "search", "next", "previous"):
            return ""
        if self._contents is None:
            return "It was not read." if self._failed else "Still reading."
        if action == "turn" and len(self._names) < 2:
            return "There is no other way to show this file."
        if action == "verify" and self._contents.verified:
            return "It is verified already."
        if action in ("next", "previous") and not self.query_one(Input).value:
            return f"Nothing is searched for. {self._opened_by.ports.keys['viewer.search']} searches."
        return ""

    def _refuses(self, command: str) -> bool:
        """Whether a key does nothing now, which is then said."""
        if said := self.refusal(command):
            self.notify(said, markup=False)
        return bool(said)

    def _scrolled(self) -> None:
        contents, shown = self._contents, self.view
        if contents is None or not contents.more or self._paging:
            return
        scrolled = shown.rows if isinstance(shown, TableView) else shown
        if not isinstance(scrolled, Lines | Rows):
            return
        if scrolled.scroll_offset.y + 2 * scrolled.size.height >= scrolled.virtual_size.height:
            self._paging = True
            self._tell()
            self._page_on(contents)

    @work(group="viewer-page", exclusive=True, description="page on")
    async def _page_on(self, contents: Shown) -> None:
        """Read the next page and add it below."""
        try:
            if contents.pager is None:
                return
            with metered() as traffic:
                added = await contents.pager.more()
            self._count(traffic.bytes, traffic.requests)
            if contents is self._contents:
                self._extend(added)
        except KittuiError as error:
            self._opened_by.fail(error)
        finally:
            self._paging = False
            if self.is_mounted:
                self._tell()

    def _extend(self, added: Sequence[object]) -> None:
        shown = self._views[0]
        if isinstance(shown, TableView):
            shown.extend(added)
        elif isinstance(shown, Lines):
            shown.extend([str(line) for line in added])
            if self.found is not None and self.view is shown:
                self.found = shown.match

    @on(Markdown.LinkClicked)
    def _link(self, event: Markdown.LinkClicked) -> None:
        event.stop()
        self._opened_by.toast(f"Links are not opened: {event.href}")

    def action_close(self) -> None:
        """Back, or out of the row that is shown in full, or out of the search."""
        asked = self.query_one(Input)
        if isinstance(self.view, TableView) and not asked.has_class("asked") and self.view.close_row():
            return
        if asked.has_class("asked") or self.found is not None:
            asked.remove_class("asked")
            asked.value = ""
            self._search("")
            self._turn_to(self._at)
            return
        self.dismiss(None)

    def action_search(self) -> None:
        """Show the search line; Markdown is searched as it is written."""
        if self._refuses("viewer.search"):
            return
        if isinstance(self.view, MarkdownView):
            self._turn_to(self._names.index("Source"))
        asked = self.query_one(Input)
        asked.add_class("asked")
        asked.focus()

    def _search(self, text: str) -> None:
        shown = self.view
        if isinstance(shown, Lines | TableView | TensorView):
            place = shown.find(text)
            self.found = place if text else None

    @on(Input.Changed)
    def _searching(self, event: Input.Changed) -> None:
        event.stop()
        if self.query_one(Input).has_class("asked"):
            self._search(event.value)

    @on(Input.Submitted)
    def _searched(self, event: Input.Submitted) -> None:
        event.stop()
        found = self.found
        self.query_one(Input).remove_class("asked")
        self._turn_to(self._at)
        self.found = found

    def action_again(self, step: int) -> None:
        """Next or previous match."""
        shown = self.view
        if self._refuses("viewer.next") or not isinstance(shown, Lines | TableView | TensorView):
            return
        before, self.found = self.found, shown.find_next(step)
        if self.found == before:
            self.notify("There is no other match." if self.found[1] else "Nothing here holds it.", markup=False)

    def action_turn(self) -> None:
        """Show the file in its other way."""
        if self._refuses("viewer.turn"):
            return
        self._turn_to((self._at + 1) % len(self._views))

    def action_copy(self) -> None:
        """Copy the path."""
        self._opened_by.program.copy(self._here.entry.path)

    def action_save(self) -> None:
        """Ask for a place and save the file there."""
        from kittui.tui.inspect.saving import save

        self._opened_by.program.run_command("Save", save(self._opened_by, self._here))

    def action_outside(self, how: Literal["edit", "page"]) -> None:
        """Open a verified copy in the editor, or pipe it to the pager."""
        from kittui.usecases.inspect.copies import LayerFile

        here, program = self._here, self._opened_by.program
        original = LayerFile(self._inspector, here.repository, here.layer, here.entry)
        program.run_command("Open", (outside.edit if how == "edit" else outside.page)(program, original))

    def action_verify(self) -> None:
        """Prove the layer's digest and that what is shown is what it holds; nothing on the screen moves."""
        if self._refuses("viewer.verify"):
            return
        self._opened_by.program.run_command("Verify", self._verify())

    async def _verify(self) -> None:
        from kittui.tui.inspect.proving import prove

        contents = self._contents
        if contents is None or contents.verified:
            return
        proven = await prove(self._opened_by, self._here, contents)
        if proven is contents:
            self._tell()
        elif proven is not None:
            await self._show(proven)

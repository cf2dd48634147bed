"""A file over the whole screen: text, table, notebook, tensors, hexadecimal, or Markdown rendered."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Markdown, Static

from kittui.errors import KittuiError
from kittui.oci.traffic import metered
from kittui.terminal import clean, size_text
from kittui.tui.context import Context
from kittui.tui.lines import clean_line
from kittui.tui.look.nodes import FileHere, inspector_of
from kittui.tui.look.pages import TEXT_LIMIT, file_page
from kittui.tui.widgets.lines import Lines

VERIFY_LIMIT = 16 * 1024 * 1024
"""Bytes of a file that is shown after its layer was verified."""


class ViewerScreen(Screen[None]):
    """Reads what it shows and pages on at the end; says what that cost and whether it is proven."""

    DEFAULT_CSS = """
    ViewerScreen { background: $kit-background; }
    ViewerScreen #view-title { height: 1; padding: 0 1; background: $kit-background; color: $kit-accent; }
    ViewerScreen #view-facts { height: 1; padding: 0 1; color: $kit-muted; }
    ViewerScreen Markdown { height: 1fr; overflow-y: auto; padding: 0 2; background: $kit-background; }
    ViewerScreen Lines { padding: 0 1; }
    ViewerScreen Input { display: none; height: 1; border: none; padding: 0 1; }
    ViewerScreen Input.asked { display: block; }
    ViewerScreen .away { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "close", "Back", id="viewer.close", tooltip="Back to the panes"),
        Binding("slash", "search", "Search", id="viewer.search", tooltip="Search as you type"),
        Binding("n", "again(1)", "Next", id="viewer.next", tooltip="Next match", show=False),
        Binding("N", "again(-1)", "Previous", id="viewer.previous", tooltip="Previous match", show=False),
        Binding("m", "markdown", "Source", id="viewer.markdown", tooltip="Markdown rendered, or as it is written"),
        Binding("y", "copy", "Copy path", id="viewer.copy", tooltip="Copy the file's path"),
        Binding("w", "save", "Save", id="viewer.save", tooltip="Save the file to this machine"),
        Binding("V", "verify", "Verify", id="viewer.verify", tooltip="Read the whole layer and prove its digest"),
    ]

    def __init__(self, context: Context, here: FileHere) -> None:
        super().__init__()
        self._opened_by = context
        self._here = here
        self._inspector = inspector_of(context.ports)
        self._verified = here.verified
        self._limit = TEXT_LIMIT
        self._shown = 0
        self._read = 0
        self._requests = 0
        self._loading = False
        self._rendered = here.entry.path.lower().endswith((".md", ".markdown"))

    def compose(self) -> ComposeResult:
        """Title, facts, the file, a search line, the keys."""
        yield Static(Content(clean(self._here.entry.path)), id="view-title")
        yield Static(Content("reading …"), id="view-facts")
        yield Lines()
        yield Input(placeholder="search", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Read the first part."""
        lines = self.query_one(Lines)
        lines.focus()
        self.watch(lines, "scroll_y", self._scrolled, init=False)
        self._load(keep=False)

    @work(group="viewer-load", exclusive=True)
    async def _load(self, keep: bool) -> None:
        self._loading = True
        try:
            with metered() as traffic:
                page, self._shown = await file_page(self._inspector, self._here, self._limit)
        except KittuiError as error:
            self.query_one("#view-facts", Static).update(Content(clean(error.message)))
            self._opened_by.fail(error)
            return
        finally:
            self._loading = False
        self._read += traffic.bytes
        self._requests += traffic.requests
        self.query_one(Lines).show(page, keep=keep)
        if self._rendered and page.raw is not None:
            await self._render_markdown(page.raw)
        self._verified = self._verified or self._inspector.is_verified(self._here.repository, self._here.layer)
        self._tell()

    async def _render_markdown(self, text: str) -> None:
        for old in self.query(Markdown):
            await old.remove()
        cleaned = "\n".join(clean_line(line) for line in text.split("\n"))
        shown = Markdown(cleaned, open_links=False)
        await self.mount(shown, after=self.query_one(Lines))
        shown.can_focus = True
        self.query_one(Lines).add_class("away")
        shown.focus()

    @on(Markdown.LinkClicked)
    def _link(self, event: Markdown.LinkClicked) -> None:
        event.stop()
        self._opened_by.toast(f"links are not opened: {event.href}")

    def _tell(self) -> None:
        entry = self._here.entry
        part = "" if self._shown >= entry.size else f" · the first {size_text(self._shown)}; more at the end"
        cost = f" · {size_text(self._read)} read in {self._requests} requests" if self._requests else ""
        trust = "verified" if self._verified else "not verified: read by ranges, V verifies"
        self.query_one("#view-facts", Static).update(Content(f"{size_text(entry.size)}{part}{cost} · {trust}"))

    def _scrolled(self) -> None:
        lines = self.query_one(Lines)
        if self._loading or not self._shown or self._shown >= self._here.entry.size:
            return
        if lines.scroll_offset.y + 2 * lines.size.height >= lines.virtual_size.height:
            self._limit *= 4
            self._load(keep=True)

    def action_close(self) -> None:
        """Back, or out of the search line."""
        asked = self.query_one(Input)
        if asked.has_class("asked"):
            asked.remove_class("asked")
            self.query_one(Lines).focus()
            return
        self.dismiss(None)

    def action_search(self) -> None:
        """Show the search line; Markdown is searched as it is written."""
        if self._rendered:
            self.action_markdown()
        asked = self.query_one(Input)
        asked.add_class("asked")
        asked.focus()

    @on(Input.Changed)
    def _searching(self, event: Input.Changed) -> None:
        place, count = self.query_one(Lines).find(event.value)
        self.query_one("#view-facts", Static).update(Content(f"match {place} of {count}" if count else "no match"))

    @on(Input.Submitted)
    def _searched(self) -> None:
        self.query_one(Input).remove_class("asked")
        self.query_one(Lines).focus()

    def action_again(self, step: int) -> None:
        """Next or previous match."""
        place, count = self.query_one(Lines).find_next(step)
        if count:
            self.query_one("#view-facts", Static).update(Content(f"match {place} of {count}"))

    def action_markdown(self) -> None:
        """Markdown rendered, or as it is written."""
        rendered = self.query(Markdown)
        if not rendered:
            return
        self._rendered = not self._rendered
        self.query_one(Lines).set_class(self._rendered, "away")
        rendered.first().set_class(not self._rendered, "away")
        (rendered.first() if self._rendered else self.query_one(Lines)).focus()

    def action_copy(self) -> None:
        """Copy the path."""
        self._opened_by.app.copy(self._here.entry.path)

    @work(group="viewer-save")
    async def action_save(self) -> None:
        """Ask for a place and save the file there."""
        from kittui.tui.look.commands import save

        await save(self._opened_by, self._here)

    @work(group="viewer-verify", exclusive=True)
    async def action_verify(self) -> None:
        """Read the whole layer, prove its digest, and show the file from those bytes."""
        from kittui.tui.look.commands import verify

        if self._verified:
            self._opened_by.toast("It is verified already.")
        elif await verify(self._opened_by, self._here):
            self._verified = True
            self._tell()

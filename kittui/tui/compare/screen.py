"""The comparison: a summary, the tree of changes, and what there is to see of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from kittui.compare.changes import FileChange, TensorChange, ValueChange
from kittui.compare.comparison import Comparison
from kittui.compare.words import counted, size_words, summary_words
from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.compare.details import page_of, timeline_page
from kittui.tui.compare.tree import FILTERS, Row, cells, rows_of
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.lines import Line, Lines, Page
from kittui.tui.widgets.rows import Column, Rows
from kittui.usecases.diff import Depth, DiffUseCase, Side
from kittui.usecases.timeline import Subject, TimelineUseCase

if TYPE_CHECKING:
    from kittui.tui.app import KittuiApp

STACKED = 100
"""Columns below which the panes stand above each other."""
BESIDE = 120
"""Columns from which old and new stand side by side."""
SAMPLED = 64
"""Random windows of each file that a sample reads."""


class CompareScreen(Screen[None], inherit_bindings=False):
    """Two versions, level by level as they are read."""

    DEFAULT_CSS = """
    CompareScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    CompareScreen #facts { height: 1; padding: 0 1; color: $kit-muted; }
    CompareScreen #panes { height: 1fr; layout: horizontal; }
    CompareScreen #changes { width: 2fr; height: 1fr; }
    CompareScreen #detail { width: 3fr; height: 1fr; border-left: solid $kit-faint; }
    CompareScreen.-stacked #panes { layout: vertical; }
    CompareScreen.-stacked #changes { width: 1fr; height: 1fr; }
    CompareScreen.-stacked #detail { width: 1fr; height: 1fr; border-left: none; border-top: solid $kit-faint; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "change(1)", "Next", id="compare.next", tooltip="Next change"),
        Binding("N", "change(-1)", "Previous", id="compare.previous", tooltip="Previous change"),
        Binding("f", "filter", "Filter", id="compare.filter", tooltip="Only changed, only added … everything"),
        Binding("C", "content", "Compare values", id="compare.content", tooltip="Read and compare every value"),
        Binding("m", "report", "Report", id="compare.report", tooltip="Copy or save the report"),
        Binding("w", "swap", "Swap", id="compare.swap", tooltip="Swap the sides"),
        Binding(
            "H", "timeline", "Timeline", id="compare.timeline", tooltip="This value, file or tensor over all versions"
        ),
        Binding("y", "copy", "Copy", id="compare.copy", tooltip="Copy what the detail pane shows"),
        Binding("r", "again", "Refresh", id="compare.refresh", tooltip="Compare again"),
        Binding("tab,shift+tab", "other_pane", "Other pane", id="compare.pane", tooltip="Tree or detail"),
        Binding("question_mark", "app.help", "Help", id="compare.help", tooltip="Every live key"),
        Binding("escape", "back", "Back", id="compare.back", tooltip="Back"),
    ]

    def __init__(self, case: DiffUseCase, a: Side, b: Side) -> None:
        super().__init__()
        self._case = case
        self._sides = (a, b)
        self._depth = Depth()
        self._comparison: Comparison | None = None
        self._filter = 0
        self._folded: set[str] = set()
        self._page = Page()
        self._header = HeaderBar()
        self._facts = Static(id="facts")
        self._rows: Rows[Row] = Rows(
            (Column("", 18, flex=True, sticky=True), Column("", 14, flex=True)),
            cells,
            lambda row: row.entry.key,
            titles=False,
        )
        self._rows.id = "changes"
        self._lines = Lines()
        self._lines.id = "detail"
        self._footer = FooterBar()

    @property
    def comparison(self) -> Comparison | None:
        """What is known so far."""
        return self._comparison

    @property
    def kittui(self) -> KittuiApp:
        """The program, for its toasts and clipboard."""
        return cast("KittuiApp", self.app)

    def compose(self) -> ComposeResult:
        """Header, facts, tree and detail, footer."""
        yield self._header
        yield self._facts
        with Container(id="panes"):
            yield self._rows
            yield self._lines
        yield self._footer

    def on_mount(self) -> None:
        """Begin."""
        self._rows.focus()
        self._facts.update(Content("reading both manifests …"))
        self._tell()
        self._compare()

    def on_resize(self, event: events.Resize) -> None:
        """Stack the panes where there is little room."""
        self.set_class(event.size.width < STACKED, "-stacked")
        self.call_after_refresh(self._detail)

    @work(group="compare", exclusive=True)
    async def _compare(self) -> None:
        try:
            self._show(await self._case.compare(*self._sides, self._depth, self._show))
        except KittuiError as error:
            self._facts.update(Content(clean(error.message)))
            self._lines.show(Page([((clean(text), "bad"),) for text in (error.message, error.hint or "") if text]))
            self.kittui.fail(error)

    def _show(self, comparison: Comparison) -> None:
        if not self.is_attached:
            return
        first = self._comparison is None
        self._comparison = comparison
        parts = [*summary_words(comparison), f"{counted(comparison)} changed"]
        if not comparison.complete:
            parts.append("reading …")
        self._facts.update(Content(clean(" · ".join(parts))))
        self._arrange()
        if first and not any(row.is_change for row in self._rows.rows[: self._rows.cursor + 1]):
            self.action_change(1)

    def _arrange(self) -> None:
        """Show the rows again, the cursor on the same one."""
        if self._comparison is None:
            return
        key = self._rows.current.entry.key if self._rows.current else None
        rows = rows_of(self._comparison, FILTERS[self._filter], self._folded)
        self._rows.show(rows, next((row for row in rows if row.entry.key == key), None))
        self._tell()
        self._detail()

    def _tell(self) -> None:
        a, b = self._sides
        comparison = self._comparison
        names = [clean(side.target if ":" not in side.target else side.target[:19], limit=60) for side in (a, b)]
        digests = [comparison.a.short, comparison.b.short] if comparison else ["", ""]
        self._header.where = (f"{names[0]} {digests[0]} → {names[1]} {digests[1]}".replace("  ", " "),)
        changes = sum(row.is_change for row in self._rows.rows)
        self._header.facts = ((f"{FILTERS[self._filter][0]}: {changes}", "$kit-accent"),)
        hints = [("n", "Next", "change(1)"), ("f", "Filter", "filter")]
        if comparison is not None and comparison.unread and not self._depth.content:
            hints.append(("C", f"Compare values ({size_words(comparison.unread)} to read)", "content"))
        hints += [
            ("m", "Report", "report"),
            ("w", "Swap", "swap"),
            ("H", "Timeline", "timeline"),
            ("?", "Help", "app.help"),
            ("Esc", "Back", "back"),
        ]
        self._footer.hints = tuple(
            KeyHint(key, label, action if "." in action else f"screen.{action}") for key, label, action in hints
        )

    @on(Rows.Highlighted)
    def _detail(self) -> None:
        row = self._rows.current
        if row is None:
            note = "No changes of this kind." if self._comparison is not None else ""
            self._page = Page([((note, "muted"),)])
        else:
            self._page = page_of(row.entry, max(20, self._lines.size.width - 2), self.size.width >= BESIDE)
        self._lines.show(self._page)

    @on(Rows.Folded)
    def _fold(self, event: Rows.Folded) -> None:
        row = self._rows.current
        if row is None:
            return
        if row.entry.children and event.unfold == row.folded:
            self._folded ^= {row.entry.key}
            self._arrange()
        elif not event.unfold:
            above = next((n for n in range(self._rows.cursor, -1, -1) if self._rows.rows[n].depth < row.depth), None)
            if above is not None:
                self._rows.move_to(above)

    @on(Rows.Opened)
    def _opened(self) -> None:
        row = self._rows.current
        if row is not None and row.folded:
            self._folded.discard(row.entry.key)
            self._arrange()
        else:
            self._lines.focus()

    def action_other_pane(self) -> None:
        """Between the tree and the detail."""
        (self._lines if self._rows.has_focus else self._rows).focus()

    def action_change(self, step: int) -> None:
        """The next or previous change, around the ends."""
        rows: Sequence[Row] = self._rows.rows
        for distance in range(1, len(rows) + 1):
            number = (self._rows.cursor + step * distance) % len(rows)
            if rows[number].is_change:
                self._rows.move_to(number)
                return

    def action_filter(self) -> None:
        """The next filter that shows something."""
        for _ in FILTERS:
            self._filter = (self._filter + 1) % len(FILTERS)
            self._arrange()
            if self._rows.rows:
                return

    def action_swap(self) -> None:
        """Old becomes new."""
        self._sides = (self._sides[1], self._sides[0])
        self.action_again()

    def action_again(self) -> None:
        """Compare again."""
        self._comparison = None
        self._compare()

    def action_back(self) -> None:
        """From the detail to the tree, from the tree back to browsing."""
        if self._lines.has_focus:
            self._rows.focus()
        else:
            self.dismiss()

    def action_copy(self) -> None:
        """Copy the detail pane's text."""
        lines = [_text(line) for line in self._page.lines]
        self.kittui.copy(self._page.raw or "\n".join(lines))

    @work(group="compare-ask")
    async def action_content(self) -> None:
        """Compare values: all of them, or a sample."""
        comparison = self._comparison
        if comparison is None or not comparison.unread:
            return
        answer = await self.app.push_screen_wait(
            ChoiceDialog(
                "Compare values",
                [
                    Choice("all", "All values", f"{size_words(comparison.unread)} to read, digests verified"),
                    Choice("sample", "A sample", f"{SAMPLED} random windows of each large file: proves changes only"),
                ],
            )
        )
        if answer is not None:
            self._depth = Depth(content=True) if answer == "all" else Depth(sample=SAMPLED)
            self._compare()

    @work(group="compare-ask")
    async def action_report(self) -> None:
        """The report: copied, or saved."""
        comparison = self._comparison
        if comparison is None:
            return
        from kittui.compare.html import to_html
        from kittui.compare.markdown import to_markdown
        from kittui.usecases.save_report import save_report

        answer = await self.app.push_screen_wait(
            ChoiceDialog(
                "Report",
                [
                    Choice("copy", "Copy Markdown", "for a merge request, pinned to digests"),
                    Choice("md", "Save Markdown", "as a new file"),
                    Choice("html", "Save HTML", "one page that needs nothing else"),
                ],
            )
        )
        if answer is None:
            return
        text = to_html(comparison) if answer == "html" else to_markdown(comparison)
        if answer == "copy":
            self.kittui.copy(text)
            return
        name = f"{comparison.a.short}-{comparison.b.short}.{answer}"
        path = await self.app.push_screen_wait(InputDialog("Save the report", ("File:",), value=name))
        if path:
            try:
                self.kittui.toast(f"Saved {await save_report(path, text)}")
            except KittuiError as error:
                self.kittui.fail(error)

    @work(group="timeline", exclusive=True)
    async def action_timeline(self) -> None:
        """The thing under the cursor over all versions of b's repository."""
        row = self._rows.current
        if row is None:
            return
        subject = _subject(row)
        if subject is None:
            self.kittui.toast("A Kitfile value, a file or a tensor can be followed over the versions.")
            return
        self._lines.show(Page([(("reading all versions …", "muted"),)]))
        try:
            case = TimelineUseCase(self._case.modelkit, self._case.inspector)
            moments = await case.follow(self._sides[1].repository, subject)
        except KittuiError as error:
            self.kittui.fail(error)
            self._detail()
            return
        if self._rows.current is row:
            self._page = timeline_page(row.entry.title, moments)
            self._lines.show(self._page)


def _subject(row: Row) -> Subject | None:
    subject = row.entry.subject
    if isinstance(subject, ValueChange) and row.entry.part == "value":
        return Subject("value", subject.path)
    if isinstance(subject, FileChange):
        return Subject("file", subject.path)
    return Subject("tensor", subject.file, subject.name) if isinstance(subject, TensorChange) else None


def _text(line: Line) -> str:
    return line if isinstance(line, str) else "".join(text for text, _ in line)

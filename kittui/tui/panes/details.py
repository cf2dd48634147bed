"""The details pane: Kitfile, manifest as received, and the tabs that other parts add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.message import Message

from kittui.errors import KittuiError
from kittui.modelkit.variants import variants_of
from kittui.oci.digest import Digest
from kittui.tasks import aside_if_large
from kittui.terminal import clean, counted, size_text
from kittui.tui.frame.kit_commands import bare_reference, kit_commands
from kittui.tui.frame.parts import Tab
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.pane import Pane
from kittui.tui.panes.signed import word_spans
from kittui.tui.panes.state import READY, State, of_error
from kittui.tui.widgets.documents import clean_line, heading, json_page, pairs, stacked
from kittui.tui.widgets.highlight import highlight_yaml
from kittui.tui.widgets.lines import Line, Lines, Page

if TYPE_CHECKING:
    from kittui.usecases.browse.showing import Attachments
    from kittui.usecases.trust.verify import Verification

BUILT_IN = 2
"""The pane's own tabs, before those that other parts add."""
LINES = 20_000
"""Maximum lines shown of a Kitfile."""
LETTERS = tuple(range(20, 0, -1))
"""Letters shown of other tabs' names: the most that fit."""


class DetailsPane(Pane):
    """Shows the documents of one ModelKit."""

    NUMBER: ClassVar[int] = 4

    class Turned(Message):
        """Another tab was opened."""

    class Checked(Message):
        """More is known of signatures."""

    def __init__(self, ports: Ports, tabs: Sequence[Tab]) -> None:
        super().__init__()
        self._ports = ports
        self._signatures: dict[str, Attachments] = {}
        self._checked: dict[str, Verification] = {}
        self._tabs = (Tab("kitfile", "Kitfile", self._kitfile_page), Tab("manifest", "Manifest", manifest_page), *tabs)
        self._tab = self._tabs[0]
        self._selection = Selection()
        self._problem: str | None = None
        self._instead: State | None = None
        self._found: tuple[int, int] = (0, 0)
        self._lines = Lines()

    def make_body(self) -> Lines:
        """The text."""
        return self._lines

    @property
    def body(self) -> Lines:
        """The text."""
        return self._lines

    @property
    def filled(self) -> bool:
        """Whether there is text."""
        return bool(self._lines.page.lines)

    @property
    def tab(self) -> str:
        """The id of the tab that is shown."""
        return self._tab.id

    @property
    def tabs(self) -> Sequence[Tab]:
        """All tabs, in the order of their number keys."""
        return self._tabs

    @property
    def page(self) -> Page:
        """What is shown."""
        return self._lines.page

    def on_mount(self) -> None:
        """Nothing is chosen yet."""
        self.show(self._selection)

    def on_resize(self) -> None:
        """More or fewer names fit."""
        self.retitle()

    def turn_to(self, tab_id: str) -> bool:
        """Show a tab; False when there is none of that id."""
        tab = next((tab for tab in self._tabs if tab.id == tab_id), None)
        if tab is None:
            return False
        if tab is not self._tab:
            self._tab = tab
            self.filter = ""
            self._lines.show(Page())
            self.show(self._selection, self._problem, self._instead)
            self.post_message(self.Turned())
        return True

    def turn_by(self, step: int) -> None:
        """Show the next or the previous tab."""
        self.turn_to(self._tabs[(self._tabs.index(self._tab) + step) % len(self._tabs)].id)

    def look_at(self, selection: Selection) -> None:
        """The cursor is on another layer or file of the same tag: update only tabs of other parts."""
        self._selection = selection
        if self._tab not in self._tabs[:BUILT_IN] and self._tab.enabled(selection):
            self.show(selection, self._problem)
        self.retitle()

    def show(self, selection: Selection, problem: str | None = None, instead: State | None = None) -> None:
        """Show the tab's page for a selection, or why there is none; without a tag, show `instead`."""
        self.workers.cancel_group(self, "details")
        self._selection, self._problem, self._instead = selection, problem, instead
        self.filter, self._found = "", (0, 0)
        if not selection.is_tag:
            self._lines.show(Page())
            self.set_state(instead or State("empty", "Choose a tag.", "Its Kitfile, manifest and more are shown here."))
        elif problem is not None:
            self._lines.show(Page())
            self.set_state(State("failed", clean(problem), "", "Press `r` to try again."))
        elif selection.modelkit is None:
            self._lines.show(Page())
            self.set_state(State("loading", f"Reading {clean(selection.target or '')} …"))
        else:
            self._load(selection)
        self.retitle()

    @work(exclusive=True, group="details", description="load")
    async def _load(self, selection: Selection) -> None:
        try:
            if self._tab.id == "kitfile":
                self._lines.show(await self._kitfile(selection))
                self.set_state(READY)
                if (_digest_name(selection) or "") in self._checked:
                    self.retitle()
                    return
            elif not self.filled:
                self.set_state(State("loading", f"Reading the {self._tab.title.lower()} …"))
            page = await self._tab.load(self._ports, selection)
            self._lines.show(page, keep=self._tab.id == "kitfile")
            self.set_state(READY if page.lines else State("empty", f"There is no {self._tab.title.lower()} yet."))
        except KittuiError as error:
            self.set_state(of_error(error, stale=self.filled))
        self.retitle()

    async def _kitfile(self, selection: Selection) -> Page:
        name = _digest_name(selection) or ""
        signatures = signature_lines(self._signatures.get(name), self._checked.get(name))
        size = len(selection.modelkit.config_raw) if selection.modelkit is not None else 0
        return await aside_if_large(size, kitfile_lines, self._ports, selection, signatures)

    async def _kitfile_page(self, ports: Ports, selection: Selection) -> Page:
        """The Kitfile tab, updated once signatures are checked; they are requested once per digest."""
        repository, digest, name = selection.repository, selection.digest, _digest_name(selection)
        if repository is not None and digest is not None and name is not None:
            try:
                listed = self._signatures[name] = await ports.signatures(repository, Digest(digest))
                self._lines.show(await self._kitfile(selection), keep=True)
                tags = {one.tag for one in listed.found if one.tag}
                tags |= {Digest(digest).referrers_tag} if len(tags) < len(listed.found) else set()
                self._checked[name] = await ports.trust.statements(repository, Digest(digest), tags)
            except KittuiError:
                self._signatures.pop(name, None)
            self.post_message(self.Checked())
        return await self._kitfile(selection)

    def forget(self) -> None:
        """Check signatures again."""
        self._signatures.clear()
        self._checked.clear()

    def set_filter(self, text: str) -> None:
        """Find lines that hold the text."""
        self.filter = text
        self._found = self._lines.find(text)
        self.retitle()

    def find_next(self, step: int) -> None:
        """Go to the next or previous line found."""
        self._found = self._lines.find_next(step)
        self.retitle()

    def _width(self, tabs: Sequence[tuple[int, Tab]], letters: int) -> int:
        """Columns of the tabs' numbers and names, each after a space."""
        return sum(3 + len(tab.title if tab is self._tab else tab.title[:letters]) for _, tab in tabs)

    def retitle(self) -> None:
        """Show all tabs by number, the open one in the text colour; the others' names are cut if room is short."""
        tabs = [
            (number, tab)
            for number, tab in enumerate(self._tabs, self.NUMBER)
            if tab is self._tab or number < self.NUMBER + BUILT_IN or tab.enabled(self._selection)
        ]
        room = self.size.width - (14 if self.filter else 0)
        cut = next((each for each in LETTERS if self._width(tabs, each) <= room), LETTERS[-1])
        parts: list[tuple[str, str]] = []
        for number, tab in tabs:
            shown = tab is self._tab
            accent = shown and self.title_bar.active
            parts += [
                (f"{number} ", "$kit-accent" if accent else "$kit-muted"),
                (
                    tab.title if shown else tab.title[:cut],
                    "$kit-accent bold" if accent else "$kit-text" if shown else "$kit-faint",
                ),
                (" ", ""),
            ]
        if not self.filter:
            parts.pop()
        else:
            parts += [("/", "$kit-accent"), (clean(self.filter), "$kit-accent bold")]
        self.title_bar.parts = tuple(parts)
        self.title_bar.right = "{} of {}".format(*self._found) if self.filter else ""


def _digest_name(selection: Selection) -> str | None:
    """The key for signatures: another repository may have the same digest with other signatures."""
    repository, digest = selection.repository, selection.digest
    return repository.reference(digest) if repository and digest else None


async def manifest_page(_: Ports, selection: Selection) -> Page:
    """The manifest tab: every token as received."""
    if selection.modelkit is None:
        return Page()
    return json_page(selection.modelkit.manifest.raw)


def kitfile_lines(ports: Ports, selection: Selection, signatures: Sequence[Line]) -> Page:
    """Reference and digest, the Kitfile, annotations, signatures, commands."""
    modelkit, repository = selection.modelkit, selection.repository
    if modelkit is None or repository is None or selection.target is None:
        return Page()
    lines: list[Line] = [
        ((clean(bare_reference(repository, selection.target)), "text+bold"),),
        ((str(modelkit.digest), "muted"),),
    ]
    kind = clean(modelkit.label)
    if modelkit.kind != "modelkit":
        size = "" if modelkit.manifest.is_index else f"  {size_text(modelkit.size)}"
        lines.append(((kind, "special"), (size, "muted")))
    lines += [((f"▲ {clean(problem)}", "warn"),) for problem in modelkit.problems]
    lines.append("")
    text = ports.kitfile_yaml(modelkit) if modelkit.kitfile else ""
    if modelkit.manifest.is_index:
        lines += [heading("variants"), *(((clean(one.words), "text"),) for one in variants_of(modelkit.manifest))]
    elif text:
        written = text.splitlines()
        lines += [highlight_yaml(clean_line(line)) for line in written[:LINES]]
        if len(written) > LINES:
            lines.append(((f"▲ {counted(len(written) - LINES, 'more line')}: kittui show prints them", "warn"),))
    else:
        lines.append((("It has no Kitfile.", "muted"),))
    if modelkit.annotations:
        lines += ["", heading("annotations"), *stacked(modelkit.annotations)]
    lines += ["", heading("signatures"), *signatures]
    lines += ["", heading("commands"), *pairs(kit_commands(repository, selection.target, modelkit.kind), "string")]
    return Page(lines, raw=text or None)


def signature_lines(signatures: Attachments | None, checked: Verification | None) -> list[Line]:
    """The verdict, then every attachment with its result, or that it was not checked."""
    lines: list[Line] = [(word_spans(checked),)]
    known = {one.digest for one in checked.signatures} if checked else set()
    for one in checked.signatures if checked else ():
        mark, role = ("✓", "good") if one.verdict.holds else ("✗", "bad") if one.status == "invalid" else ("?", "warn")
        what = f"{clean(one.about, limit=60)}  {one.digest.short}  "
        lines.append(((f"{mark} ", role), (what, "text"), (clean(one.reason), "muted")))
    lines += [
        (("? ", "warn"), (f"{clean(other.kind)}  {other.digest.short}  not checked", "muted"))
        for other in (signatures.found if signatures else ())
        if other.digest not in known
    ]
    if signatures and signatures.incomplete:
        lines.append(((f"▲ there may be more: {clean(signatures.incomplete.reason)}", "warn"),))
    return lines

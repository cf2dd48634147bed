"""Asks what to compare with: a suggested pair, any tag here, or a reference typed with completion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from kittui.errors import KittuiError
from kittui.oci.target import Target
from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choices
from kittui.tui.dialogs.dialog import Dialog, Words
from kittui.tui.widgets.bars import shorten

SHOWN: Final = 300
"""Choices listed at once."""
_LABEL, _ALONE = 46, 68
"""Cells of a choice's name, with and without details beside it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to compare: a pair of targets of this repository, or a reference elsewhere to compare with."""

    label: str
    detail: str = ""
    pair: tuple[Target, Target] | None = None
    reference: str = ""

    @property
    def whole(self) -> bool:
        """Whether it can be taken as it is; a repository alone wants a tag."""
        return self.pair is not None or not self.reference.endswith(":")


class PickDialog(Dialog[Offer]):
    """A list with the likeliest first, and a line to filter it or to type a reference of any place.

    `known` are repositories as a user would type them; `tags_of` lists the tags of one of them, for completion;
    `check` says what is wrong with a typed reference (empty: nothing). Without `check` only what is listed is taken.
    """

    DEFAULT_CSS = """
    PickDialog Box { width: 92; }
    PickDialog OptionList { height: auto; max-height: 14; }
    PickDialog Input { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", id="pick.next", show=False, priority=True),
        Binding("up", "move(-1)", "Up", id="pick.previous", show=False, priority=True),
        Binding("pagedown,ctrl+f", "page('page_down')", "Page down", id="pick.page-down", show=False, priority=True),
        Binding("pageup,ctrl+b", "page('page_up')", "Page up", id="pick.page-up", show=False, priority=True),
        Binding("ctrl+d", "page('half(1)')", "Half down", id="pick.half-down", show=False, priority=True),
        Binding("ctrl+u", "page('half(-1)')", "Half up", id="pick.half-up", show=False, priority=True),
        Binding("tab", "complete", "Complete", id="pick.complete", tooltip="Take the first completion", priority=True),
        Binding("slash", "type", "Type", id="pick.type", tooltip="As elsewhere, before a filter", priority=True),
    ]

    def __init__(
        self,
        title: str,
        offers: Sequence[Offer],
        known: Sequence[str] = (),
        tags_of: Callable[[str], Awaitable[Sequence[str]]] | None = None,
        check: Callable[[str], str] | None = None,
        *,
        verb: str = "Compare",
    ) -> None:
        super().__init__(title)
        self._verb = verb
        self._offers = list(offers)
        self._known = list(known)
        self._tags_of = tags_of
        self._check = check
        self._tags: dict[str, Sequence[str]] = {}
        self._shown: list[Offer] = []

    def hints(self) -> Sequence[tuple[str, str]]:
        """The keys that the frame names."""
        complete = (("pick.complete", "Complete"),) if self._check is not None else ()
        return (("Enter", self._verb), ("↑↓", "Move"), *complete, ("dialog.cancel", "Cancel"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A slash is part of a reference, where one has been begun; without references nothing is completed."""
        if action == "complete":
            return self._check is not None
        return action != "type" or not any(entry.value for entry in self.query(Input))

    def body(self) -> ComposeResult:
        """The line, the list, what is wrong."""
        words = "type HOST/REPOSITORY:TAG, oci:DIR:TAG, local://… or part of a tag" if self._check else "type to filter"
        entry = Input(placeholder=words)
        entry.cursor_blink = False
        yield entry
        choices = Choices()
        choices.can_focus = False
        yield choices
        yield Words([""])

    def on_mount(self) -> None:
        """The line has the keys: what is typed filters at once."""
        self._show("")
        self.query_one(Input).focus()

    def _show(self, text: str) -> None:
        self._shown = self._matching(text)
        options = self.query_one(OptionList)
        options.clear_options()
        most = _LABEL if any(offer.detail for offer in self._shown) else _ALONE
        width = min(most, max((cell_len(offer.label) for offer in self._shown), default=0))
        options.add_options([Option(_line(offer, width)) for offer in self._shown])
        options.display = bool(self._shown)
        if self._shown:
            options.highlighted = 0
        self.show_last([""])

    def _matching(self, text: str) -> list[Offer]:
        wanted = _bare(text)
        if not wanted:
            return self._offers[:SHOWN]
        found = [offer for offer in self._offers if wanted in f"{offer.label} {offer.reference}".casefold()]
        for reference in self._known:
            tags = self._tags.get(reference)
            if tags is not None and wanted.startswith(f"{_bare(reference)}:"):
                part = wanted[len(_bare(reference)) + 1 :]
                found += [
                    Offer(f"{reference}:{tag}", reference=f"{reference}:{tag}")
                    for tag in tags
                    if part in tag.casefold()
                ]
            elif wanted in reference.casefold():
                found.append(Offer(f"{reference}:", "then a tag", reference=f"{reference}:"))
        return found[:SHOWN]

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)
        text = _bare(event.value)
        reference = next((each for each in self._known if text.startswith(f"{_bare(each)}:")), None)
        if reference is not None and reference not in self._tags and self._tags_of is not None:
            self._list_tags(reference, self._tags_of)

    @work(group="pick-tags", exclusive=True, description="list tags")
    async def _list_tags(self, reference: str, tags_of: Callable[[str], Awaitable[Sequence[str]]]) -> None:
        self.show_last([Content.assemble((f"listing the tags of {clean(reference)} …", "$kit-muted"))])
        try:
            self._tags[reference] = await tags_of(reference)
        except KittuiError as error:
            self._tags[reference] = ()
            self._wrong(f"{error.message} {error.hint or ''}".strip())
            return
        for entry in self.query(Input):
            self._show(entry.value)

    def _wrong(self, text: str) -> None:
        self.show_last([Content.assemble((f"✗ {clean(text)}", "$kit-bad"))])

    def action_type(self) -> None:
        """What follows is typed into the line as it is."""

    async def action_page(self, action: str) -> None:
        """Move the cursor of the list by a page, or half of one."""
        await self.query_one(Choices).run_action(action)

    def action_move(self, step: int) -> None:
        """Move the cursor of the list."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_complete(self) -> None:
        """What the list's cursor is on, into the line."""
        offer = self._current
        if offer is not None and offer.reference:
            self._write(offer.reference)
        else:
            words = "Nothing completes it." if offer is None else "Nothing to complete: Enter takes it as it is."
            self.show_last([Content.assemble((words, "$kit-muted"))])

    @property
    def _current(self) -> Offer | None:
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._take(self._shown[event.option_index])

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        exact = (each for each in self._shown if each.reference and _bare(each.reference) == _bare(text))
        offer = next(exact, self._current)
        if offer is not None:
            self._take(offer)
        elif not text:
            return
        elif wrong := self._check(text) if self._check is not None else "Nothing here has this name.":
            self._wrong(wrong)
        else:
            self._take(Offer(text, reference=text))

    def _take(self, offer: Offer) -> None:
        """Answer with it; a repository alone goes into the line, for a tag is missing."""
        if offer.whole:
            self.dismiss(offer)
            return
        self._write(offer.reference)

    def _write(self, text: str) -> None:
        entry = self.query_one(Input)
        entry.value = text
        entry.cursor_position = len(text)


def _line(offer: Offer, width: int) -> Content:
    label = clean(offer.label)
    if cell_len(label) > width:
        # A reference is told apart by its end, a pair by its beginning.
        label = "…" + label[-(width - 1) :] if offer.reference else shorten(label, width)
    blank = " " * max(0, width - cell_len(label))
    return Content.assemble((label + blank, "$kit-text"), (f"  {clean(offer.detail)}", "$kit-muted"))


def _bare(reference: str) -> str:
    """A reference without the prefix that may be left out, as it is compared with what is typed."""
    return reference.strip().casefold().removeprefix("remote://")

"""Finds a file, a digest, a diffId or a Kitfile value: matches appear as they are found, Enter goes to one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from textual import on

from kittui.errors import KittuiError
from kittui.terminal import clean, counted, size_text
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.context import Context
from kittui.tui.upkeep.list_screen import ListScreen
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line
from kittui.tui.widgets.rows import Rows
from kittui.usecases.find import Match, Problem, Progress, Query

if TYPE_CHECKING:
    from kittui.usecases.find import Place

Found = Match | Problem
WORDS = (
    "A file (its name, the end of its path, or a pattern), a digest, a diffId, or a Kitfile value, as license=MIT.",
)


class FindScreen(ListScreen[Found]):
    """The matches, place by place."""

    HINTS = (("move.open", "Go there", "screen.go"),)

    def __init__(self, context: Context, query: Query, places: Sequence[Place], where: str) -> None:
        columns = (
            Column("ModelKit", 30, flex=True, sticky=True),
            Column("digest", 12),
            Column("as", 8),
            Column("where", 30, flex=True),
            Column("size", 8, "right"),
        )
        super().__init__(context, f"Find {query.text} in {where}", columns)
        self._query, self._places, self._where = query, places, where
        self._looked = Progress()
        self._sources: set[str] = set()

    async def read(self) -> None:
        """Search, and show every match."""
        finder = self.program.ports.upkeep.finder(self._report)
        self._looked = finder.progress
        async for found in finder.search(self._query, self._places):
            if isinstance(found, Match):
                self._sources.add(str(found.repository.source.place))
            self.add(found)

    def _report(self, now: Progress) -> None:
        self.say(f"{self._counts()}; Esc stops · {now.at}")

    def _counts(self) -> str:
        looked = self._looked
        matches = sum(isinstance(one, Match) for one in self.found)
        places = counted(looked.repositories, "repository")
        return f"{matches} found, {counted(looked.modelkits, 'ModelKit')} in {places} searched"

    def summary(self) -> str:
        """The number of matches, and how much was searched."""
        problems = sum(isinstance(one, Problem) for one in self.found)
        return self._counts() + (f" · ▲ {problems} could not be looked into" if problems else "")

    def cells(self, row: Found) -> Sequence[Spans]:
        """ModelKit, kind of match, place in it."""
        if isinstance(row, Problem):
            return ((("✗ ", "bad"), (clean(row.reference), "text")), (), (), ((clean(row.error.message), "bad"),), ())
        where, size = _place_in(row)
        source = next(iter(self._sources)) if len(self._sources) == 1 else ""
        return (
            ((clean(row.reference.removeprefix(f"{source}/")), "text+bold"),),
            ((row.digest.short, "muted"),),
            ((row.what.replace("_", ""), "accent"),),
            ((clean(where), "text"),),
            ((size_text(size) if size is not None else "", "muted"),),
        )

    def key(self, row: Found) -> Hashable:
        """Each match has its own key."""
        return id(row)

    def lines(self, row: Found | None) -> Sequence[Line]:
        """The full match; why something could not be searched."""
        if row is None:
            words = self.nothing(f"Nothing holds {clean(self._query.text)}.")
            return [(("Nothing found so far." if self.reading else words, "muted"),)]
        if isinstance(row, Problem):
            hint = [((clean(row.error.hint), "muted"),)] if row.error.hint else []
            return [((clean(row.reference), "text+bold"),), ((clean(row.error.message), "bad"),), *hint]
        lines: list[Line] = [((clean(row.reference), "text+bold"),), ((str(row.digest), "muted"),)]
        if row.layer is not None:
            layer = row.layer
            lines.append((("layer  ", "muted"), (clean(f"{layer.type} {layer.path or ''}  {layer.digest}"), "text")))
            lines += [(("diffId ", "muted"), (str(layer.diff_id), "text"))] if layer.diff_id else []
        if row.entry is not None:
            lines.append((("file   ", "muted"), (clean(row.entry.path), "text")))
        if row.value is not None:
            lines.append((("value  ", "muted"), (clean(f"{row.value[0]} = {row.value[1]}"), "text")))
        if not row.verified:
            lines.append((("What was read by ranges is not proven: its layer's digest was not checked.", "warn"),))
        return lines

    def text(self, row: Found) -> str:
        """Reference, digest, kind of match, place."""
        if isinstance(row, Problem):
            return f"{row.reference}\t{row.error.message}"
        return "\t".join((row.reference, row.digest, row.what, _place_in(row)[0]))

    @on(Rows.Opened)
    def action_go(self) -> None:
        """Show the ModelKit in the panes, with the cursor on the matching layer."""
        row = self.rows.current
        if not isinstance(row, Match):
            return
        repository = row.repository
        layer = row.layer.digest if row.layer is not None else None
        browser = self.context.browser
        self.dismiss()
        browser.open(repository.source.place, repository.name, row.tag or row.digest, layer)


def _place_in(row: Match) -> tuple[str, int | None]:
    """The match's place in its ModelKit, and its size."""
    if row.value is not None:
        return f"{row.value[0]} = {row.value[1]}", None
    if row.entry is not None:
        return row.entry.path, row.entry.size
    if row.layer is not None:
        return f"{row.layer.type} {row.layer.path or ''}".rstrip(), row.layer.size
    return "", None


async def find(context: Context) -> None:
    """Ask what to search for, and where."""

    def check(text: str) -> str:
        try:
            Query.parse(text)
        except KittuiError as error:
            return clean(" ".join(filter(None, (error.message, error.hint))))
        return ""

    example = "train.csv, sha256:…, license=MIT"
    text = await context.ask(InputDialog("Find", WORDS, placeholder=example, check=check, draft="find"))
    if text is None:
        return
    selection = context.selection
    choices: list[Choice[tuple[str, ...]]] = []
    if selection.repository is not None:
        if selection.target is not None:
            choices.append(Choice((selection.repository.reference(selection.target),), "This ModelKit"))
        choices.append(Choice((selection.repository.reference(),), "This repository"))
    if selection.place is not None:
        choices.append(Choice((str(selection.place),), "This place"))
    choices = [Choice(each.value, each.label, clean(each.value[0])) for each in choices]
    everything = tuple(str(entry.place) for entry in context.ports.places)
    choices.append(Choice(everything, "Everywhere", f"{len(everything)} places"))
    words = await context.ask(ChoiceDialog(f"Find {clean(text, limit=60)}", choices))
    if words is None:
        return
    places = await context.ports.upkeep.places(words)
    context.program.drafts.drop(text)
    context.show(FindScreen(context, Query.parse(text), places, words[0] if len(words) == 1 else "all places"))

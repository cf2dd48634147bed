"""What header and footer of the browse screen say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kittui.oci.digest import Digest
from kittui.terminal import clean, counted
from kittui.tui.frame.commands import Command
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.tree import PlaceRow
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint


class Bars:
    """The header says where the cursor is and what is under way, the footer which keys do something there."""

    def __init__(self, ports: Ports, commands: Iterable[Command]) -> None:
        self.header, self.footer = HeaderBar(), FooterBar()
        self._ports = ports
        self._ranked = sorted((command for command in commands if command.rank), key=lambda each: each.rank)

    def write(
        self,
        selection: Selection,
        places: Sequence[PlaceRow],
        place: PlaceRow | None,
        doing: Iterable[str],
        *,
        zoomed: bool,
    ) -> None:
        """Write both for what is selected; `place` is the source that the cursor is in, where it is in the tree."""
        self.header.where = tuple(_way(selection, places, place))
        self.header.facts = self._facts(selection, places, zoomed=zoomed)
        self.header.doing = tuple(doing)
        keys = self._ports.keys
        self.footer.hints = tuple(
            KeyHint(keys.all_of(command.id), command.label, f"screen.run('{command.id}')")
            for command in self._ranked
            if command.enabled(selection)
        )

    def aside(self, command_id: str, text: str) -> None:
        """Say at the right end of the footer what runs in the background, with the key that shows more of it."""
        hint = KeyHint(self._ports.keys[command_id], text, f"screen.run('{command_id}')") if text else None
        self.footer.aside = hint

    def _facts(self, selection: Selection, places: Sequence[PlaceRow], *, zoomed: bool) -> tuple[tuple[str, str], ...]:
        facts = [("read-only", "$kit-warn") if selection.read_only else ("read-write", "$kit-muted")]
        registries = sum(row.entry.place.kind == "remote" for row in places)
        if registries:
            facts.append((counted(registries, "registry"), "$kit-muted"))
        if zoomed:
            facts.append((f"zoomed, {self._ports.keys['zoom']} ends it", "$kit-accent"))
        if selection.marks:
            facts.append((f"✎ {len(selection.marks)} marked", "$kit-accent"))
        return tuple(facts)


def _way(selection: Selection, places: Sequence[PlaceRow], place: PlaceRow | None) -> list[str]:
    """The path to what is selected, cleaned."""
    way = [clean(place.label)] if place and selection.pane == "repositories" else []
    if selection.pane != "repositories" and selection.repository is not None:
        source = selection.repository.source.place
        way = [next((row.label for row in places if row.entry.place == source), str(source))]
    if selection.repository is not None:
        way.append(clean(selection.repository.name))
    if selection.target is not None:
        way.append(clean(selection.target.short if isinstance(selection.target, Digest) else selection.target))
    return way

"""The browse screen: repositories, tags over layers, details; two panes side by side where it is narrow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tui.frame.commands import Command
from kittui.tui.frame.context import Context
from kittui.tui.frame.parts import Part
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.program import Program, program_of
from kittui.tui.frame.selection import Mark, PaneName, Selection
from kittui.tui.panes.details import DetailsPane
from kittui.tui.panes.layers import LayersPane
from kittui.tui.panes.pane import Pane
from kittui.tui.panes.repositories import RepositoriesPane
from kittui.tui.panes.tags import TagsPane
from kittui.tui.panes.tree import PlaceRow, RepositoryRow
from kittui.tui.screens.arrangement import Arrangement, layout_classes
from kittui.tui.screens.bars import Bars
from kittui.tui.screens.selecting import details_selection, selection_at
from kittui.tui.style.sizes import too_small

if TYPE_CHECKING:
    from kittui.modelkit import Layer


class Body(Horizontal):
    """All panes."""


class Middle(Vertical):
    """Tags over layers."""


class TooSmall(Widget):
    """What a terminal says that is too small for panes."""

    DEFAULT_CSS = "TooSmall { display: none; height: 1fr; padding: 0 1; }"

    def render(self) -> str:
        """One plain sentence."""
        return too_small(self.app.size)


class BrowseScreen(Screen[None], inherit_bindings=False):
    """Owns the panes and what is selected; commands are run from here."""

    AUTO_FOCUS = "RepositoriesPane Rows"

    def __init__(self, ports: Ports, parts: Sequence[Part], size: Size) -> None:
        """Laid out for a terminal of `size` from the start: the first paint is the one that is wanted."""
        super().__init__(classes=" ".join(("-at-repositories", *layout_classes(size))))
        self._ports = ports
        self._commands: Mapping[str, Command] = {command.id: command for part in parts for command in part.commands}
        self._marks: dict[tuple[str, str, str], Mark] = {}
        self._favourites = set(ports.settings.favourites)
        self._wanted: tuple[Place, str, Target, Digest] | None = None
        self._bars = Bars(ports, self._commands.values())
        self.repositories_pane = RepositoriesPane(ports, self._favourites)
        self.tags_pane = TagsPane(ports, self._marks)
        self.layers_pane = LayersPane(ports, next((part.layer_rows for part in parts if part.layer_rows), None))
        self.details_pane = DetailsPane(
            ports, sorted((tab for part in parts for tab in part.tabs), key=lambda tab: tab.rank)
        )
        self._middle = Middle()
        panes: Mapping[PaneName, Pane] = {
            "repositories": self.repositories_pane,
            "tags": self.tags_pane,
            "layers": self.layers_pane,
            "details": self.details_pane,
        }
        self._arrangement = Arrangement(self, panes, self._middle, ports.settings.sizes)

    def compose(self) -> ComposeResult:
        """Header, panes, footer."""
        yield self._bars.header
        with Body():
            yield self.repositories_pane
            with self._middle:
                yield self.tags_pane
                yield self.layers_pane
            yield self.details_pane
        yield TooSmall()
        yield self._bars.footer

    def on_mount(self) -> None:
        """Go on once something is painted."""
        self.call_after_refresh(self.program.begin)

    @property
    def program(self) -> Program:
        """The application, by its own type."""
        return program_of(self)

    @property
    def where(self) -> tuple[str, ...]:
        """The header's path to what is selected, cleaned."""
        return self._bars.header.where

    @property
    def repositories(self) -> Sequence[Repository]:
        """Every repository that was listed."""
        return [each.repository for row in self.repositories_pane.places for each in row.found]

    def refusal(self, command: str, selection: Selection | None = None) -> str:
        """Why a command does nothing for a selection (None: the panes'); empty where it does something."""
        found = self._commands.get(command)
        return found.refusal(selection or self.selection) if found is not None else ""

    def tag_names(self, repository: Repository) -> Sequence[Tag] | None:
        """The tags of the repository if all of them are listed now, else None."""
        return self.tags_pane.names_of(repository)

    def known_digests(self, repository: Repository) -> dict[Tag, Digest]:
        """Digests of the repository's tags that were read already: names for digests, and fewer requests."""
        return {
            row.entry.name: row.modelkit.digest
            for row in self.tags_pane.body.rows
            if row.modelkit is not None
            and (row.asked or row.entry.descriptor is not None)
            and row.entry.name is not None
            and row.variant is None
            and row.repository.reference() == repository.reference()
        }

    def relist(self, layer: Layer) -> None:
        """Show the rows below the layer again."""
        self.layers_pane.relist(layer)

    def rebadge(self) -> None:
        """Show the layers' badges again."""
        self.layers_pane.rebadge()

    def show_tab(self, tab: str, *, focus: bool = True) -> bool:
        """Turn the details pane to a tab; False where it has nothing to show."""
        turned = self.details_pane.turn_to(tab)
        if focus:
            self.go("details")
        elif turned:
            self.details_pane.look_at(self.selection)
        return turned

    @property
    def at(self) -> PaneName:
        """The pane that has the keys."""
        return self._arrangement.at

    @property
    def pane(self) -> Pane:
        """The pane that has the keys."""
        return self._arrangement.pane

    @property
    def marked(self) -> int:
        """How many rows are marked."""
        return len(self._marks)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Marked tags, in the order they were marked."""
        return tuple(self._marks.values())

    @property
    def selection(self) -> Selection:
        """Where the cursor is now."""
        return selection_at(
            self.at,
            self.repositories_pane,
            self.tags_pane,
            self.layers_pane,
            marks=self.marks,
            read_only=self._ports.settings.read_only,
        )

    def on_screen_resume(self) -> None:
        """What was open above may have found out what signatures are worth."""
        self.tags_pane.recheck()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the new size; what is selected stays."""
        self._arrangement.lay_out(event.size)
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        self._arrangement.keep_keys()
        self.refresh_bars()

    def go(self, name: PaneName) -> None:
        """Give the keys to a pane; where it is narrow, slide to it."""
        self._arrangement.go(name)
        self.refresh_bars()

    def zoom(self) -> None:
        """Give all the room to the pane that has the keys, wherever they go, or give it back."""
        self._arrangement.zoom()
        self.refresh_bars()

    async def resize(self, step: int) -> None:
        """Give the pane that has the keys more room, or less, and keep it for the next time."""
        if self._arrangement.zoomed:
            self.notify(f"This pane is zoomed; {self._ports.keys['zoom']} ends that.", markup=False)
            return
        await self._ports.save_sizes(self._arrangement.resize(step))

    def go_by(self, step: int) -> None:
        """Give the keys to the next or the previous pane."""
        self.go(self._arrangement.beside(step))

    def back(self) -> None:
        """One step back: stop what is being listed, drop the filter, the toasts, or go one pane to the left."""
        if self.at == "layers" and self.layers_pane.stop():
            return
        if self.pane.filter:
            self.pane.close_filter()
        elif self.program.clear_toasts():
            return
        elif self.at != "repositories":
            self.go_by(-1)
        else:
            key = self._ports.keys["quit"]
            self.notify(f"This is the first pane, and there is no filter to clear; {key} quits.", markup=False)

    def on_descendant_focus(self) -> None:
        """A click or a key gave the focus to another pane."""
        if self._arrangement.slide_to_focus():
            self.refresh_bars()

    def refresh_bars(self) -> None:
        """Write header and footer for what is selected now; cheap, and silent when nothing changed."""
        pane = self.repositories_pane
        self._bars.write(
            self.selection, pane.places, pane.place, self.program.activities, zoomed=self._arrangement.zoomed
        )

    def aside(self, command_id: str, text: str) -> None:
        """Say at the right end of the footer what runs in the background, with the key that shows more of it."""
        self._bars.aside(command_id, text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Every command's key is live: where it does nothing, it says why."""
        if action == "run" and parameters and isinstance(parameters[0], str):
            return parameters[0] in self._commands
        return True

    def action_run(self, command_id: str) -> None:
        """Run a command on what is selected now, in a worker of its own so that it may wait for dialogs."""
        self.perform(command_id, self.selection)

    def perform(self, command: str, selection: Selection, then: Callable[[], object] = lambda: None) -> None:
        """Run a command on a selection; `then` is called once it is over."""
        found = self._commands[command]
        if refusal := found.refusal(selection):
            self.notify(refusal, title=found.label, markup=False)
            return
        context = Context(self.program, self, selection)

        async def work() -> None:
            if found.alone(selection):
                left = f"the marks ({len(selection.marks)}) are left out, and stay"
                self.notify(f"It works on {found.about(selection)}: {left}.", title=found.label, markup=False)
            try:
                await found.run(context)
            finally:
                then()

        self.program.run_command(found.label, work(), context.far, text=found.text)

    def reload(self, repository: Repository | None = None) -> None:
        """Tags were changed: list them again where they are shown."""
        self.details_pane.forget()
        if repository is None:
            self.tags_pane.forget()
        else:
            self._ports.forget(repository)
            shown = self.tags_pane.forget(str(repository.source.place), repository.name)
            self.repositories_pane.changed(repository, counted=shown)
        self.tags_pane.rehold()
        self.layers_pane.rehold()

    def clear_marks(self, keep: Collection[Mark] = ()) -> None:
        """Forget all marks but a few."""
        kept = {mark.key for mark in keep}
        for key in [key for key in self._marks if key not in kept]:
            del self._marks[key]
        self.tags_pane.remark()
        self.refresh_bars()

    def open(self, place: Place, name: str, target: Target | None, layer: Digest | None = None) -> None:
        """Show a place, a repository in it, a tag or digest of that, a layer of it."""
        self._wanted = (place, name, target, layer) if target is not None and layer is not None else None
        self.repositories_pane.open(place, name)
        if target is not None:
            self.tags_pane.look_for(place, name, target)

    async def save_favourites(self) -> None:
        """Keep the favourites for the next time."""
        await self._ports.save_favourites(sorted(self._favourites))

    @on(RepositoriesPane.Moved)
    @on(TagsPane.Moved)
    @on(LayersPane.Moved)
    @on(DetailsPane.Turned)
    def _moved(self) -> None:
        self.refresh_bars()

    @on(RepositoriesPane.Rested)
    def _rested_on_repository(self) -> None:
        row = self.repositories_pane.current
        if isinstance(row, RepositoryRow):
            self.tags_pane.repository = row.repository
        elif isinstance(row, PlaceRow):
            self.tags_pane.show_place(row.state)

    @on(RepositoriesPane.Refused)
    def _refused(self, event: RepositoriesPane.Refused) -> None:
        self.program.fail(event.error)
        self._rested_on_repository()

    def close_source(self) -> None:
        """Take the source under the cursor out of the tree, with the marks in it."""
        row = self.repositories_pane.close()
        if row is not None:
            self.clear_marks([mark for mark in self.marks if mark.repository.source.place != row.entry.place])
            if self.repositories_pane.current is None:
                self.tags_pane.repository = None

    @on(RepositoriesPane.Entered)
    def _entered_repository(self) -> None:
        self._rested_on_repository()
        self.go("tags")
        self._find_layer()

    @on(TagsPane.Entered)
    def _entered_tag(self) -> None:
        self._show_tag()
        self.go("layers")

    @on(LayersPane.Entered)
    def _entered_layer(self) -> None:
        node = self.selection.node
        if node is not None and node.kind == "file" and not node.problem:
            self.action_run("look.view")
        else:
            self.go("details")

    @on(TagsPane.Left)
    @on(LayersPane.Left)
    def _left(self) -> None:
        self.go_by(-1)

    @on(TagsPane.Rested)
    def _show_tag(self) -> None:
        row = self.tags_pane.current
        if row is not None:
            self.tags_pane.read(row, chosen=True)
        state = self.tags_pane.state
        unread = state if row is None and state.kind in ("failed", "login", "absent") else None
        self.layers_pane.show(row, unread)
        selection = details_selection(self.tags_pane, self.layers_pane)
        self.details_pane.show(selection, row.problem if row else None, unread)
        self.refresh_bars()
        self._find_layer()

    def _find_layer(self) -> None:
        """Go on to the layer that was asked for, once its tag is under the cursor and read."""
        row = self.tags_pane.current
        if self._wanted is None or self.at != "tags" or row is None or row.modelkit is None:
            return
        place, name, target, layer = self._wanted
        if (row.repository.source.place, row.repository.name) != (place, name) or target not in (
            row.target,
            row.digest,
        ):
            if not self.tags_pane.looking:
                self._wanted = None  # It is not listed, or the user went elsewhere.
            return
        self._wanted = None
        self.layers_pane.show(row)
        self.layers_pane.point_at(layer)
        self.go("layers")

    @on(LayersPane.Rested)
    def _rested_on_layer(self) -> None:
        self.details_pane.look_at(details_selection(self.tags_pane, self.layers_pane))

    @on(TagsPane.Read)
    def _read(self, event: TagsPane.Read) -> None:
        if event.row is self.tags_pane.current:
            self._show_tag()

    @on(DetailsPane.Checked)
    def _checked(self) -> None:
        self.tags_pane.recheck()

    @on(TagsPane.Counted)
    def _counted(self, event: TagsPane.Counted) -> None:
        self.repositories_pane.count(event.repository, event.count)


def browse_of(context: Context) -> BrowseScreen:
    """The browse screen that a command was given."""
    if not isinstance(context.browser, BrowseScreen):
        raise TypeError("these commands belong to the browse screen")
    return context.browser

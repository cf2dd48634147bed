"""Where other parts of the interface plug in: one line per part.

Commands are `Command`s (kittui/tui/frame/commands.py). A tab is shown in the details pane after Kitfile and Manifest.
The layer hook gives the rows below a layer (its files); None leaves layers closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from kittui.tui.frame.selection import Node, Report, Selection

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.tui.frame.commands import Command
    from kittui.tui.frame.ports import Ports
    from kittui.tui.widgets.lines import Page


class LayerRows(Protocol):
    """The rows below layers."""

    async def rows(
        self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer, report: Report
    ) -> Sequence[Node]:
        """The rows of a layer that is opened for the first time; errors become a marked row."""
        ...

    async def judge(self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer) -> str:
        """A badge for a layer whose rows were read, empty for none; the rows' own badges are known then, too."""
        ...


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the details pane.

    `load` gives its page for the selection (lines of cleaned texts; kittui.tui.widgets.documents has helpers), and is
    cancelled when the cursor moves on. `enabled` says whether the tab has anything to say for it.
    """

    id: str
    title: str
    load: Callable[[Ports, Selection], Awaitable[Page]]
    enabled: Callable[[Selection], bool] = lambda selection: selection.is_tag


def commands() -> Sequence[Command]:
    """All commands of the browse screen, in the order of help and palette."""
    from kittui.tui.change.commands import COMMANDS as MOVE
    from kittui.tui.compare.commands import COMMANDS as COMPARE
    from kittui.tui.inspect.commands import COMMANDS as LOOK
    from kittui.tui.screens.browse_commands import COMMANDS

    return (*LOOK, *COMPARE, *MOVE, *COMMANDS)


def tabs() -> Sequence[Tab]:
    """The details pane's tabs behind the built-in ones."""
    from kittui.tui.inspect.commands import file_tab, has_modelkit, on_file, risk_tab

    return (
        Tab("history", "History", _history, lambda selection: selection.repository is not None),
        Tab("file", "File", file_tab, on_file),
        Tab("risk", "Risk", risk_tab, has_modelkit),
    )


def layer_rows() -> LayerRows | None:
    """What fills the rows below a layer."""
    return _Layers()


class _Layers:
    """Imports what reads files only when a layer is opened."""

    @cached_property
    def _tree(self) -> LayerRows:
        from kittui.tui.inspect.nodes import LayerTree

        return LayerTree()

    async def rows(
        self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer, report: Report
    ) -> Sequence[Node]:
        """The layer's files."""
        return await self._tree.rows(ports, repository, modelkit, layer, report)

    async def judge(self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer) -> str:
        """What its files could do when they are loaded."""
        return await self._tree.judge(ports, repository, modelkit, layer)


async def _history(ports: Ports, selection: Selection) -> Page:
    """Import the history only when it is looked at."""
    from kittui.tui.change.history_page import load_history

    return await load_history(ports, selection)

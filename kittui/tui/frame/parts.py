"""The parts that features add to the interface. kittui/tui/app.py lists the parts; nothing else imports a feature."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kittui.tui.frame.selection import Node, Report, Selection

if TYPE_CHECKING:
    from textual.binding import BindingType

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

    async def assess(self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer) -> str:
        """A badge for a layer whose rows were read, empty for none; the rows' own badges are known then, too."""
        ...


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the details pane.

    `load` gives its page for the selection (lines of cleaned texts; kittui.tui.widgets.documents has helpers), and is
    cancelled when the cursor moves on. `enabled` says whether the tab has anything to say for it, `rank`
    orders the tabs after Kitfile and Manifest.
    """

    id: str
    title: str
    load: Callable[[Ports, Selection], Awaitable[Page]]
    enabled: Callable[[Selection], bool] = lambda selection: selection.is_tag
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One feature of the interface: its commands, its tabs, and what it shows below a layer.

    `scopes` maps the first part of key ids (`viewer` of `viewer.save`) to the bindings of the screens that have them;
    they are asked for only when a key has to be found by its id, so that a screen is imported when it is needed.
    """

    commands: Sequence[Command] = ()
    tabs: Sequence[Tab] = ()
    layer_rows: LayerRows | None = None
    scopes: Mapping[str, Callable[[], Sequence[BindingType]]] = field(default_factory=dict)

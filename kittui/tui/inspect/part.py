"""The part of the interface that looks inside layers. File readers are imported on first use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from kittui.tui.frame.parts import LayerRows, Part, Tab
from kittui.tui.inspect.commands import COMMANDS, file_tab, has_modelkit, on_file, risk_tab

if TYPE_CHECKING:
    from textual.binding import BindingType

    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.tui.frame.ports import Ports
    from kittui.tui.frame.selection import Node, Report


class _Layers:
    @cached_property
    def _tree(self) -> LayerRows:
        from kittui.tui.inspect.nodes import LayerTree

        return LayerTree()

    async def rows(
        self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer, report: Report
    ) -> Sequence[Node]:
        """The layer's files."""
        return await self._tree.rows(ports, repository, modelkit, layer, report)

    async def assess(self, ports: Ports, repository: Repository, modelkit: ModelKit, layer: Layer) -> str:
        """What its files could do when they are loaded."""
        return await self._tree.assess(ports, repository, modelkit, layer)


def _viewer() -> Sequence[BindingType]:
    from kittui.tui.inspect.viewer import ViewerScreen

    return ViewerScreen.BINDINGS


PART = Part(
    COMMANDS,
    (Tab("file", "File", file_tab, on_file, 2), Tab("risk", "Risk", risk_tab, has_modelkit, 3)),
    _Layers(),
    {"viewer": _viewer},
)

"""What is selected, from where the cursors of the panes are."""

from __future__ import annotations

from dataclasses import replace

from kittui.tui.frame.selection import Mark, PaneName, Selection
from kittui.tui.panes.layers import LayersPane
from kittui.tui.panes.repositories import RepositoriesPane
from kittui.tui.panes.tag_rows import TagRow
from kittui.tui.panes.tags import TagsPane
from kittui.tui.panes.tree import RepositoryRow


def selection_at(
    pane: PaneName,
    repositories: RepositoriesPane,
    tags: TagsPane,
    layers: LayersPane,
    *,
    marks: tuple[Mark, ...],
    read_only: bool,
) -> Selection:
    """What a command works on where a pane has the keys."""
    if pane == "repositories" or tags.repository is None:
        row, place = repositories.current, repositories.place
        return Selection(
            pane,
            place=place.entry.place if place else None,
            source=place.source if place else None,
            repository=row.repository if isinstance(row, RepositoryRow) else None,
            marks=marks,
            read_only=read_only,
        )
    source = tags.repository.source
    found = Selection(pane, source.place, source, tags.repository, marks=marks, read_only=read_only)
    return _at_tag(found, tags.current, layers if pane == "layers" else None)


def details_selection(tags: TagsPane, layers: LayersPane) -> Selection:
    """What the details are about: the tag under the cursor, and the layer and file under theirs."""
    row = tags.current
    if row is None:
        return Selection("details")
    source = row.repository.source
    return _at_tag(Selection("details", source.place, source, row.repository), row, layers)


def _at_tag(found: Selection, row: TagRow | None, layers: LayersPane | None) -> Selection:
    """A selection in a repository with the tag, and with the row of `layers` where that shows this tag."""
    if row is None:
        return found
    below = layers if layers is not None and layers.tag is row else None
    return replace(
        found,
        target=row.target,
        digest=row.digest,
        modelkit=row.modelkit,
        layer=below.current_layer if below else None,
        node=below.current_node if below else None,
    )

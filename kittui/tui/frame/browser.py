"""The browse screen as features see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kittui.oci.tag import Tag
from kittui.oci.target import Target

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Repository
    from kittui.oci.reference import Place
    from kittui.tui.frame.selection import Mark, Selection


@runtime_checkable
class FollowsTags(Protocol):
    """A screen over the panes that shows what tags point to."""

    def tags_changed(self, repository: Repository | None) -> None:
        """Tags of a repository (of all, if None) were changed: read them again."""
        ...


class Browser(Protocol):
    """What features can call on the browse screen."""

    @property
    def where(self) -> tuple[str, ...]:
        """The header's path to what is selected, cleaned."""
        ...

    @property
    def repositories(self) -> Sequence[Repository]:
        """Every repository that was listed."""
        ...

    def refusal(self, command: str, selection: Selection | None = None) -> str:
        """Why a command does nothing for a selection (None: the panes'); empty if it does something."""
        ...

    def perform(self, command: str, selection: Selection, then: Callable[[], object]) -> None:
        """Run a command as its key would, on something selected elsewhere; `then` is called when it ends."""
        ...

    def open(self, place: Place, name: str, target: Target | None, layer: Digest | None = None) -> None:
        """Show a place, a repository in it, a tag or digest of that, a layer of it."""
        ...

    def tag_names(self, repository: Repository) -> Sequence[Tag] | None:
        """The tags of the repository if all of them are listed now, else None."""
        ...

    def known_digests(self, repository: Repository) -> Mapping[Tag, Digest]:
        """Digests of the repository's tags that were read already."""
        ...

    def reload(self, repository: Repository | None = None) -> None:
        """List the tags of the repository (of all, if None) again."""
        ...

    def relist(self, layer: Layer) -> None:
        """Show the rows below the layer again, with new facts."""
        ...

    def rebadge(self) -> None:
        """Show badges again."""
        ...

    def show_tab(self, tab: str, *, focus: bool = True) -> bool:
        """Turn the details pane to a tab; False if it has nothing to show."""
        ...

    @property
    def marked(self) -> int:
        """How many rows are marked."""
        ...

    def clear_marks(self, keep: Collection[Mark] = ()) -> None:
        """Forget all marks but a few."""
        ...

    def aside(self, command: str, text: str) -> None:
        """Show at the right end of the footer what runs in the background, with the key for details."""
        ...

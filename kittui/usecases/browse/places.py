"""Finding what a user names: which source, which repository, which tag or digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kittui.errors import AmbiguousReference, BadReference, ContentError, NotFound, StorageError
from kittui.oci.protocols import Repository, Source
from kittui.oci.reference import LOCAL, Place, Reference, parse_reference, parse_source, store_display

DEFAULT_TAG = "latest"


@dataclass(frozen=True, slots=True)
class Located:
    """A repository and what is asked for in it; `reference` has its place resolved, as a prefix says it."""

    repository: Repository
    target: str | None
    reference: Reference

    def __str__(self) -> str:
        return self.repository.reference(self.target)


class Places:
    """Opens each source once and finds references in them; `open_source` makes one, without asking it anything."""

    def __init__(self, open_source: Callable[[Place], Source], is_layout: Callable[[str], bool]) -> None:
        self._open_source = open_source
        self._is_layout = is_layout
        self._opened: dict[Place, Source] = {}

    def source(self, place: Place) -> Source:
        """The source of a place, the same one each time."""
        found = self._opened.get(place)
        if found is None:
            found = self._opened[place] = self._open_source(place)
        return found

    async def aclose(self) -> None:
        """Close every source that was opened."""
        while self._opened:
            await self._opened.popitem()[1].aclose()

    def parse(self, text: str) -> Reference:
        """A reference as its text says, nothing looked up; raises BadReference."""
        return parse_reference(text, self._is_layout)

    def parse_source(self, text: str) -> Place | Reference:
        """A source, or a reference in one; raises BadReference."""
        return parse_source(text, self._is_layout)

    def repository(self, reference: Reference) -> Repository:
        """The repository of a reference whose place is known (`kind`); without one, of its registry or the store."""
        place = reference.place
        source = self.source(place)
        return source.repository(store_display(reference.store_name) if place == LOCAL else reference.repository)

    async def locate(self, text: str, *, changing: bool = False, default: str | None = DEFAULT_TAG) -> Located:
        """Find what a user typed; `default` is the tag meant where none is written, None for a whole repository.

        Reading without a prefix looks in the store first, then in the registry that the text names. `changing`: never
        guess; raises AmbiguousReference where the text names a registry and is in the store too. Raises BadReference,
        and NotFound for what is in the store only by its form and isn't there.
        """
        reference = self.parse(text)
        target = reference.target or default
        if reference.kind is None:
            reference = await self._decide(reference, target, text, changing)
        return Located(self.repository(reference), target, reference)

    async def _decide(self, reference: Reference, target: str | None, text: str, changing: bool) -> Reference:
        local = reference.in_kind("local")
        if not reference.names_host:
            if not changing and not await self._in_store(local, target):
                raise _nowhere(local, target, text)
            return local
        remote = reference.in_kind("remote")
        held = await self._in_store(local, target)
        if held and changing:
            raise AmbiguousReference(
                f"{text} is in the local store and also names a registry",
                hint=f"Write local://{text} or remote://{text}.",
                reference=text,
            )
        return local if held else remote

    async def _in_store(self, local: Reference, target: str | None) -> bool:
        """Whether the store has it. A store that can't be read has nothing, where a registry can be asked instead."""
        repository = self.repository(local)
        try:
            if target is not None:
                await repository.resolve(target)
                return True
            async for page in repository.tags():
                if page:
                    return True
        except (NotFound, BadReference):
            return False
        except (StorageError, ContentError):
            if local.registry and not local.in_kind("local").store_name.startswith("localhost/"):
                return False
            raise
        return False


def _nowhere(local: Reference, target: str | None, text: str) -> NotFound:
    name = store_display(local.store_name)
    if target is None:
        return NotFound(
            f"there is no repository {name} in the local store",
            hint="`kittui ls local://` lists what is there; a repository in a registry is written HOST/REPO.",
            reference=text,
        )
    return NotFound(
        f"there is no {target} of {name} in the local store",
        hint=f"`kittui ls local://{name}` lists its tags; a ModelKit in a registry is written HOST/REPO:TAG.",
        reference=text,
    )

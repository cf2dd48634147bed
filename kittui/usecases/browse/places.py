"""Finding what a user names: which source, which repository, which tag or digest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import humanize

from kittui.errors import BadReference, KittuiError, NetworkError, NotFound
from kittui.oci.protocols import Repository, Source, SupportsLogin, SupportsOnly
from kittui.oci.reference import LOCAL, Place, Reference, parse_reference, parse_source, store_display
from kittui.oci.tag import Tag
from kittui.oci.target import Target

DEFAULT_TAG = Tag("latest")


@dataclass(frozen=True, slots=True)
class Located:
    """A repository and the tag or digest in it; `reference` has its place resolved, as with a prefix."""

    repository: Repository
    target: Target | None
    reference: Reference

    def __str__(self) -> str:
        return self.repository.reference(self.target)


class Places:
    """Opens each source once and finds references in them; `open_source` creates one without contacting it."""

    def __init__(
        self, open_source: Callable[[Place], Source], is_layout: Callable[[str], bool], *, offline: bool = False
    ) -> None:
        """`offline`: contact no registry; look up its references in the store."""
        self._open_source = open_source
        self._is_layout = is_layout
        self._offline = offline
        self.located: list[Located] = []
        self._opened: dict[Place, Source] = {}

    def source(self, place: Place) -> Source:
        """The source of a place, the same one each time; raises NetworkError for a registry when offline."""
        if self._offline and place.kind == "remote":
            raise NetworkError(
                f"{place.host} was not contacted: kittui is offline",
                hint="`kittui ls local://` lists the local store. To contact the registry, leave out --offline.",
                reference=str(place),
            )
        found = self._opened.get(place)
        if found is None:
            found = self._opened[place] = self._open_source(place)
        return found

    def forget_logins(self) -> None:
        """Look up every source's credentials anew after a login or logout: a registry may have several names."""
        for source in self._opened.values():
            if isinstance(source, SupportsLogin):
                source.forget_login()

    async def aclose(self) -> None:
        """Close every source that was opened."""
        while self._opened:
            await self._opened.popitem()[1].aclose()

    def parse(self, text: str) -> Reference:
        """Parse a reference without looking anything up; raises BadReference."""
        with self._path_named(text):
            return parse_reference(text, self._is_layout)

    def parse_source(self, text: str) -> Place | Reference:
        """Parse a source, or a reference in one; raises BadReference."""
        with self._path_named(text):
            return parse_source(text, self._is_layout)

    @contextmanager
    def _path_named(self, text: str) -> Iterator[None]:
        """Explain how to write a folder that was given as a plain path."""
        try:
            yield
        except BadReference as error:
            if text.startswith(("/", "./", "../", "~")) and self._is_layout(text):
                raise BadReference(
                    f"{text} is a folder, and a reference was expected",
                    hint=f"It is an OCI layout: write oci:{text}.",
                    reference=text,
                ) from error
            raise

    def repository(self, reference: Reference) -> Repository:
        """The repository of a reference whose place is known (`kind`); without one, of its registry or the store."""
        place = reference.place
        source = self.source(place)
        return source.repository(store_display(reference.store_name) if place == LOCAL else reference.repository)

    async def locate(self, text: str, *, changing: bool = False, default: Tag | None = DEFAULT_TAG) -> Located:
        """Find what a user typed; `default` is the tag to use if none is given, None for a whole repository.

        A reference with a host is in that registry, one without in the local store. Raises BadReference, and NotFound
        if one without a host isn't in the store, unless it is about to be created (`changing`).
        """
        reference = self.parse(text)
        target: Target | None = reference.target or default
        prefixed = reference.kind is not None
        if not prefixed:
            reference = reference.in_kind("remote" if reference.names_host else "local")
        if self._offline and reference.kind == "remote":
            reference, prefixed = reference.in_kind("local"), False
        repository = self.repository(reference)
        if default is not None and reference.target is None and not changing and isinstance(repository, SupportsOnly):
            target = await repository.only() or default
        located = Located(repository, target, reference)
        self.located.append(located)
        if reference.kind == "local" and not prefixed and not changing and not await _is_there(located):
            error = _nowhere(reference, target, text)
            if self._is_layout(text):
                error.hint = f"The folder {text} is an OCI layout: write oci:{text}."
            raise error
        return located

    async def copy_of(self, repository: Repository, target: Target | None) -> str:
        """A sentence about the store's copy of a registry's tag or repository, empty without one."""
        place = repository.source.place
        if repository.source.traits.free:
            return ""
        held = self.source(LOCAL).repository(f"{place.host}/{repository.name}")
        try:
            found = (
                [await held.resolve(target)]
                if target is not None
                else [entry.descriptor async for page in held.tags() for entry in page if entry.descriptor]
            )
            if not found or held.files is None:
                return ""
            paths = [held.files.path(each.digest) for each in found]
            newest = await asyncio.to_thread(lambda: max(path.stat().st_mtime for path in paths))
        except (KittuiError, OSError):
            return ""
        age = humanize.naturaldelta(time.time() - newest)
        return f"The local store has a copy, stored {age} ago: {held.reference(target)}, or the same with --offline."


async def _is_there(located: Located) -> bool:
    try:
        if located.target is not None:
            await located.repository.resolve(located.target)
            return True
        async for page in located.repository.tags():
            if page:
                return True
    except (NotFound, BadReference):
        return False
    return False


def _nowhere(local: Reference, target: Target | None, text: str) -> NotFound:
    name = store_display(local.store_name)
    if target is None:
        return NotFound(
            f"there is no repository {name} in the local store",
            hint="`kittui ls local://` lists its repositories; a repository in a registry is written HOST/REPO.",
            reference=text,
        )
    return NotFound(
        f"there is no {target} of {name} in the local store",
        hint=f"`kittui ls local://{name}` lists its tags; a ModelKit in a registry is written HOST/REPO:TAG.",
        reference=text,
    )

"""Resolves command-line arguments to repositories: sources, namespaces, repositories, saved sets."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.cli.compose import Composition
from kittui.errors import KittuiError, UsageError
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.reference import Place, Reference
from kittui.usecases.browse.modelkits import repositories
from kittui.usecases.find import Place as SearchPlace


async def repositories_of(composition: Composition, words: Sequence[str]) -> tuple[list[Repository], list[KittuiError]]:
    """The repositories that the arguments name, each once, and what could not be listed.

    An argument is a source (HOST, local://, oci:DIR), a namespace (HOST/TEAM/, oci:DIR/TEAM/), a repository, or a set
    from `boards` of the configuration. Without any: the favourites, else all configured sources.
    """
    boards = composition.config.boards
    named = [text for word in words for text in boards.get(word, (word,))]
    found: dict[str, Repository] = {}
    problems: list[KittuiError] = []
    places: list[tuple[Place, str]] = []
    for text in named or composition.config.favourites:
        parsed, prefix = _place_of(composition, text)
        if isinstance(parsed, Place):
            places.append((parsed, prefix))
        elif parsed.digest:
            raise UsageError(f"{text} is a ModelKit; this works on repositories", hint="Leave the digest out.")
        else:
            repository = composition.places.repository(parsed.at(None))
            found[repository.reference()] = repository
    if not named and not composition.config.favourites:
        places = [(place, "") for place in composition.configured()]
    for place, prefix in places:
        source = composition.places.source(place)
        known = composition.config.registry(place.host).repositories if place.host else ()
        names = list(known)
        try:
            async for page in repositories(source):
                names += [entry.name for entry in page]
        except Incomplete as error:
            problems.append(error.at(str(place)))
        except KittuiError as error:
            if not names:
                problems.append(error.at(str(place)))
        for name in names:
            if name.startswith(prefix):
                repository = source.repository(name)
                found.setdefault(repository.reference(), repository)
    return list(found.values()), problems


def _place_of(composition: Composition, text: str) -> tuple[Place | Reference, str]:
    """What an argument names, and its namespace: `HOST/TEAM/` and `oci:DIR/TEAM/` are namespaces of a whole place."""
    parse = composition.places.parse_source
    if not text.endswith("/") or text.endswith("//"):
        return parse(text), ""
    if text.startswith(("oci:", "ocidir:")):
        parsed = parse(text.rstrip("/"))
        if isinstance(parsed, Place) or parsed.target:
            return parsed, ""
        return Place("oci", directory=parsed.directory), f"{parsed.repository}/"
    host, _, prefix = text.rstrip("/").removeprefix("remote://").partition("/")
    return parse(host), f"{prefix}/" if prefix else ""


async def places_to_search(composition: Composition, sources: Sequence[str]) -> list[SearchPlace]:
    """Where `find` searches: the given sources, repositories or ModelKits, else all configured sources."""
    if not sources:
        return [_whole(composition, place) for place in composition.configured()]
    found = []
    for text in sources:
        parsed = composition.places.parse_source(text)
        if isinstance(parsed, Place):
            found.append(_whole(composition, parsed))
        else:
            located = await composition.places.locate(text, default=None)
            repository = located.repository
            found.append(SearchPlace(repository.source, repository.name, located.target))
    return found


def _whole(composition: Composition, place: Place) -> SearchPlace:
    named = composition.config.registry(place.host).repositories if place.kind == "remote" else ()
    return SearchPlace(composition.places.source(place), repositories=tuple(named))

"""The use cases of a composition as the interface's ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kittui.cli.compose import Composition
from kittui.cli.kept import KeptByInterface
from kittui.cli.logins import Logins
from kittui.cli.terminals import has_many_colours, shows_utf8
from kittui.config.values import REFRESH, SIXTEEN, THEMES
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository, Source
from kittui.oci.reference import LOCAL, Place, store_display
from kittui.oci.target import Target
from kittui.tui.frame.ports import PlaceEntry, Ports, Settings, TrustPorts, UpkeepPorts
from kittui.usecases.browse.modelkits import repositories, tags
from kittui.usecases.browse.showing import Attachments, attachments
from kittui.usecases.inspect.programs import programs_of
from kittui.usecases.login import login, logout

if TYPE_CHECKING:
    from kittui.compare.review import Review
    from kittui.errors import KittuiError
    from kittui.modelkit import ModelKit
    from kittui.usecases.doctor import Check
    from kittui.usecases.find import Finder, Progress
    from kittui.usecases.find import Place as SearchPlace
    from kittui.usecases.trust.verify import Verification


async def build_ports(composition: Composition) -> Ports:
    """The use cases as the interface's ports. Contacts no source."""
    config = composition.config
    kept = KeptByInterface(composition.state_dir)
    favourites, sizes = await asyncio.to_thread(lambda: (kept.favourites(), kept.sizes()))

    async def source(place: Place) -> Source:
        return composition.places.source(place)

    async def held(descriptors: Iterable[Descriptor]) -> frozenset[Digest]:
        digests = {descriptor.digest for descriptor in descriptors}
        blobs = composition.local().blobs
        return await asyncio.to_thread(lambda: frozenset(digest for digest in digests if blobs.path(digest).exists()))

    async def log_in(host: str, username: str, password: str) -> str:
        composition.policy.check_write(host)
        done = await login(Logins(composition), host, username, password)
        composition.places.forget_logins()
        return f"Logged in to {done.host}; kept in {done.kept}."

    async def log_out(host: str) -> str:
        composition.policy.check_write(host)
        where = await logout(Logins(composition), host)
        composition.places.forget_logins()
        return f"Logged out of {host}: removed from {where}."

    async def signatures(repository: Repository, digest: Digest) -> Attachments:
        return await attachments(repository, digest)

    async def save_favourites(now: Sequence[str]) -> None:
        await asyncio.to_thread(kept.save_favourites, now)

    async def save_sizes(now: Mapping[str, int]) -> None:
        await asyncio.to_thread(kept.save_sizes, now)

    def locate(text: str) -> tuple[Place, str, Target | None]:
        found = composition.places.parse_source(text)
        if isinstance(found, Place):
            return found, "", None
        place = found.place
        name = store_display(found.store_name) if place == LOCAL else found.repository
        return place, name, found.target

    async def find(text: str) -> tuple[Place, str, Target | None]:
        return locate(await named_of(composition, text))

    def yaml_of(kit: ModelKit) -> str:
        from kittui.modelkit import kitfile_yaml
        from kittui.usecases.browse.exact import exact_kitfile

        return kitfile_yaml(exact_kitfile(kit), exact=True)

    async def statements(repository: Repository, digest: Digest, tags: Collection[str] | None) -> Verification:
        return await composition.evidence.statements(repository, digest, tags)

    async def named(words: Sequence[str]) -> tuple[list[Repository], list[KittuiError]]:
        from kittui.cli.sources import repositories_of

        return await repositories_of(composition, words)

    def known(repository: Repository, digest: Digest) -> Verification | None:
        # Showing a list must not import the code that checks signatures.
        asked = "evidence" in composition.__dict__
        return composition.evidence.known(repository, digest) if asked else None

    def forget(repository: Repository | None) -> None:
        composition.modelkits.forget(repository)
        if "evidence" in composition.__dict__:
            composition.evidence.forget(repository)

    async def review(before: Digest, after: Digest) -> Review:
        return await composition.evidence.review(before, after)

    trust = TrustPorts(
        statements=statements,
        review=review,
        known=known,
        history=composition.history,
        board=composition.board,
        named=named,
        signer=composition.signer,
        signing_key=config.signing_key,
        sets=tuple(config.boards),
    )

    def finder(report: Callable[[Progress], None]) -> Finder:
        from kittui.usecases.find import Finder

        return Finder(composition.modelkits, composition.change_tools.inspector, report)

    async def places(words: Sequence[str]) -> list[SearchPlace]:
        from kittui.cli.sources import places_to_search

        return await places_to_search(composition, words)

    async def examine(registries: Sequence[Place], verify: bool) -> AsyncIterator[tuple[str, Check]]:
        from kittui.cli.checking import examine, this_terminal

        async for found in examine(composition, this_terminal(composition, tty=True), registries, verify=verify):
            yield found

    async def repair() -> list[str]:
        from kittui.store.repair import repair_store

        return [f"{one.subject}: {one.done}" for one in (await repair_store(composition.store_root)).repairs]

    upkeep = UpkeepPorts(
        finder, places, examine, repair, lambda where: composition.policy.check_write(where), composition.cleaner
    )
    plain = config.theme == THEMES[0] and not has_many_colours(composition.environ)
    theme = SIXTEEN if plain else config.theme
    return Ports(
        places=tuple(_entry(composition, place) for place in composition.configured()),
        source=source,
        repositories=repositories,
        tags=tags,
        modelkit=composition.modelkits.open,
        manifest=composition.modelkits.manifest,
        cached=composition.modelkits.cached,
        forget=forget,
        held=held,
        login=log_in,
        logout=log_out,
        locate=locate,
        find=find,
        kitfile_yaml=yaml_of,
        signatures=signatures,
        save_favourites=save_favourites,
        save_sizes=save_sizes,
        inspector=lambda: composition.change_tools.inspector,
        change_tools=lambda: composition.change_tools,
        differ=composition.differ,
        trust=trust,
        upkeep=upkeep,
        settings=Settings(
            theme=theme,
            mouse=config.mouse,
            reduced_motion=config.reduced_motion,
            ascii_marks=config.ascii or not shows_utf8(composition.environ),
            read_only=config.read_only,
            favourites=config.favourites if favourites is None else favourites,
            keymap=config.keymap,
            keymap_places=config.keymap_places,
            stages=config.stages,
            lifecycle=config.moves,
            concurrency=config.concurrency,
            refresh=max(config.refresh, REFRESH) if config.refresh else 0,
            columns=config.columns,
            sizes=sizes,
            problems=tuple(map(str, composition.problems)),
            programs=programs_of(composition.environ, config.difftool),
        ),
    )


def _entry(composition: Composition, place: Place) -> PlaceEntry:
    registry = composition.config.registry(place.host)
    return PlaceEntry(place, registry.name, registry.repositories) if place.kind == "remote" else PlaceEntry(place)


async def named_of(composition: Composition, start: str) -> str:
    """What the user named, resolved to a place as in the reading commands."""
    found = composition.places.parse_source(start)
    if isinstance(found, Place):
        return str(found)
    if found.kind is not None:
        return start
    located = await composition.places.locate(start, default=None)
    return str(located.reference)

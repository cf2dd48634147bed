"""Connects the composition to the interface: use cases become its ports."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kittui.cli.compose import Composition
from kittui.cli.logins import Logins
from kittui.cli.run import Call
from kittui.cli.terminals import has_many_colours, shows_utf8
from kittui.config.values import REFRESH, SIXTEEN, THEMES
from kittui.errors import CredentialError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository, RepositoryEntry, Source
from kittui.oci.reference import LOCAL, Place, Reference, store_display
from kittui.oci.target import Target
from kittui.terminal import clean
from kittui.tui.frame.ports import PlaceEntry, Ports, Settings, TrustPorts, UpkeepPorts
from kittui.usecases.browse.modelkits import repositories, tags
from kittui.usecases.browse.showing import Attachments, attachments
from kittui.usecases.inspect.programs import programs_of
from kittui.usecases.login import login, logout

if TYPE_CHECKING:
    from kittui.compare.review import Review
    from kittui.errors import KittuiError
    from kittui.modelkit import ModelKit
    from kittui.tui.app import KittuiApp
    from kittui.usecases.doctor import Check
    from kittui.usecases.find import Finder, Progress
    from kittui.usecases.find import Place as SearchPlace
    from kittui.usecases.trust.verify import Verification

_FAVOURITES: Final = "favourites.json"
_SIZES: Final = "panes.json"
_KEPT_LIMIT: Final = 1024 * 1024


async def open_interface(call: Call, start: str | None) -> int:
    """Open the interface on what the user named, and return its exit status.

    Raises BadReference, and NotFound for a ModelKit that could only be in the local store and isn't.
    """
    named = None if start is None else await _found(call.composition, start)
    return await run_interface(call.composition, named)


async def run_interface(
    composition: Composition, start: str | None, places: Sequence[PlaceEntry] = (), welcome: str = ""
) -> int:
    """Run the interface until it exits; `places` replace the configured ones, `welcome` is shown first."""
    ports = await build_ports(composition)
    if places:
        ports = replace(ports, places=tuple(places), settings=replace(ports.settings, welcome=welcome))
    else:
        ports = replace(ports, repositories=read_ahead(composition))
        if start is not None:
            ports = replace(ports, places=_with_start(composition, ports.places, start))
    # Most objects of the start-up stay alive: collecting garbage among them only delays the first screen.
    gc.disable()
    # In a thread, so that the store is read meanwhile.
    await asyncio.to_thread(importlib.import_module, "kittui.tui.app")
    from kittui.tui.app import KittuiApp
    from kittui.tui.inspect.pictures import prepare

    prepare(os.environ)
    app = KittuiApp(ports, start, on_begin=_collect_garbage)
    _listen(composition, app)
    await app.run_async(mouse=composition.config.mouse)
    # An interface that ended without quitting has no exit status.
    return 1 if app.return_code is None else app.return_code


def _collect_garbage() -> None:
    """Collect garbage from here on, except among the start-up's objects."""
    gc.freeze()
    gc.enable()


def read_ahead(composition: Composition) -> Callable[[Source], AsyncIterator[Sequence[RepositoryEntry]]]:
    """Begin to list the local store; returns the listing use case, which gives this listing to its first caller."""
    source = composition.places.source(LOCAL)

    async def whole() -> list[Sequence[RepositoryEntry]]:
        return [page async for page in repositories(source)]

    begun = asyncio.create_task(whole())
    # The error is raised for whoever consumes the listing; mark it as retrieved in case nobody does.
    begun.add_done_callback(lambda task: task.cancelled() or task.exception())
    ahead: asyncio.Task[list[Sequence[RepositoryEntry]]] | None = begun

    async def listed(asked: Source) -> AsyncIterator[Sequence[RepositoryEntry]]:
        nonlocal ahead
        if asked is not source or ahead is None:
            async for page in repositories(asked):
                yield page
            return
        task, ahead = ahead, None
        for page in await task:
            yield page

    return listed


async def _found(composition: Composition, start: str) -> str:
    """What the user named, resolved to a place as in the reading commands."""
    found = composition.places.parse_source(start)
    if isinstance(found, Place):
        return str(found)
    if found.kind is not None:
        return start
    located = await composition.places.locate(start, default=None)
    return str(located.reference)


def _with_start(composition: Composition, places: Sequence[PlaceEntry], start: str) -> tuple[PlaceEntry, ...]:
    """The places, plus the named one if it is missing."""
    place = _place(composition.places.parse_source(start))
    known = any(entry.place == place for entry in places)
    return tuple(places) if known else (*places, PlaceEntry(place))


def _place(found: Place | Reference) -> Place:
    return found if isinstance(found, Place) else found.place


def _listen(composition: Composition, app: KittuiApp) -> None:
    """Warnings and waits are shown in the interface instead of on stderr."""

    def warn(text: str) -> None:
        app.notify(clean(text), severity="warning", markup=False)

    async def secret(question: str) -> str:
        from kittui.tui.dialogs.prompt import InputDialog

        words = (clean(question), "It is kept in memory until kittui exits, and never written to disk.")
        typed = await app.ask(InputDialog("Passphrase", words, password=True))
        if typed is None:
            raise CredentialError("no passphrase was given", hint="Nothing was signed with the key.")
        return typed

    composition.on_warning = composition.on_message = warn
    composition.ask_secret = secret
    composition.on_wait = lambda wait: app.waits_for(wait.host, str(wait))
    composition.on_waited = app.waited_for


async def build_ports(composition: Composition) -> Ports:
    """The use cases as the interface's ports. Contacts no source."""
    config = composition.config
    favourites, sizes = await asyncio.to_thread(
        lambda: (_read_favourites(composition.state_dir / _FAVOURITES), _read_sizes(composition.state_dir / _SIZES))
    )

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

    async def save(kept: Sequence[str]) -> None:
        await asyncio.to_thread(_write_kept, composition.state_dir / _FAVOURITES, list(kept), "favourites")

    async def save_sizes(kept: Mapping[str, int]) -> None:
        await asyncio.to_thread(_write_kept, composition.state_dir / _SIZES, dict(kept), "pane sizes")

    def locate(text: str) -> tuple[Place, str, Target | None]:
        found = composition.places.parse_source(text)
        if isinstance(found, Place):
            return found, "", None
        place = found.place
        name = store_display(found.store_name) if place == LOCAL else found.repository
        return place, name, found.target

    async def find(text: str) -> tuple[Place, str, Target | None]:
        return locate(await _found(composition, text))

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
        save_favourites=save,
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


def _read_favourites(path: Path) -> tuple[str, ...] | None:
    """The favourites as last saved; None if they never were."""
    kept = _read_kept(path)
    return tuple(one for one in kept if isinstance(one, str)) if isinstance(kept, list) else None


def _read_sizes(path: Path) -> dict[str, int]:
    """The sizes of panes as last saved."""
    kept = _read_kept(path)
    if not isinstance(kept, dict):
        return {}
    return {name: size for name, size in kept.items() if isinstance(size, int) and not isinstance(size, bool)}


def _read_kept(path: Path) -> object:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_KEPT_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None


def _write_kept(path: Path, kept: object, point: str) -> None:
    from kittui.disk.durable import make_folder, replace_file

    make_folder(path.parent)
    replace_file(path, json.dumps(kept, indent=1).encode(), temporary=path.parent, point=point)

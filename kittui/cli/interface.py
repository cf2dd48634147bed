"""Opens the interface on a composition."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kittui.cli.compose import Composition
from kittui.cli.ports import build_ports, named_of
from kittui.cli.run import Call
from kittui.errors import CredentialError
from kittui.oci.protocols import RepositoryEntry, Source
from kittui.oci.reference import LOCAL, Place, Reference
from kittui.terminal import clean
from kittui.tui.frame.ports import PlaceEntry
from kittui.usecases.browse.modelkits import repositories

if TYPE_CHECKING:
    from kittui.tui.app import KittuiApp


async def open_interface(call: Call, start: str | None) -> int:
    """Open the interface on what the user named, and return its exit status.

    Raises BadReference, and NotFound for a ModelKit that could only be in the local store and isn't.
    """
    named = None if start is None else await named_of(call.composition, start)
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

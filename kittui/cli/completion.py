"""Completion of references in the shell: from the store, the configuration and the caches, never over the network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from kittui.terminal import clean

if TYPE_CHECKING:
    from kittui.cli.compose import Composition

LIMIT: Final = 200
"""The most candidates given to the shell."""


@add_completion_class
class WholeWords(BashComplete):
    """Completion for bash that does not split a reference at its colons."""

    source_template = BashComplete.source_template.replace(
        "%(complete_func)s_setup() {", "%(complete_func)s_setup() {\n    COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}"
    )


def complete(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """References that begin with a word; none if anything fails, because a shell shows no errors."""
    try:
        found = asyncio.run(_known(ctx, incomplete))
    except Exception:  # noqa: BLE001 - nobody reads a traceback at a prompt
        return []
    return [CompletionItem(text) for text in sorted(found)[:LIMIT] if clean(text) == text and " " not in text]


async def _known(ctx: click.Context, incomplete: str) -> set[str]:
    from kittui.cli.compose import Composition
    from kittui.config import Flags
    from kittui.disk.paths import typed_path

    said: dict[str, Any] = {}
    at: click.Context | None = ctx
    while at is not None:
        said = {**at.params, **said}
        at = at.parent
    config = typed_path(str(said["config"])) if said.get("config") else None
    async with Composition(Flags(store=said.get("store"), config=config)) as composition:
        names = _named(composition)
        names |= await _held(composition, incomplete)
    return {name for name in names if name.startswith(incomplete)}


def _named(composition: Composition) -> set[str]:
    """What the configuration names, and the tags that were read before."""
    from kittui.state.cache import DiskCache

    config = composition.config
    names = {"local://", *config.favourites, *DiskCache(composition.cache_dir).tags()}
    for registry in config.registries:
        names |= {registry.host, *(f"{registry.host}/{name}" for name in registry.repositories)}
    return names | {f"oci:{directory}" for directory in config.layouts}


async def _held(composition: Composition, incomplete: str) -> set[str]:
    """Repositories and tags of the store, and of the layout that the word points into, one level down."""
    from kittui.errors import KittuiError
    from kittui.oci.reference import LOCAL, Place

    names: set[str] = set()
    places = [LOCAL]
    places += [Place("oci", directory=directory) for directory in composition.config.layouts]
    for place in places:
        prefix = "" if place == LOCAL else f"{place}/"
        if not (incomplete.startswith(prefix) or place == LOCAL):
            continue
        source = composition.places.source(place)
        word = incomplete.removeprefix("local://") if place == LOCAL else incomplete.removeprefix(prefix)
        shown = "local://" if incomplete.startswith("local://") else prefix
        try:
            async for page in source.repositories():
                for entry in page:
                    names.add(shown + entry.name)
                    if not word.startswith(f"{entry.name}:"):
                        continue
                    async for tags in source.repository(entry.name).tags():
                        names |= {f"{shown}{entry.name}:{tag.name}" for tag in tags if tag.name}
        except KittuiError:
            continue
    return names

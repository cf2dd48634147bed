"""Reads what tags point to, before and after they are moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from kittui.errors import KittuiError, NotFound
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Power, Repository, SupportsUntagProbe
from kittui.oci.tag import Tag
from kittui.terminal import some_of
from kittui.usecases.change.plan import TagChange

LAG = (0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds between checks of a tag that still shows its old digest after an accepted PUT."""


async def manifest_at(repository: Repository, tag: Tag) -> Manifest | None:
    """The manifest that a tag points to, None if the tag does not exist."""
    try:
        return await repository.manifest(tag)
    except NotFound:
        return None


async def untag_power(repository: Repository) -> Power:
    """Whether a tag can be removed alone: if known, else probed if that is possible without removing anything."""
    power = repository.source.capabilities.untag
    if power.state == "unknown" and isinstance(repository, SupportsUntagProbe):
        return await repository.probe_untag()
    return power


async def irreversible_notes(repository: Repository, changes: Sequence[TagChange], instead: str) -> tuple[str, ...]:
    """The notes for a plan that creates tags that can't be removed alone; `instead` is the alternative to undo."""
    created = [change.tag for change in changes if change.before is None]
    if not created:
        return ()
    try:
        power = await untag_power(repository)
    except KittuiError:
        return ()
    if not power.denied:
        return ()
    new = f"{some_of(created)} {'is' if len(created) == 1 else 'are'} new"
    return (f"undo will not be possible: {new}, and {power.reason}; instead: {instead}",)


async def digest_at(repository: Repository, tag: Tag) -> Digest | None:
    """The digest that a tag points to, None if the tag does not exist."""
    try:
        return (await repository.resolve(tag)).digest
    except NotFound:
        return None


async def exists(repository: Repository, digest: Digest) -> bool:
    """Whether a manifest exists."""
    try:
        await repository.resolve(digest)
    except NotFound:
        return False
    return True


async def is_at(repository: Repository, tag: Tag, current: Digest | None, expected: str | None) -> bool:
    """Whether a tag points to this digest; compares bytes if the hash algorithms differ."""
    if current == expected or current is None or expected is None:
        return current == expected
    wanted = Digest(expected)
    if wanted.algorithm == current.algorithm:
        return False
    found = await manifest_at(repository, tag)
    return found is not None and Digest.of(found.raw, wanted.algorithm) == wanted


async def look_at(repository: Repository, tag: Tag, enough: Callable[[Digest | None], bool]) -> Digest | None:
    """A tag's digest, read again for a few seconds until it satisfies the caller."""
    current = await digest_at(repository, tag)
    for pause in LAG:
        if enough(current):
            break
        await asyncio.sleep(pause)
        current = await digest_at(repository, tag)
    return current

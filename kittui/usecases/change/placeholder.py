"""Untags with a placeholder in registries that delete by digest only.

The tag is moved to a unique manifest, and that manifest is deleted, so the digest's other tags stay.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from kittui.crashpoints import crash_point
from kittui.errors import Interrupted, KittuiError, NetworkError, NotFound, RegistryError
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_EMPTY, OCI_MANIFEST
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.state.journal import Journal
from kittui.usecases.change.plan import TagChange
from kittui.usecases.change.readings import exists, manifest_at

_MARK = "io.kittui.placeholder"
"""Marks a placeholder, so that an interrupted removal can be finished by deleting it."""
_CONFIG = b"{}"
"""The content of OCI's empty descriptor (image-spec, manifest.md), used as a placeholder's config."""
_DESCRIPTOR = Descriptor(OCI_EMPTY, Digest.of(_CONFIG), len(_CONFIG))
PUTTING_BACK = 2.0
"""Seconds allowed for restoring a tag that can't be removed."""


def is_placeholder(manifest: Manifest) -> bool:
    """Whether a manifest is kittui's placeholder for another."""
    return _MARK in manifest.annotations


async def prepare_displacing(repository: Repository) -> None:
    """Upload the placeholder's config early, so that nothing delays the move after the last check of a tag."""
    if not await repository.has_blob(_DESCRIPTOR):
        await repository.put_blob(_DESCRIPTOR, BytesContent(_CONFIG))
        crash_point("remove.after-config")


async def displace(repository: Repository, change: TagChange) -> None:
    """Point the tag at a placeholder and delete that; if it can't be deleted, restore the tag."""
    before = change.before
    if before is not None and is_placeholder(before):
        with suppress(NotFound):
            await repository.delete(before.digest)
        return
    raw = _raw()
    digest = Digest.of(raw)
    crash_point("remove.before-placeholder")
    try:
        await repository.put_manifest(raw, OCI_MANIFEST, change.tag)
        crash_point("remove.after-placeholder")
        try:
            await repository.delete(digest)
        except KittuiError as error:
            if not await _is_gone(repository, digest):
                await _put_back(repository, change, error)
                raise
    except asyncio.CancelledError as stopped:
        await _put_back(repository, change, stopped)
        raise Interrupted(f"{change.tag} was restored") from None
    crash_point("remove.after-placeholder-delete")


async def _put_back(repository: Repository, change: TagChange, why: KittuiError | asyncio.CancelledError) -> None:
    """Restore a tag from its placeholder.

    If that fails too, the tag's state is unknown: the journal keeps the removal open, so that undo and the
    same removal again find the placeholder.
    """
    if change.before is None:
        return
    try:
        async with asyncio.timeout(PUTTING_BACK):
            await repository.put_manifest(change.before.raw, change.before.media_type, change.tag)
            crash_point("remove.after-put-back")
    except (KittuiError, TimeoutError):
        if isinstance(why, NetworkError | asyncio.CancelledError):
            raise why from None
        raise RegistryError(
            f"{change.tag} points to a placeholder that can't be deleted ({why}), and the tag could not be restored",
            hint=f"Restore it with: kittui undo {repository.reference()}.",
            reference=repository.reference(change.tag),
        ) from why


async def _is_gone(repository: Repository, digest: Digest) -> bool:
    try:
        return not await exists(repository, digest)
    except KittuiError:
        return False


async def is_on_placeholder(repository: Repository, tag: Tag) -> bool:
    """Whether a tag points to a placeholder."""
    manifest = await manifest_at(repository, tag)
    return manifest is not None and is_placeholder(manifest)


async def delete_leftover_placeholders(
    repository: Repository, journal: Journal, changes: Sequence[TagChange]
) -> tuple[TagChange, ...]:
    """Delete the placeholders that an earlier run left under the tags to remove.

    Returns the changes with what those tags pointed to before.
    """
    result: list[TagChange] = []
    for change in changes:
        if change.before is not None and is_placeholder(change.before):
            displaced = await asyncio.to_thread(_displaced, journal, repository.reference(), change.tag)
            if displaced is not None:
                with suppress(NotFound):
                    await repository.delete(change.before.digest)
                change = replace(change, before=displaced)
        result.append(change)
    return tuple(result)


def _displaced(journal: Journal, reference: str, tag: Tag) -> Manifest | None:
    """The digest that an open removal took a tag from. Blocks."""
    for entry in journal.entries(reference):
        if entry.state != "open" or entry.action != "remove":
            continue
        for step in entry.steps:
            if step.tag == tag and step.state == "started" and step.before is not None:
                return journal.manifest(Digest.parse(step.before))
    return None


def _raw() -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _DESCRIPTOR.to_json(),
            "layers": [],
            "annotations": {_MARK: secrets.token_hex(16)},
        }
    ).encode()

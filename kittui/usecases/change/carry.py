"""Copies what is attached to a ModelKit: signatures, statements and records, in every form."""

from __future__ import annotations

from kittui.crashpoints import crash_point
from kittui.errors import NotFound
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.transfer.content import BlobOf
from kittui.transfer.plan import is_there
from kittui.usecases.browse.showing import known_referrers
from kittui.usecases.browse.tag_names import attached_tags

DEPTH = 3
"""How far signatures of signatures are followed."""


async def carry_attachments(origin: Repository, destination: Repository, digest: Digest) -> tuple[int, tuple[str, ...]]:
    """Copy what is attached to a digest, recursively; returns how many were new there, and what was left out.

    A tag named after the digest is left alone if it holds something else at the destination.
    """
    found, notes = await carriers_of(origin, digest)
    count = sum([await _carry(origin, destination, carrier, tag, notes) for carrier, tag in found])
    return count, tuple(notes)


async def carriers_of(origin: Repository, digest: Digest) -> tuple[list[tuple[Manifest, Tag | None]], list[str]]:
    """What is attached to a digest, recursively, each with the tag it was found by; and why there may be more."""
    notes: list[str] = []
    found: list[tuple[Manifest, Tag | None]] = []
    level = [digest]
    seen = {digest}
    for _ in range(DEPTH):
        below: list[Digest] = []
        for subject in level:
            for carrier, tag in await _carriers(origin, subject, notes):
                if carrier.digest in seen and tag is None:
                    continue
                seen.add(carrier.digest)
                below.append(carrier.digest)
                found.append((carrier, tag))
        level = below
    return found, notes


async def _carriers(origin: Repository, subject: Digest, notes: list[str]) -> list[tuple[Manifest, Tag | None]]:
    found: list[tuple[Manifest, Tag | None]] = []
    for tag in attached_tags(subject):
        try:
            found.append((await origin.manifest(tag), tag))
        except NotFound:
            continue
    referrers, incomplete = await known_referrers(origin, subject)
    if incomplete is not None:
        notes.append(incomplete.message)
    for one in referrers:
        try:
            manifest = await origin.manifest(one.digest)
        except NotFound:
            continue
        if manifest.subject is not None and manifest.subject.digest == subject and not manifest.is_index:
            found.append((manifest, None))
    return found


async def _carry(
    origin: Repository, destination: Repository, carrier: Manifest, tag: Tag | None, notes: list[str]
) -> bool:
    """Copy one; False if it exists already."""
    try:
        there = await destination.resolve(tag or carrier.digest)
        if there.digest == carrier.digest and tag is not None:
            return False
        if tag is not None:
            notes.append(f"{tag} holds something else at {destination.reference()} and was left unchanged")
            return False
        subject = carrier.subject
        if subject is not None and carrier.digest in {
            one.digest for one in await destination.referrers(subject.digest)
        }:
            return False
    except NotFound:
        pass
    for blob in (*((carrier.config,) if carrier.config else ()), *carrier.layers):
        if not await is_there(destination, blob) and not await destination.mount_blob(blob, origin):
            await destination.put_blob(blob, BlobOf(origin, blob))
    crash_point("carry.before-put")
    await destination.put_manifest(carrier.raw, carrier.media_type, tag)
    return True

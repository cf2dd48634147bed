"""Lists what refers to a manifest: the referrers API or the fallback tag (distribution-spec, "Listing Referrers")."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kittui.errors import Conflict, DigestMismatch, KittuiError, Malformed, NotFound, RegistryError, TooLarge
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest, load_object
from kittui.oci.media_types import OCI_INDEX
from kittui.oci.protocols import YES, Incomplete, Power
from kittui.oci.tag import Tag
from kittui.registry.calls import Answer, Call
from kittui.registry.manifests import Manifests
from kittui.registry.pages import PageGone, pages
from kittui.registry.problems import Complaint
from kittui.registry.scopes import repository_scope
from kittui.registry.session import Session
from kittui.tasks import spread

_MOST = 1000
"""Maximum referrers read of one manifest."""
_LONGEST = 8
ANNOUNCE_TRIES = 20
"""Attempts to find or write an entry before reporting that others overwrite it."""
UNREADABLE = (Malformed, TooLarge, DigestMismatch)
"""Errors of existing but invalid manifests: reading them again would not help."""
NO_REFERRERS = Power(
    "no", "this registry has no referrers API", "Referrers are read from the tag sha256-<digest> instead."
)


class Referrers:
    """The referrers of manifests in the repository `name`.

    `has_api` and `learn` hold what is known about the registry.
    """

    def __init__(
        self,
        session: Session,
        name: str,
        manifests: Manifests,
        has_api: Callable[[], Power],
        learn: Callable[..., None],
    ) -> None:
        self._session = session
        self._name = name
        self._manifests = manifests
        self._has_api = has_api
        self._learn = learn

    async def of(self, digest: Digest) -> Sequence[Descriptor]:
        """List at most 1000, each once.

        The API's list is an unverified claim; manifests under the fallback tag are read, and their subjects checked.
        Raises Incomplete, with those found, if there may be more.
        """
        digest = Digest.parse(digest)
        if not self._has_api().denied:
            found = await self._from_api(digest)
            if found is not None:
                return found
        return await self._from_tag(digest)

    async def _from_api(self, digest: Digest) -> list[Descriptor] | None:
        scopes = frozenset({repository_scope(self._name, "pull")})
        doing = f"list the referrers of {digest.short}"
        path = f"{self._name}/referrers/{digest}"
        call = Call("GET", path, doing, scopes, {"Accept": OCI_INDEX}, ok=(200, 400, 404, 405, 501))
        unsupported = False

        def read(answer: Answer) -> dict[str, Descriptor]:
            nonlocal unsupported
            if answer.status != 200:
                unsupported = True
                if not Complaint.parse(answer.body).code.startswith(("NAME_", "MANIFEST_")):
                    self._learn(referrers=NO_REFERRERS)
                return {}
            self._learn(referrers=YES)
            return {entry.digest: entry for entry in Manifest.parse(answer.body, OCI_INDEX).manifests}

        found: list[Descriptor] = []
        try:
            async for page in pages(self._session, call, read):
                found += page
                if len(found) > _MOST:
                    raise Incomplete(doing, f"there are more than {_MOST}")
        except Incomplete as error:
            raise Incomplete(doing, error.reason, found[:_MOST]) from error
        except PageGone as error:
            raise Incomplete(doing, "a later page is not found", found) from error
        return None if unsupported else found

    async def _index(self, digest: Digest) -> Manifest | None:
        """Read the list under the fallback tag, if there is one. Raises Malformed if that tag holds something else."""
        try:
            held = await self._manifests.read(digest.referrers_tag)
        except NotFound:
            return None
        if not held.is_index:
            raise Malformed(
                f"the tag {digest.referrers_tag} holds something else than the list of what belongs to {digest.short}",
                hint="Somebody put it there. Look at it, and remove the tag if nobody needs it.",
            )
        return held

    async def _from_tag(self, digest: Digest) -> list[Descriptor]:
        try:
            index = await self._index(digest)
        except Malformed as error:
            raise Incomplete(f"list the referrers of {digest.short}", error.message) from error
        entries = list({entry.digest: entry for entry in (index.manifests if index else ())}.values())
        unread = [f"there are more than {_MOST}"] if len(entries) > _MOST else []

        async def read(entry: Descriptor) -> Descriptor | None:
            try:
                manifest = await self._manifests.read(entry.digest)
            except KittuiError as error:
                unread.append(f"{entry.digest.short}: {error.message}")
                return None
            if manifest.subject is None or manifest.subject.digest != digest:
                return None
            kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else None)
            return replace(entry, artifact_type=kind, annotations=manifest.annotations)

        reading = await spread(entries[:_MOST], read, at_once=self._session.at_once)
        found = [entry for entry in reading if entry is not None]
        if unread:
            raise Incomplete(f"list the referrers of {digest.short}", unread[0], found)
        return found

    async def announce(self, manifest: Manifest, *, known: bool) -> None:
        """List a stored manifest with a subject under the fallback tag, unless the registry did that.

        `known`: the registry said so by OCI-Subject. Registries can't update a tag conditionally, so the entry is added
        to what was just read, and checked a moment later, until it stays. Entries of missing manifests are left out if
        the registry refuses them. Raises Conflict if others keep overwriting it, and what reading and storing the tag
        raises.
        """
        subject = manifest.subject
        if subject is None or known:
            return
        tag = subject.digest.referrers_tag
        kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else None)
        entry = replace(manifest.descriptor, artifact_type=kind, annotations=manifest.annotations)
        seen: dict[str, Any] = {manifest.digest: entry.to_json()}
        written = False
        for attempt in range(ANNOUNCE_TRIES):
            if written:
                # Somebody who read the tag before this entry was in it may still write it back without: give them time.
                await self._pause(attempt)
            index = await self._index(subject.digest)
            listed = {each.digest for each in index.manifests} if index is not None else set()
            if manifest.digest in listed:
                return
            for digest in await self._missing(seen.keys() - listed - {manifest.digest}):
                del seen[digest]
            seen = await self._store(tag, index, seen)
            written = True
        raise Conflict(
            f"the list of what belongs to {subject.digest.short} is overwritten by others again and again",
            hint=f"{manifest.digest} was stored and may not be listed: run it again when nobody else writes there.",
        )

    async def withdraw(self, manifest: Manifest) -> None:
        """Remove a manifest that is being deleted from the list under the fallback tag, until it stays away.

        If the tag holds something else, there is nothing to remove. Raises Conflict if others keep writing it back, and
        what reading and storing the tag raises.
        """
        if manifest.subject is None:
            return
        subject = manifest.subject.digest
        for attempt in range(ANNOUNCE_TRIES):
            await self._pause(max(0, attempt - 1))
            try:
                index = await self._index(subject)
            except UNREADABLE:
                return
            if index is None or all(each.digest != manifest.digest for each in index.manifests):
                return
            await self._store(subject.referrers_tag, index, {}, {manifest.digest})
        raise Conflict(
            f"the list of what belongs to {subject.short} is overwritten by others again and again",
            hint=f"{manifest.digest} may still be listed there: run it again when nobody else writes there.",
        )

    async def _store(
        self, tag: Tag, index: Manifest | None, seen: Mapping[str, Any], gone: Collection[str] = ()
    ) -> dict[str, Any]:
        """Write the list with the entries seen, without missing manifests; returns its entries."""
        raw, entries = _merged(index, seen, gone)
        try:
            await self._manifests.put(raw, OCI_INDEX, tag)
        except RegistryError as error:
            missing = await self._missing(entries) if error.status == 400 else set()
            if not missing:
                raise error.at(tag) from error
            raw, entries = _merged(index, seen, {*gone, *missing})
            await self._manifests.put(raw, OCI_INDEX, tag)
        return entries

    async def _missing(self, entries: Collection[str]) -> set[str]:
        """The entries whose manifests are missing: some registries refuse lists that contain one."""
        missing: set[str] = set()

        async def look(digest: str) -> None:
            try:
                await self._manifests.resolve(Digest.parse(digest))
            except NotFound:
                missing.add(digest)

        await spread(list(entries), look, at_once=self._session.at_once)
        return missing

    async def _pause(self, attempt: int) -> None:
        """Wait for a random time, longer with every attempt."""
        most = self._session.patience.backoff * min(attempt, _LONGEST)
        await asyncio.sleep(most * (0.5 + random.random()))  # noqa: S311 - no secret


def _merged(index: Manifest | None, seen: Mapping[str, Any], gone: Collection[str]) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of an index with every entry seen so far and all else unchanged, and those entries by digest.

    An entry that has disappeared was overwritten by somebody. Entries of `gone` manifests are left out.
    """
    empty: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    document = load_object(index.raw, "the index") if index else empty
    present = {entry["digest"]: entry for entry in document.get("manifests") or ()}
    new = {digest: entry for digest, entry in seen.items() if digest not in present}
    entries = {digest: entry for digest, entry in (present | new).items() if digest not in gone}
    document["manifests"] = list(entries.values())
    return json.dumps(document, separators=(",", ":")).encode("utf-8"), entries

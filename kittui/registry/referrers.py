"""What refers to a manifest: the referrers API, else the fallback tag (distribution-spec, "Listing Referrers")."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from kittui.errors import KittuiError, NotFound, RegistryError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_INDEX
from kittui.oci.protocols import YES, Power
from kittui.registry.auth import repository_scope
from kittui.registry.calls import Call
from kittui.registry.manifests import Manifests
from kittui.registry.pages import PageGone, pages
from kittui.registry.problems import Complaint
from kittui.registry.session import Session

log = logging.getLogger("kittui.registry")

_MOST = 100
NO_REFERRERS = Power(
    "no", "this registry has no referrers API", "Referrers are read from the tag sha256-<digest> instead."
)


def fallback_tag(digest: Digest) -> str:
    """The tag that lists the referrers of a digest where there is no API for it."""
    return f"{digest.algorithm}-{digest.hex}"[:128]


class Referrers:
    """The referrers of manifests in the repository `name`; `has_api` and `learn` keep what is known of the registry."""

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
        """At most 100, each once. What the API lists is its claim; the fallback tag's are read: subject checked."""
        digest = Digest.parse(digest)
        if not self._has_api().denied:
            found = await self._from_api(digest)
            if found is not None:
                return found
        return await self._from_tag(digest)

    async def _from_api(self, digest: Digest) -> list[Descriptor] | None:
        scopes = frozenset({repository_scope(self._name, "pull")})
        call = Call(
            "GET",
            f"{self._name}/referrers/{digest}",
            f"list the referrers of {digest.short}",
            scopes,
            {"Accept": OCI_INDEX},
            ok=(200, 400, 404, 405, 501),
        )
        found: dict[Digest, Descriptor] = {}
        try:
            async for answer in pages(self._session, call):
                if answer.status != 200:
                    if not Complaint.parse(answer.body).code.startswith(("NAME_", "MANIFEST_")):
                        self._learn(referrers=NO_REFERRERS)
                    return None
                self._learn(referrers=YES)
                for entry in Manifest.parse(answer.body, OCI_INDEX).manifests:
                    found.setdefault(entry.digest, entry)
                if len(found) >= _MOST:
                    break
        except PageGone:
            log.info("%s: a page of referrers is gone", self._session.host)
        return list(found.values())[:_MOST]

    async def _index(self, digest: Digest) -> Manifest | None:
        """What the fallback tag holds, if that is an index."""
        try:
            held = await self._manifests.read(fallback_tag(digest))
        except NotFound:
            return None
        return held if held.is_index else None

    async def _from_tag(self, digest: Digest) -> list[Descriptor]:
        index = await self._index(digest)
        found: list[Descriptor] = []
        for entry in dict.fromkeys(index.manifests if index else ()):
            if len(found) >= _MOST:
                break
            try:
                manifest = await self._manifests.read(entry.digest)
            except KittuiError as error:
                log.info("%s: referrer %s can't be read: %s", self._session.host, entry.digest.short, error.message)
                continue
            if manifest.subject is None or manifest.subject.digest != digest:
                continue
            kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else None)
            found.append(replace(entry, artifact_type=kind, annotations=manifest.annotations))
        return found

    async def announce(self, manifest: Manifest, *, known: bool) -> None:
        """After a manifest with a subject was stored: list it under the fallback tag, unless the registry did that.

        `known`: the registry said so by OCI-Subject. Raises RegistryError and others of reading and storing the tag.
        """
        subject = manifest.subject
        if subject is None or known:
            return
        index = await self._index(subject.digest)
        entries = [each.to_json() for each in index.manifests] if index else []
        if any(each["digest"] == manifest.digest for each in entries):
            return
        kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else None)
        entry = replace(manifest.descriptor, artifact_type=kind, annotations=manifest.annotations)
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*entries, entry.to_json()]}
        raw = json.dumps(document, separators=(",", ":")).encode("utf-8")
        try:
            await self._manifests.put(raw, OCI_INDEX, fallback_tag(subject.digest))
        except RegistryError as error:
            raise error.at(fallback_tag(subject.digest)) from error

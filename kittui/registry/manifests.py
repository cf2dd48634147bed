"""Reads, looks up and stores manifests of one repository (distribution-spec, "Pulling" and "Pushing Manifests")."""

from __future__ import annotations

import asyncio

from kittui.crashpoints import crash_point
from kittui.errors import DigestMismatch, KittuiError, NetworkError, NotFound, TooLarge
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import ACCEPT_MANIFESTS, MANIFEST_LIMIT, MANIFEST_WRITE_LIMIT
from kittui.oci.target import Target, parse_target
from kittui.registry.calls import Answer, Call
from kittui.registry.headers import parse_length, stated_digest
from kittui.registry.problems import Complaint, http_problem
from kittui.registry.refusals import NOT_TAKEN, immutable, not_taken
from kittui.registry.scopes import repository_scope
from kittui.registry.session import Session
from kittui.tasks import aside_if_large

_ACCEPT = ", ".join(ACCEPT_MANIFESTS)
_NO_HEAD = (400, 403, 404, 405, 501)
"""Answers to a HEAD that say nothing about the manifest: some registries and gateways still serve it by GET."""


class Manifests:
    """The manifests of the repository `name`."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self._pull = frozenset({repository_scope(name, "pull")})
        self._push = frozenset({repository_scope(name, "pull", "push")})
        self._heads: dict[bool, bool] = {}
        """Whether HEAD finds existing manifests, by tag (False) and by digest (True), as far as known."""
        self._present: dict[bool, Target] = {}
        """The last tag and digest found by a GET."""
        self._trying = asyncio.Lock()

    def _path(self, target: Target) -> str:
        """The path of a manifest; the target is checked once more, as it becomes part of a URL."""
        return f"{self._name}/manifests/{parse_target(target)}"

    async def resolve(self, target: Target) -> Descriptor:
        """Resolve by HEAD, or by GET if the registry answers HEAD with an error or leaves out digest or size.

        A HEAD that finds nothing only counts once another has found something. Raises NotFound.
        """
        by_digest = isinstance(target, Digest)
        if self._heads.get(by_digest) is not False:
            found = await self._look(target)
            if isinstance(found, Descriptor):
                self._heads[by_digest] = True
                return found
            if found == 404 and await self._heads_work(by_digest):
                raise http_problem(404, Complaint(), self._session.host, f"look up {target}")
            manifest = await self.read(target)
            self._heads[by_digest] = False
            return manifest.descriptor
        return (await self.read(target)).descriptor

    async def _heads_work(self, by_digest: bool) -> bool:
        """Whether a HEAD finds existing manifests: as known, else tried on one that a GET has found."""
        async with self._trying:
            present = self._present.get(by_digest)
            if by_digest not in self._heads and present is not None:
                self._heads[by_digest] = isinstance(await self._look(present), Descriptor)
        return self._heads.get(by_digest, False)

    async def _look(self, target: Target) -> Descriptor | int:
        """The result of a HEAD; its status if that is incomplete."""
        path = self._path(target)
        call = Call("HEAD", path, f"look up {target}", self._pull, {"Accept": _ACCEPT}, ok=(200, *_NO_HEAD))
        answer = await self._session.ask(call)
        digest = stated_digest(answer.headers.get_list("Docker-Content-Digest"))
        size = parse_length(answer.headers.get("Content-Length"))
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if answer.status != 200 or digest is None or not size or not media_type:
            return answer.status
        if isinstance(target, Digest) and digest != target:
            raise DigestMismatch(
                f"{self._session.host} returned a different digest than requested: {digest.short}",
                hint="The registry is at fault.",
            )
        return Descriptor(media_type, digest, size)

    async def read(self, target: Target) -> Manifest:
        """Read a manifest, verified against the requested digest, or the one that the registry states for the tag."""
        path = self._path(target)
        call = Call("GET", path, f"read the manifest {target}", self._pull, {"Accept": _ACCEPT})
        answer = await self._session.ask(call, MANIFEST_LIMIT)
        stated = stated_digest(answer.headers.get_list("Docker-Content-Digest"))
        digest = target if isinstance(target, Digest) else stated
        kind = answer.headers.get("Content-Type")
        manifest = await aside_if_large(len(answer.body), Manifest.parse, answer.body, kind, digest)
        self._present[isinstance(target, Digest)] = target
        return manifest

    async def put(self, raw: bytes, media_type: str, target: Target) -> Answer | None:
        """Store exactly these bytes under a tag or their digest.

        If the answer is lost, the target is looked up: None if it holds these bytes already, else they are sent again.
        Raises TooLarge above 4 MiB, NotFound if blobs are missing, DigestMismatch.
        """
        if len(raw) > MANIFEST_WRITE_LIMIT:
            raise TooLarge(f"the manifest is over {MANIFEST_WRITE_LIMIT // 1024 // 1024} MiB: registries refuse it")
        call = Call(
            "PUT",
            self._path(target),
            f"store the manifest {target}",
            self._push,
            {"Content-Type": media_type},
            ok=(200, 201, 400, 405, 409, 412, 501),
            body=raw,
            repeat=False,
        )
        crash_point("registry.manifest.before-put")
        answer = None
        with self._session.retries() as retries:
            failed = misread = False
            while answer is None:
                try:
                    if failed and await self._holds(target, raw):
                        crash_point("registry.manifest.after-put")
                        return None
                    answer = await self._session.ask(call)
                    if _misread(answer) and not misread:
                        answer, misread = None, True
                except NetworkError as error:
                    failed = True
                    await retries.after(error)
        if answer.status not in (200, 201):
            raise self._refusal(answer, target)
        crash_point("registry.manifest.after-put")
        stated = stated_digest(answer.headers.get_list("Docker-Content-Digest"))
        if stated is not None and stated != Digest.of(raw, stated.algorithm):
            raise DigestMismatch(
                f"{self._session.host} stored different bytes than were sent: {stated.short}",
                hint="A proxy or the registry alters manifests: don't rely on anything there.",
            )
        return answer

    def _refusal(self, answer: Answer, target: Target) -> KittuiError:
        doing = f"store the manifest {target}"
        if answer.status in NOT_TAKEN:
            return not_taken(answer, self._session.host, doing)
        protected = immutable(answer, self._session.host, target)
        return protected or http_problem(answer.status, Complaint.parse(answer.body), self._session.host, doing)

    async def _holds(self, target: Target, raw: bytes) -> bool:
        """Whether the target holds these bytes: by digest, or by the bytes if the algorithm differs."""
        try:
            digest = (await self.resolve(target)).digest
            if digest.algorithm == "sha256":
                return digest == Digest.of(raw)
            return (await self.read(target)).raw == raw
        except NotFound:
            return False

    async def delete(self, target: Target, doing: str = "") -> Answer:
        """DELETE by tag or digest: every status below 500 is for the caller to assess (401 and 403 are not).

        `doing` is its name in an error.
        """
        scopes = frozenset({repository_scope(self._name, "delete", "pull")})
        ok = (200, 202, 204, 400, 404, 405, 409, 501)
        crash_point("registry.manifest.before-delete")
        answer = await self._session.ask(Call("DELETE", self._path(target), doing or f"remove {target}", scopes, ok=ok))
        crash_point("registry.manifest.after-delete")
        return answer


def _misread(answer: Answer) -> bool:
    """Whether a registry wrongly says that bytes have a different digest.

    Distribution 2.8 does so while somebody else stores the same manifest: it reads a link that is being written.
    """
    return answer.status == 400 and Complaint.parse(answer.body).code == "DIGEST_INVALID"

"""Removes from a registry: a single tag if it supports that, or a manifest with all its tags."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from kittui.errors import AuthError, KittuiError, NotFound, RegistryError, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.protocols import YES, Power
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.registry.calls import Answer
from kittui.registry.manifests import Manifests
from kittui.registry.problems import Complaint, http_problem
from kittui.registry.refusals import MAINTENANCE, NOT_TAKEN, is_maintenance
from kittui.registry.session import Session

NO_UNTAG = Power(
    "no",
    "this registry can't remove a tag alone (it deletes by digest only, as Distribution 2.8 does)",
    "Move the tag instead (kittui tag), remove it with a placeholder (kittui remove --placeholder), "
    "or delete the ModelKit with all its tags (kittui remove --delete).",
)
NO_DELETE = Power(
    "no",
    "deleting is switched off in this registry",
    "Its operator can allow it; in Distribution: REGISTRY_STORAGE_DELETE_ENABLED=true, or storage.delete.enabled: true "
    "in its configuration. A cache of another registry deletes nothing, nor do GHCR and Docker Hub but on their pages.",
)
NOT_HERE = Power(
    "no",
    "it does not delete through this API: it reports existing content as not found",
    "Remove it with the registry's own tools or web page.",
)
_UNKNOWN = ("NAME_UNKNOWN", "MANIFEST_UNKNOWN", "TAG_UNKNOWN")
NOBODY = Digest("sha256:" + "0" * 64)
"""A digest that no manifest has: trying to delete it shows what a registry allows, and deletes nothing."""
Learn = Callable[..., None]


class Removal:
    """Removes from one repository; `learn` is called with what the registry turns out to support."""

    def __init__(self, session: Session, manifests: Manifests, learn: Learn) -> None:
        self._session = session
        self._manifests = manifests
        self._learn = learn

    async def untag(self, tag: Tag) -> None:
        """DELETE by tag. Raises NotFound, and Unsupported if the registry only deletes by digest."""
        answer = await self._manifests.delete(Tag.parse(tag))
        complaint = Complaint.parse(answer.body)
        if answer.status in (200, 202, 204):
            self._learn(untag=YES)
            return
        if answer.status == 404 or complaint.code in _UNKNOWN:
            await self._check_gone(tag)
            raise NotFound(f"there is no tag {tag}", hint="It may have been removed already.")
        if is_maintenance(answer):
            raise self._unsupported(MAINTENANCE)
        if answer.status == 405 and (await self.probe_deletes()).denied:
            self._learn(untag=NO_DELETE)
            raise self._unsupported(NO_DELETE)
        if answer.status in (400, 405, 501):
            await self._manifests.resolve(tag)
            self._learn(untag=NO_UNTAG)
            raise self._unsupported(NO_UNTAG)
        raise self._problem(answer, f"remove the tag {tag}")

    async def delete(self, digest: Digest) -> None:
        """DELETE by digest: every tag on it in this repository goes too. Raises NotFound, Unsupported."""
        answer = await self._manifests.delete(Digest.parse(digest))
        complaint = Complaint.parse(answer.body)
        if answer.status in (200, 202, 204):
            self._learn(delete=YES)
            return
        if answer.status == 404 or complaint.code in _UNKNOWN:
            await self._check_gone(digest)
            raise NotFound(f"there is no manifest {digest.short}", hint="It may have been deleted already.")
        if is_maintenance(answer):
            raise self._unsupported(MAINTENANCE)
        if answer.status in NOT_TAKEN:
            self._learn(delete=NO_DELETE)
            raise self._unsupported(NO_DELETE)
        raise self._problem(answer, f"delete the manifest {digest.short}")

    async def _check_gone(self, target: Target) -> None:
        """Raise Unsupported if a registry answers "not found" for something that exists, which is its way to refuse."""
        try:
            await self._manifests.resolve(target)
        except NotFound:
            return
        raise self._unsupported(NOT_HERE)

    async def probe_deletes(self) -> Power:
        """Find out, without deleting anything, whether deletes are allowed: by a digest that nothing has."""
        answer = await self._probe(NOBODY)
        if isinstance(answer, Power):
            return answer
        if is_maintenance(answer):
            return MAINTENANCE
        power = NO_DELETE if answer.status in NOT_TAKEN else YES
        self._learn(delete=power)
        return power

    async def probe_untag(self) -> Power:
        """Find out, without removing anything, whether a tag can be removed alone: by a tag that nothing has."""
        answer = await self._probe(Tag(f"kittui-probe-{uuid4().hex}"))
        if isinstance(answer, Power):
            return answer
        code = Complaint.parse(answer.body).code
        if is_maintenance(answer):
            return MAINTENANCE
        if answer.status in (200, 202, 204, 404) or code in _UNKNOWN:
            power = YES
        elif answer.status in (400, 405, 501):
            off = answer.status == 405 and (await self.probe_deletes()).denied
            power = NO_DELETE if off else NO_UNTAG
        else:
            raise self._problem(answer, "ask whether tags can be removed alone")
        self._learn(untag=power)
        return power

    async def _probe(self, target: Target) -> Answer | Power:
        """The answer to removing something that does not exist, or that we are not permitted to ask."""
        try:
            return await self._manifests.delete(target, "ask what may be removed")
        except AuthError as error:
            return Power("no", "it does not let this login remove anything", error.hint or "")

    def _unsupported(self, power: Power) -> Unsupported:
        return Unsupported(f"{self._session.host}: {power.reason}", hint=power.remedy)

    def _problem(self, answer: Answer, doing: str) -> KittuiError:
        complaint = Complaint.parse(answer.body)
        if answer.status == 409:
            return RegistryError(
                f"could not {doing}: something else in the registry still needs it ({complaint})",
                status=409,
                hint="Remove what refers to it first (an index, a signature).",
            )
        return http_problem(answer.status, complaint, self._session.host, doing)

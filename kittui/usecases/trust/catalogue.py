"""Reads the catalogue: every ModelKit of some repositories, with everything that an auditor needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kittui.errors import KittuiError
from kittui.modelkit.modelkit import ModelKit
from kittui.oci.digest import Digest
from kittui.oci.order import natural_key
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.tasks import spread
from kittui.trust.documents import map_of, text_of, write_time
from kittui.trust.reviews import decisions
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.browse.tag_names import attached_tag
from kittui.usecases.trust.bom import datasets_of, metrics_of
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.gate_kitfiles import licenses_of
from kittui.usecases.trust.history import MergedHistory
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.verify import Verification
from kittui.usecases.trust.words import Word


@dataclass(frozen=True, slots=True)
class Listed:
    """One ModelKit of a repository: its tags, and data from manifest, Kitfile and statements.

    `problem`: why unreadable.
    """

    repository: str
    digest: Digest | None
    tags: tuple[str, ...]
    stages: tuple[str, ...] = ()
    name: str = ""
    version: str = ""
    created: str = ""
    framework: str = ""
    licenses: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    data: tuple[Digest, ...] = ()
    metrics: dict[str, str] = field(default_factory=dict, hash=False)
    signed: Word | None = None
    signers: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    size: int | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "repository": self.repository,
            "digest": self.digest,
            "tags": list(self.tags),
            "stages": list(self.stages),
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "framework": self.framework,
            "licenses": list(self.licenses),
            "authors": list(self.authors),
            "datasets": list(self.datasets),
            "metrics": self.metrics,
            "signed": self.signed,
            "signers": list(self.signers),
            "approvals": list(self.approvals),
            "size": self.size,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset by the digest of its content, and the ModelKits that hold it."""

    digest: Digest
    names: tuple[str, ...]
    models: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {"digest": self.digest, "names": list(self.names), "modelkits": list(self.models)}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The whole catalogue, and what could not be read."""

    made: str
    kits: tuple[Listed, ...]
    datasets: tuple[Dataset, ...]
    histories: tuple[MergedHistory, ...]
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "made": self.made,
            "modelkits": [kit.to_json() for kit in self.kits],
            "datasets": [dataset.to_json() for dataset in self.datasets],
            "histories": [history.to_json() for history in self.histories],
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class Cataloguer:
    """Reads repositories; `stages` are the tags that are stages, `tell` is called for each finished repository."""

    modelkits: ModelKits
    evidence: Evidence
    stages: Collection[str]
    champion: str
    tell: Callable[[str], None] = lambda _: None

    async def read(
        self, repositories: Sequence[Repository], histories: Sequence[MergedHistory] = (), now: datetime | None = None
    ) -> Catalogue:
        """Read the catalogue of these repositories. What can't be read is marked, and listed among the problems."""
        now = now or datetime.now(UTC)
        problems: list[str] = []
        kits: list[Listed] = []
        content: dict[Digest, tuple[dict[str, None], dict[str, None]]] = {}
        for repository in repositories:
            found = await self._repository(repository, now, problems)
            for listed, kit in found:
                kits.append(listed)
                for layer in kit.layers if kit is not None else ():
                    if layer.type == "datasets":
                        names, models = content.setdefault(layer.diff_id or layer.digest, ({}, {}))
                        names[layer.name or layer.path or ""] = None
                        models[f"{listed.repository}:{listed.tags[0] if listed.tags else listed.digest}"] = None
            self.tell(plain_name(repository))
        datasets = [Dataset(digest, tuple(names), tuple(models)) for digest, (names, models) in content.items()]
        for history in histories:
            problems += history.notes
        return Catalogue(write_time(now), tuple(kits), tuple(datasets), tuple(histories), tuple(problems))

    async def _repository(
        self, repository: Repository, now: datetime, problems: list[str]
    ) -> list[tuple[Listed, ModelKit | None]]:
        name = plain_name(repository)
        tags: list[Tag] = []
        try:
            async for page in repository.tags():
                tags += [entry.name for entry in page if entry.name is not None]
        except Incomplete as error:
            problems.append(f"{name}: {error.message}")
        except KittuiError as error:
            problems.append(f"{name}: {error.message}")
            return [(Listed(name, None, (), problem=error.message), None)]

        async def open_tag(tag: Tag) -> ModelKit | KittuiError:
            try:
                return await self.modelkits.open(repository, tag)
            except KittuiError as error:
                return error

        versions = sorted((tag for tag in tags if attached_tag(tag) is None), key=natural_key)
        opened = await spread(versions, open_tag, at_once=repository.source.traits.at_once)
        by_digest: dict[Digest, tuple[ModelKit, list[str]]] = {}
        found: list[tuple[Listed, ModelKit | None]] = []
        for tag, kit in zip(versions, opened, strict=True):
            if isinstance(kit, KittuiError):
                problems.append(f"{name}:{tag}: {kit.message}")
                found.append((Listed(name, None, (tag,), problem=kit.message), None))
            elif kit.is_modelkit:
                by_digest.setdefault(kit.digest, (kit, []))[1].append(tag)

        async def said(digest: Digest) -> Verification | KittuiError | None:
            if repository.source.capabilities.attach.denied:
                return None
            try:
                return await self.evidence.statements(repository, digest, frozenset(tags))
            except KittuiError as error:
                return error

        statements = await spread(list(by_digest), said, at_once=repository.source.traits.at_once)
        for (digest, (kit, named)), verification in zip(by_digest.items(), statements, strict=True):
            if isinstance(verification, KittuiError):
                problems.append(f"{name}@{digest.short}: {verification.message}")
                verification = None
            found.append((self._listed(name, kit, named, verification, now), kit))
        return found

    def _listed(
        self, name: str, kit: ModelKit, tags: Sequence[str], said: Verification | None, now: datetime
    ) -> Listed:
        approvals: list[str] = []
        if said is not None:
            verdicts = [one.verdict for one in said.signatures]
            for owner, review in decisions(verdicts, {name}, self.champion, now).items():
                approvals.append(f"{review.decision} by {owner} {review.time:%Y-%m-%d}")
        return Listed(
            name,
            kit.digest,
            tuple(tags),
            tuple(tag for tag in tags if tag in self.stages),
            kit.name or "",
            kit.version or "",
            kit.created or "",
            text_of(map_of(kit.kitfile, "model"), "framework"),
            tuple(sorted(licenses_of(kit.kitfile))),
            kit.authors,
            tuple(datasets_of(kit)),
            tuple(layer.diff_id or layer.digest for layer in kit.layers if layer.type == "datasets"),
            metrics_of(kit),
            said.word if said is not None else None,
            said.signers if said is not None else (),
            tuple(approvals),
            kit.size,
        )

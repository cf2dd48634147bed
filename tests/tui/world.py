"""A dict-backed world for the interface: sources that count what they are asked, can be slow, and can fail."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kittui.errors import KittuiError, NotFound, Unsupported
from kittui.modelkit import STAGES, ModelKit, kitfile_yaml
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_CONFIG, KIT_INDEX, OCI_INDEX, OCI_MANIFEST
from kittui.oci.protocols import YES, Capabilities, Repository, RepositoryEntry, TagEntry, Traits
from kittui.oci.reference import LOCAL, Place, Reference, parse_source
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.trust.keyring import Keyring
from kittui.tui.app import KittuiApp
from kittui.tui.frame.ports import PlaceEntry, Ports, Settings, TrustPorts, UpkeepPorts
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.browse.showing import Attached, Attachments
from kittui.usecases.change.clean import Cleaner
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.diff.compare import DiffUseCase, Side
from kittui.usecases.doctor import Check
from kittui.usecases.find import Finder
from kittui.usecases.find import Place as SearchPlace
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.trust.board import Board
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.history import MergedHistory, local_history, merged_history
from kittui.usecases.trust.signer import Signer
from tests.fakes.memory import traits_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOWHERE = Path("/nonexistent/kittui")
TYPES = {"model": "model", "datasets": "dataset", "code": "code", "docs": "docs"}


@dataclass(repr=False)
class WorldRepository:
    """A repository of the fake world."""

    source: WorldSource
    name: str
    manifests: dict[str, bytes] = field(default_factory=dict)
    configs: dict[str, bytes] = field(default_factory=dict)
    named: dict[str, str | None] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    signatures: list[Descriptor] = field(default_factory=list)
    files: None = None

    def reference(self, target: str | None = None) -> str:
        place = self.source.place
        head = "local://" if place.kind == "local" else f"remote://{place.host}/" if place.host else f"{place}/"
        return f"{head}{self.name}" + (f"@{target}" if target and ":" in target else f":{target}" if target else "")

    def digest_of(self, target: str) -> str:
        return target if ":" in target else self.named[target] or ""

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        await self.source.ask("tags", self.name)
        names = list(self.named)
        for start in range(0, len(names), 1000):
            if start:
                await self.source.ask("tags", self.name)
            yield [self._entry(name) for name in names[start : start + 1000]]

    def _entry(self, name: str) -> TagEntry:
        if self.source.place.kind == "local":
            if name in self.problems:
                return TagEntry(Tag(name), None, self.problems[name])
            digest = Digest(self.named[name] or "")
            return TagEntry(Tag(name), Descriptor(OCI_MANIFEST, digest, len(self.manifests[digest])))
        return TagEntry(Tag(name))

    async def manifest(self, target: str) -> Manifest:
        await self.source.ask("manifest", target)
        if target in self.problems:
            raise NotFound(self.problems[target])
        if self.digest_of(target) not in self.manifests:
            raise NotFound(f"there is no {target}")
        return Manifest.parse(self.manifests[self.digest_of(target)])

    async def resolve(self, target: str) -> Descriptor:
        """As a HEAD does."""
        await self.source.ask("resolve", target)
        digest = self.named.get(target) if ":" not in target else target
        if target in self.problems or digest not in self.manifests:
            raise NotFound(f"there is no {target}")
        return Descriptor(OCI_MANIFEST, Digest(digest or ""), len(self.manifests[digest or ""]))

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        await self.source.ask("config", descriptor.digest)
        return self.configs[descriptor.digest]

    def open_blob(self, descriptor: Descriptor, offset: int = 0, length: int | None = None) -> Any:
        raise Unsupported("this world keeps no blobs", hint="It is made of manifests alone.")

    async def has_blob(self, digest: Digest) -> bool:
        """This world keeps no blobs."""
        return False

    async def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        await self.source.ask("referrers", digest)
        return self.signatures

    def add(
        self, kitfile: dict[str, Any], layers: Sequence[tuple[str, int, str]], *tags: str, created: str | None = None
    ) -> str:
        """Add a ModelKit; a layer is (Kitfile part, size, compression); returns the digest."""
        config = json.dumps(kitfile).encode()
        descriptors = []
        for number, (part, size, compression) in enumerate(layers):
            suffix = "" if compression == "none" else f"+{compression}"
            digest = Digest.of(f"{part}{size}{number}".encode())
            media_type = f"application/vnd.kitops.modelkit.{part}.v1.tar{suffix}"
            descriptors.append({"mediaType": media_type, "digest": str(digest), "size": size})
        annotations = {"ml.kitops.modelkit.cli-version": "v1.7.0"}
        if created:
            annotations["org.opencontainers.image.created"] = created
        document = {
            "schemaVersion": 2,
            "config": {"mediaType": KIT_CONFIG, "digest": str(Digest.of(config)), "size": len(config)},
            "layers": descriptors,
            "annotations": annotations,
        }
        raw = json.dumps(document, separators=(",", ":")).encode()
        found = str(Digest.of(raw))
        self.manifests[found] = raw
        self.configs[str(Digest.of(config))] = config
        for tag in tags:
            self.named[tag] = found
        return found

    def add_index(self, tag: str, labels: dict[str, dict[str, Any]]) -> str:
        """Add an index of ModelKits that are here already, with the labels of each by its digest."""
        entries = [
            {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(self.manifests[digest]), "modelMetadata": own}
            for digest, own in labels.items()
        ]
        document = {
            "schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": KIT_INDEX, "manifests": entries,
        }  # fmt: skip
        raw = json.dumps(document).encode()
        found = str(Digest.of(raw))
        self.manifests[found] = raw
        self.named[tag] = found
        return found


async def _signatures(repository: Repository, digest: Digest) -> Attachments:
    found = await repository.referrers(digest)
    return Attachments(tuple(Attached(one.artifact_type or one.media_type, one.digest) for one in found))


@dataclass(repr=False)
class WorldSource:
    """A source of the fake world. `failing` maps what is asked to the error it gets; `slow` holds everything up."""

    place: Place
    repositories_: dict[str, WorldRepository] = field(default_factory=dict)
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(catalog=YES, write=YES))
    asked: Counter[str] = field(default_factory=Counter)
    failing: dict[str, KittuiError] = field(default_factory=dict)
    slow: asyncio.Event | None = None
    most: int = 0
    now: int = 0

    @property
    def traits(self) -> Traits:
        return traits_of(self.place)

    def repository(self, name: str) -> WorldRepository:
        return self.repositories_.setdefault(name, WorldRepository(self, name))

    async def ask(self, what: str, about: str) -> None:
        self.asked[what] += 1
        self.asked[f"{what} {about}"] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.slow is not None:
                await self.slow.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.now -= 1
        if what in self.failing:
            raise self.failing[what]

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        await self.ask("repositories", "")
        known = self.place.kind == "local"
        entries = [
            RepositoryEntry(name, len(each.named) if known else None) for name, each in self.repositories_.items()
        ]
        for start in range(0, len(entries), 1000):
            yield entries[start : start + 1000]

    async def aclose(self) -> None:
        """Nothing to close."""


class World:
    """Sources, the ports over them, and what was saved."""

    def __init__(self, *sources: WorldSource, **settings: Any) -> None:
        self.sources = {source.place: source for source in sources}
        self.cache: dict[str, ModelKit] = {}
        self.saved: list[str] = []
        self.sizes: dict[str, int] = {}
        self.logins: list[tuple[str, str, str]] = []
        self.logouts: list[str] = []
        self.login_error: KittuiError | None = None
        self.held: set[str] = set()
        self.inspector = Inspector()
        self.change_tools: ChangeTools | None = None
        self.keyring = Keyring(())
        self.evidence = Evidence(lambda: self.keyring, lambda: self.inspector)
        self.signer: Signer | None = None
        self.signing_key: Path | None = None
        self.sets: tuple[str, ...] = ()
        self.checks: list[tuple[str, Check]] = []
        self.now = NOW
        self.settings = Settings(stages=STAGES, **settings)

    @property
    def ports(self) -> Ports:
        """The ports as the composition root would make them."""
        return Ports(
            places=[PlaceEntry(place) for place in self.sources],
            source=self._source,
            repositories=lambda source: source.repositories(),
            tags=lambda repository: repository.tags(),
            modelkit=self._modelkit,
            manifest=lambda repository, target: repository.manifest(target),
            cached=lambda digest: self.cache.get(digest),
            forget=self.evidence.forget,
            held=self._held,
            login=self._login,
            logout=self._logout,
            locate=self._locate,
            find=self._find,
            kitfile_yaml=lambda modelkit: kitfile_yaml(modelkit.kitfile),
            signatures=_signatures,
            save_favourites=self._save,
            save_sizes=self._save_sizes,
            inspector=lambda: self.inspector,
            change_tools=self._change_tools,
            differ=self._differ,
            trust=self.trust,
            upkeep=self.upkeep,
            clock=lambda: NOW,
            settings=self.settings,
        )

    @property
    def upkeep(self) -> UpkeepPorts:
        """`checks` are what doctor finds, `repaired` what it repairs; every source is searched where none is named."""
        kits: Any = self

        async def places(words: Sequence[str]) -> list[SearchPlace]:
            found = []
            for word in words:
                place, name, target = self._locate(word)
                found.append(SearchPlace(await self._source(place), name or None, target))
            return found

        async def examine(registries: Sequence[Place], verify: bool) -> AsyncIterator[tuple[str, Check]]:
            for section, check in self.checks:
                yield section, check
            for place in registries:
                yield f"Registry {place.host}", Check("registry", "good", "answers")
            if verify:
                yield "Store", Check("blobs", "good", "every blob was hashed")

        async def repair() -> list[str]:
            done = [f"{check.name}: repaired" for _, check in self.checks if check.repairable]
            self.checks = [(section, check) for section, check in self.checks if not check.repairable]
            return done

        return UpkeepPorts(
            finder=lambda tell: Finder(kits, self.inspector, tell),
            places=places,
            examine=examine,
            repair=repair,
            check_write=lambda where: self._change_tools().policy.check_write(where),
            cleaner=lambda: Cleaner(ModelKits(), frozenset(stage.name for stage in STAGES), (), self.now),
        )

    @property
    def trust(self) -> TrustPorts:
        """What is attached is looked for in the sources; `keyring` holds the keys that count."""

        async def named(words: Sequence[str]) -> tuple[list[Repository], list[KittuiError]]:
            found: list[Any] = []
            for place, source in self.sources.items():
                if str(place) in words or not words:
                    async for page in source.repositories():
                        found += [source.repository(entry.name) for entry in page]
            return found, []

        async def history(repository: Repository, tag: Tag | None) -> AsyncIterator[MergedHistory]:
            ledger = self._change_tools().ledger
            stages = {stage.name for stage in STAGES}
            tags = [tag] if tag else sorted(stages | {Tag(event.tag) for event in ledger.history.events()})
            yield await local_history(repository, ledger, tags)
            yield await merged_history(repository, ledger, self.keyring, tags, now=self.now)

        async def signer(path: Path | None) -> Signer | None:
            return self.signer

        kits: Any = self
        stages = tuple(stage.name for stage in STAGES)
        return TrustPorts(
            statements=self.evidence.statements,
            review=self.evidence.review,
            known=self.evidence.known,
            history=history,
            board=lambda: Board(kits, self.evidence, stages, policy=self._change_tools().policy),
            named=named,
            signer=signer,
            signing_key=self.signing_key,
            sets=self.sets,
        )

    async def open(self, repository: Any, tag: str) -> ModelKit:
        """For the board."""
        return await self._modelkit(repository, tag)

    def app(self, start: str | None = None) -> KittuiApp:
        """The program over this world."""
        return KittuiApp(self.ports, start)

    def _change_tools(self) -> ChangeTools:
        if self.change_tools is None:
            self.change_tools = ChangeTools(Ledger.open(NOWHERE), Policy(), self.inspector, self._no_parent)
        return self.change_tools

    async def _no_parent(self, reference: Reference) -> Any:
        raise NotFound(f"{reference} is not in this world")

    async def _differ(self, sides: Sequence[Side]) -> DiffUseCase:
        return DiffUseCase(self._modelkit, self.inspector)

    async def _source(self, place: Place) -> Any:
        return self.sources.setdefault(place, WorldSource(place))

    async def _modelkit(self, repository: Any, target: str) -> ModelKit:
        if ":" in target and target in self.cache:
            return self.cache[target]
        manifest = await repository.manifest(target)
        if manifest.digest not in self.cache:
            config = await repository.read_blob(manifest.config, 1 << 20) if manifest.config else b""
            self.cache[manifest.digest] = ModelKit.parse(manifest, config)
        return self.cache[manifest.digest]

    async def _held(self, blobs: Iterable[Descriptor]) -> frozenset[Digest]:
        return frozenset(blob.digest for blob in blobs if blob.digest in self.held)

    async def _logout(self, host: str) -> str:
        self.logouts.append(host)
        return f"Logged out of {host}: removed from a file."

    async def _login(self, host: str, user: str, password: str) -> str:
        self.logins.append((host, user, password))
        if self.login_error is not None:
            raise self.login_error
        return f"Logged in to {host} as {user}."

    async def _save(self, favourites: Sequence[str]) -> None:
        self.saved = list(favourites)

    async def _save_sizes(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)

    async def _find(self, text: str) -> tuple[Place, str, Target | None]:
        place, name, target = self._locate(text)
        local = self.sources.get(LOCAL)
        held = getattr(local, "repositories_", {}).get(f"{place.host}/{name}")
        if held is not None and "://" not in text and (target is None or target in held.named):
            return LOCAL, held.name, target
        return place, name, target

    def _locate(self, text: str) -> tuple[Place, str, Target | None]:
        found = parse_source(text)
        if isinstance(found, Reference):
            return found.place, found.repository, found.target
        return found, "", None


def kitfile(version: str, *, rate: float = 0.001, parts: Sequence[str] = ("model", "datasets", "code", "docs")) -> Any:
    """A Kitfile of the fraud detector."""
    document: dict[str, Any] = {
        "manifestVersion": "1.0.0",
        "package": {"name": "fraud-detector", "version": version, "license": "Apache-2.0", "authors": ["Risk ML"]},
    }
    if "model" in parts:
        document["model"] = {
            "name": "fraud",
            "path": "./model",
            "framework": "pytorch",
            "parameters": {"epochs": 20, "learning_rate": rate, "optimizer": "adamw"},
        }
    if "datasets" in parts:
        document["datasets"] = [
            {"name": "training", "path": "./data/train.csv", "description": "2026 transactions, labelled"},
            {"name": "validation", "path": "./data/validation.csv"},
        ]
    if "code" in parts:
        document["code"] = [{"path": "./src", "description": "feature engineering"}]
    if "docs" in parts:
        document["docs"] = [{"path": "./README.md"}]
    return document


LAYERS = (
    ("model", 1_100_000_000, "none"),
    ("dataset", 64_000_000, "none"),
    ("dataset", 8_000_000, "gzip"),
    ("code", 18_000, "none"),
    ("docs", 4_200, "none"),
)


def fill(repository: WorldRepository) -> None:
    """A lifecycle: champion, challenger, rollback, tuning, and the versions they point to."""
    repository.add(kitfile("1.0.0"), LAYERS, "v1.0.0", "champion", created="2026-11-11T09:00:00Z")
    repository.add(kitfile("1.1.0", rate=0.0005), LAYERS, "v1.1.0", "challenger", created="2026-11-23T09:00:00Z")
    repository.add(kitfile("0.9.0"), LAYERS[:4], "v0.9.0", "rollback", created="2026-09-23T09:00:00Z")
    repository.add(kitfile("1.2.0", parts=("datasets",)), LAYERS[1:3], "tuning", created="2026-11-23T07:00:00Z")
    repository.add(kitfile("0.8.0"), LAYERS[:3], "retired", "v0.8.0", created="2025-10-01T09:00:00Z")


def acme(**settings: Any) -> World:
    """The usual world: the local store, one registry with namespaces, one without a catalog."""
    local = WorldSource(LOCAL)
    fill(local.repository("acme/fraud-detector"))
    local.repository("sentiment").add(kitfile("2.0.0"), LAYERS[:1], "v2.0.0", "latest")
    registry = WorldSource(Place("remote", "registry.acme.dev"))
    fill(registry.repository("acme/fraud-detector"))
    for name in ("acme/support-bot", "acme/price-model", "vision/edge"):
        registry.repository(name).add(kitfile("1.0.0"), LAYERS[:2], "v1.0.0", "champion")
    typed = WorldSource(Place("remote", "ghcr.io"))
    typed.failing["repositories"] = Unsupported(
        "ghcr.io does not list repositories", hint="GitHub shows packages on its own site only."
    )
    return World(local, registry, typed, **settings)

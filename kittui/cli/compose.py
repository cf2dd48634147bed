"""The composition root: from the configuration to sources, caches and the ledger."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kittui.config import Config, Flags, load_config
from kittui.config.loading import ConfigProblem, folder
from kittui.disk.notices import notices_to
from kittui.errors import BadReference, NetworkError, NotFound
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.browse.places import DEFAULT_TAG, Places

if TYPE_CHECKING:
    from kittui.cli.keys import AskSecret
    from kittui.oci.protocols import Repository, Source
    from kittui.oci.reference import Reference
    from kittui.registry import Access, Credentials, CredentialStore, RegistrySource, Wait
    from kittui.state.indexes import IndexCache
    from kittui.store import LocalSource
    from kittui.transfer.fetch import Tuning
    from kittui.trust.keyring import Keyring
    from kittui.usecases.change.clean import Cleaner
    from kittui.usecases.change.ledger import Ledger
    from kittui.usecases.change.policy import Policy
    from kittui.usecases.change.tools import ChangeTools
    from kittui.usecases.diff.compare import DiffUseCase, Side
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask
    from kittui.usecases.trust.board import Board
    from kittui.usecases.trust.evidence import Evidence
    from kittui.usecases.trust.history import MergedHistory
    from kittui.usecases.trust.signer import Signer

Warn = Callable[[str], None]


class Composition:
    """Everything a command or the interface works with, each created on first use; closes what it opened.

    `flags` override the file and the environment; TLS flags apply to every registry. `on_warning` gets registries'
    warnings and reports files with secrets that others may read, `on_message` gets credential helpers' messages,
    `on_wait` the waits for a busy registry.
    """

    def __init__(
        self,
        flags: Flags | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        on_warning: Warn = lambda _: None,
        on_message: Warn = lambda _: None,
        on_wait: Callable[[Wait], None] = lambda _: None,
    ) -> None:
        self.flags = flags or Flags()
        self.environ = os.environ if environ is None else environ
        self.on_warning = on_warning
        self.on_message = on_message
        self.on_wait = on_wait
        self.on_waited: Callable[[str], None] = lambda _: None
        self.ask_secret: AskSecret | None = None
        loaded = load_config(self.flags, self.environ)
        self.config: Config = loaded.config
        self.config_path = loaded.path
        self.problems: tuple[ConfigProblem, ...] = loaded.problems
        self._open_for = ExitStack()
        self._signers: dict[Path | None, Signer | None] = {}

    async def __aenter__(self) -> Self:
        self._open_for.enter_context(notices_to(lambda text: self.on_warning(text)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open_for.close()
        await self.aclose()

    async def aclose(self) -> None:
        """Close every source that was opened."""
        if "places" in self.__dict__:
            await self.places.aclose()

    @property
    def state_dir(self) -> Path:
        """The folder of the journal and the history: $XDG_STATE_HOME/kittui."""
        return folder(self.environ, "XDG_STATE_HOME", ".local/state")

    @property
    def cache_dir(self) -> Path:
        """The folder of caches, which can be deleted: $XDG_CACHE_HOME/kittui."""
        return folder(self.environ, "XDG_CACHE_HOME", ".cache")

    @cached_property
    def store_root(self) -> Path:
        """The folder of kit's store: --store, $KITOPS_HOME, the configured one, or the platform's default."""
        from kittui.store import store_root

        named = self.flags.store or self.environ.get("KITOPS_HOME")
        if not named and self.config.store is not None:
            return self.config.store.absolute()
        return store_root(named, self.environ)

    @cached_property
    def places(self) -> Places:
        """The sources."""
        from kittui.layout import is_layout

        return Places(self._open, is_layout, offline=self.config.offline)

    def configured(self) -> tuple[Place, ...]:
        """The places to show if none is named: the store, then the configured registries and layouts."""
        registries = (Place("remote", host=registry.host) for registry in self.config.registries)
        layouts = (Place("oci", directory=os.path.normpath(directory)) for directory in self.config.layouts)
        return (Place("local"), *registries, *layouts)

    def _open(self, place: Place) -> Source:
        if place.kind == "local":
            return self.local()
        if place.kind == "oci":
            from kittui.layout import LayoutSource

            return LayoutSource(Path(place.directory))
        return self.registry(place.host)

    def local(self) -> LocalSource:
        """kit's store as a source of its own."""
        from kittui.store import LocalSource

        return LocalSource(self.store_root)

    def registry(self, host: str, credentials: Credentials | None = None) -> RegistrySource:
        """A registry as a source of its own; the caller closes it."""
        from functools import partial

        from kittui.registry import RegistrySource, UploadLimits
        from kittui.state.uploads import UploadMemory

        memory = UploadMemory(self.cache_dir)
        return RegistrySource(
            host,
            access=self.access(host),
            credentials=self.credentials if credentials is None else credentials,
            on_wait=lambda wait: self.on_wait(wait),
            on_waited=lambda host: self.on_waited(host),
            on_warning=lambda text: self.on_warning(text),
            environ=self.environ,
            limits=UploadLimits(earlier=partial(memory.read, host), keep=partial(memory.write, host)),
        )

    def access(self, host: str) -> Access:
        """How to reach a registry: the flags, else its configuration."""
        from kittui.registry import Access

        known = self.config.registry(host)
        flags = self.flags
        return Access(
            plain_http=known.plain_http if flags.plain_http is None else flags.plain_http,
            tls_verify=known.tls_verify if flags.tls_verify is None else flags.tls_verify,
            ca_cert=flags.ca_cert or known.ca_cert,
            cert=flags.cert or known.cert,
            key=flags.key or known.key,
            realms=frozenset(known.realms),
            at_once=self.config.concurrency,
        )

    @cached_property
    def credentials(self) -> CredentialStore:
        """Where credentials are looked up and saved."""
        from kittui.registry import CredentialStore

        return CredentialStore(
            self.store_root, self.environ, lambda text: self.on_warning(text), lambda text: self.on_message(text)
        )

    @cached_property
    def modelkits(self) -> ModelKits:
        """ModelKits by tag and digest, cached in memory and on disk."""
        from kittui.state.cache import DiskCache

        return ModelKits(DiskCache(self.cache_dir))

    @cached_property
    def indexes(self) -> IndexCache:
        """The cache of layers' contents on disk."""
        from kittui.state.indexes import IndexCache

        return IndexCache(self.cache_dir / "indexes", top=self.cache_dir)

    @cached_property
    def ledger(self) -> Ledger:
        """Journal and history, and the records in the registry if configured."""
        from kittui.state.journal import Journal
        from kittui.state.outbox import Outbox
        from kittui.trust.gates import text_of
        from kittui.usecases.change.ledger import Ledger
        from kittui.usecases.trust.recorder import Recorder
        from kittui.usecases.trust.summary import Summaries

        if self.config.record != "registry" or self.config.read_only:
            return Ledger.open(self.state_dir, history=self.config.record != "off")
        outbox, journal = Outbox(self.state_dir), Journal(self.state_dir)
        recorder = Recorder(
            outbox,
            journal,
            self.stage_tags,
            self.signer,
            lambda text: self.on_warning(text),
            Summaries(text_of(self.config.gates)),
        )
        return Ledger.open(self.state_dir, recorder=recorder)

    async def signer(self, path: Path | None = None) -> Signer | None:
        """The signer from a key file, or the configured one; None without either. Opened once."""
        from kittui.cli.keys import open_signer

        named = path or self.config.signing_key
        if named not in self._signers:
            self._signers[named] = await open_signer(self.config, self.environ, self.ask_secret, named)
        return self._signers[named]

    @cached_property
    def keyring(self) -> Keyring:
        """The trusted keys from `trust` in config.yaml; warns about keys that can't be used. Blocks."""
        from kittui.cli.keys import read_keyring

        return read_keyring(self.config, self.state_dir, self.on_warning)

    @cached_property
    def policy(self) -> Policy:
        """The rules that decide what may be changed."""
        from kittui.state.history import History
        from kittui.usecases.change.policy import Policy
        from kittui.usecases.trust.rule import GateRule

        config = self.config
        rules: tuple[GateRule, ...] = ()
        if config.gates or config.gates_mistaken:
            history, mistaken = History(self.state_dir), config.gates_mistaken
            rules = (GateRule(config.gates, self.evidence, history, self.stage_tags, mistaken, siblings=self.siblings),)
        return Policy(config.read_only, frozenset(config.protected_tags), config.protect_promotions, rules)

    @cached_property
    def evidence(self) -> Evidence:
        """The evidence for gates and the board, read once."""
        from kittui.state.reviews import Reviews
        from kittui.usecases.trust.evidence import Evidence

        reviews, cached = Reviews(self.state_dir), self.modelkits.cached
        return Evidence(lambda: self.keyring, self.inspector, reviews=reviews, cached=cached)

    def siblings(self, name: str) -> frozenset[str]:
        """The names (HOST/REPO) of the repositories in the same fleet, whose approvals and rejections count here."""
        found = {name}
        for members in self.config.fleet.values():
            names = {text.removeprefix("remote://") for text in members.values()}
            if name in names:
                found |= names
        return frozenset(found)

    async def history(self, repository: Repository, tag: Tag | None = None) -> AsyncIterator[MergedHistory]:
        """Who moved a repository's tags, or one of them: first from this machine, then with the registry's records.

        Raises StorageError.
        """
        from kittui.usecases.trust.history import local_history, merged_history
        from kittui.usecases.trust.names import plain_name

        ledger = self.ledger
        known = await asyncio.to_thread(ledger.history.events, repository.reference())
        tags = [tag] if tag else sorted({Tag(event.tag) for event in known} | self.stage_tags)
        yield await local_history(repository, ledger, tags)
        keyring = await asyncio.to_thread(lambda: self.keyring)
        yield await merged_history(repository, ledger, keyring.for_repository(plain_name(repository)), tags)

    def board(self, stages: Sequence[str] = ()) -> Board:
        """Reads the board's rows; its columns are all stages, or the given ones."""
        from kittui.usecases.trust.board import Board

        config = self.config
        columns = tuple(Tag.parse(stage) for stage in stages) or tuple(stage.name for stage in config.stages)
        moves = [(Tag(gates.origin), Tag(gates.target)) for gates in config.gates if gates.origin]
        forward = [move for move in moves if move[0] != config.moves.rollback]
        return Board(self.modelkits, self.evidence, columns, config.moves, self.policy, forward)

    def cleaner(self) -> Cleaner:
        """Selects what a clean-up deletes."""
        from datetime import UTC, datetime

        from kittui.usecases.change.clean import Cleaner

        return Cleaner(self.modelkits, self.stage_tags, self.config.protected_tags, datetime.now(UTC))

    @property
    def stage_tags(self) -> frozenset[Tag]:
        """The tags that are lifecycle stages."""
        moves = self.config.moves
        named = {moves.challenger, moves.champion, moves.rollback, moves.retired}
        return frozenset({stage.name for stage in self.config.stages} | named | moves.preparing)

    @cached_property
    def tuning(self) -> Tuning:
        """How many blobs and connections a transfer uses at once."""
        from kittui.transfer.fetch import Tuning

        return Tuning(blobs=self.config.concurrency, connections=self.config.concurrency)

    @cached_property
    def change_tools(self) -> ChangeTools:
        """What changes tags and moves ModelKits, for both front ends."""
        from kittui.usecases.change.tools import ChangeTools

        return ChangeTools(self.ledger, self.policy, self.inspector(), self.find_parent, self.tuning)

    @cached_property
    def held(self) -> Repository:
        """The blobs that the store holds, through any repository, because all of them share the blobs."""
        return self.places.source(LOCAL).repository("kittui")

    def inspector(self, ask: Ask | None = None) -> Inspector:
        """Reads layers, and caches the results on disk; `ask` is called before reading more than `ask_above`."""
        from kittui.usecases.inspect.inspector import Inspector

        return Inspector(self.indexes, free_bytes=self.config.ask_above, ask=ask, held=self.held)

    async def name_copies(self, error: NetworkError) -> None:
        """Add to an error's hint which of the given ModelKits the store has a copy of, and how old it is."""
        for located in self.places.located:
            copy = await self.places.copy_of(located.repository, located.target)
            if copy:
                error.hint = f"{error.hint} {copy}" if error.hint else copy

    async def find_parent(self, reference: Reference) -> tuple[Repository, Target]:
        """What a model reference points to: in the store, else in its registry; without a tag, `latest`."""
        target = reference.target or DEFAULT_TAG
        held = self.places.repository(reference.in_kind("local"))
        try:
            await held.resolve(target)
        except (NotFound, BadReference):
            if not reference.names_host:
                raise
            return self.places.repository(reference.in_kind("remote")), target
        return held, target

    async def differ(self, sides: Sequence[Side], inspector: Inspector | None = None) -> DiffUseCase:
        """Compares two versions; blobs that the store holds are read from there."""
        from kittui.state.reviews import Reviews
        from kittui.usecases.diff.compare import DiffUseCase

        holders = [self.held] if any(not side.repository.source.traits.free for side in sides) else []
        inspector = inspector or self.change_tools.inspector
        return DiffUseCase(self.modelkits.open, inspector, holders, Reviews(self.state_dir))

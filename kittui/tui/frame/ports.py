"""The ports of the interface: use cases as functions and settings as values. Nothing here opens a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kittui.modelkit.stages import LifecycleTags
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tui.frame.keymap import KeyNames
from kittui.usecases.inspect.programs import Programs

if TYPE_CHECKING:
    from kittui.compare.review import Review
    from kittui.errors import KittuiError
    from kittui.modelkit import ModelKit, Stage
    from kittui.oci.descriptor import Descriptor
    from kittui.oci.digest import Digest
    from kittui.oci.manifest import Manifest
    from kittui.oci.protocols import Repository, RepositoryEntry, Source, TagEntry
    from kittui.oci.reference import Place
    from kittui.usecases.browse.showing import Attachments
    from kittui.usecases.change.clean import Cleaner
    from kittui.usecases.change.tools import ChangeTools
    from kittui.usecases.diff.compare import DiffUseCase, Side
    from kittui.usecases.doctor import Check
    from kittui.usecases.find import Finder, Progress
    from kittui.usecases.find import Place as SearchPlace
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.trust.board import Board
    from kittui.usecases.trust.history import MergedHistory
    from kittui.usecases.trust.signer import Signer
    from kittui.usecases.trust.verify import Verification


@dataclass(frozen=True, slots=True)
class PlaceEntry:
    """A source in the tree: `label` as the configuration names it, `repositories` to show where there is no catalog."""

    place: Place
    label: str = ""
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of the configuration that the interface reads.

    `favourites` are references of repositories as `Repository.reference()` spells them; `keymap` maps command ids to
    keys, `keymap_places` to the file and line that say so; `stages` are the lifecycle tags in their order, `lifecycle`
    those that promote and roll back move; `problems` are sentences on mistakes in the configuration.
    """

    theme: str = "kittui-dark"
    mouse: bool = True
    reduced_motion: bool = False
    ascii_marks: bool = False
    read_only: bool = False
    favourites: tuple[str, ...] = ()
    keymap: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keymap_places: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    lifecycle: LifecycleTags = field(default_factory=LifecycleTags)
    concurrency: int = 6
    refresh: float = 0
    """Seconds between two quiet looks at the stages in view; 0: never."""
    columns: tuple[str, ...] = ()
    """Of a list of tags, the most important first; the usual ones where none is named."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """The sizes of panes as the user left them."""
    problems: tuple[str, ...] = ()
    welcome: str = ""
    """The welcome message; `{id}` stands for the key of a command."""
    programs: Programs = field(default_factory=Programs)
    """Editor, pager and difftool."""


@dataclass(frozen=True)
class TrustPorts:
    """Who vouches for what, and who moved it.

    `statements` lists and checks what is attached to a digest (the tags it is given are those with attachments, where
    they are known); `known` is what it said last, without asking. `review` is this machine's review of the second
    digest against the first. `history` gives what this machine knows at once, then the registry's records with it.
    `board` reads the board's rows, `named` the repositories that words name as on the command line, `sets` are those
    that the configuration saved. `signer` opens a key, the configured one for None, and asks for its passphrase.
    """

    statements: Callable[[Repository, Digest, Collection[str] | None], Awaitable[Verification]]
    review: Callable[[Digest, Digest], Awaitable[Review]]
    known: Callable[[Repository, Digest], Verification | None]
    history: Callable[[Repository, Tag | None], AsyncIterator[MergedHistory]]
    board: Callable[[], Board]
    named: Callable[[Sequence[str]], Awaitable[tuple[list[Repository], list[KittuiError]]]]
    signer: Callable[[Path | None], Awaitable[Signer | None]]
    signing_key: Path | None = None
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpkeepPorts:
    """Finding, checking, making room.

    `finder` searches and reports how far it is; `places` are those to search that words name as on the command line.
    `examine` gives every check with the title of its section, of the registries that are named too, and hashes blobs
    where the last is true; `repair` repairs the store and says what it did; `check_write` raises where it may not.
    `cleaner` selects what a clean-up takes.
    """

    finder: Callable[[Callable[[Progress], None]], Finder]
    places: Callable[[Sequence[str]], Awaitable[list[SearchPlace]]]
    examine: Callable[[Sequence[Place], bool], AsyncIterator[tuple[str, Check]]]
    repair: Callable[[], Awaitable[list[str]]]
    check_write: Callable[[str], None]
    cleaner: Callable[[], Cleaner]


@dataclass(frozen=True)
class Ports:
    """Use cases, handed in by the composition root. Errors are KittuiErrors.

    `source` opens a place (no request is created yet); `modelkit` reads a tag or digest, cached by digest for ever, and
    `manifest` no more of it than its manifest; `cached` answers from that cache alone; `forget` makes tags (of a
    repository, or all) be requested anew; `held` says which blobs are in the local store; `login` checks and keeps
    a name and password for a host and returns a sentence, `logout` forgets them; `locate` reads what a user types
    into a place, a repository's name (empty: the whole place) and a target, `find` does so too and raises NotFound
    for what could only be in the store and is not; `kitfile_yaml` writes a Kitfile as kit does; `signatures` lists
    what is attached to a digest; `save_favourites` and `save_sizes` keep them for the next time;
    `inspector` reads layers; `change_tools` has what changes tags and moves ModelKits; `differ` compares the versions
    it is given; `trust` has what signatures and records say, `upkeep` what looks over everything; `clock` gives the
    time for ages; `keys` names the keys of commands (the program fills it in). `inspector` and `change_tools` are
    factories, so that the first screen waits for neither.
    """

    places: Sequence[PlaceEntry]
    source: Callable[[Place], Awaitable[Source]]
    repositories: Callable[[Source], AsyncIterator[Sequence[RepositoryEntry]]]
    tags: Callable[[Repository], AsyncIterator[Sequence[TagEntry]]]
    modelkit: Callable[[Repository, Target], Awaitable[ModelKit]]
    manifest: Callable[[Repository, Target], Awaitable[Manifest]]
    cached: Callable[[Digest], ModelKit | None]
    forget: Callable[[Repository | None], None]
    held: Callable[[Iterable[Descriptor]], Awaitable[frozenset[Digest]]]
    login: Callable[[str, str, str], Awaitable[str]]
    logout: Callable[[str], Awaitable[str]]
    locate: Callable[[str], tuple[Place, str, Target | None]]
    find: Callable[[str], Awaitable[tuple[Place, str, Target | None]]]
    kitfile_yaml: Callable[[ModelKit], str]
    signatures: Callable[[Repository, Digest], Awaitable[Attachments]]
    save_favourites: Callable[[Sequence[str]], Awaitable[None]]
    save_sizes: Callable[[Mapping[str, int]], Awaitable[None]]
    inspector: Callable[[], Inspector]
    change_tools: Callable[[], ChangeTools]
    differ: Callable[[Sequence[Side]], Awaitable[DiffUseCase]]
    trust: TrustPorts
    upkeep: UpkeepPorts
    clock: Callable[[], datetime] = lambda: datetime.now().astimezone()
    settings: Settings = field(default_factory=Settings)
    keys: KeyNames = field(default_factory=KeyNames)

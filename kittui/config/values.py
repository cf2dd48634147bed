"""What can be configured, with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from kittui.modelkit.stages import STAGES, LifecycleTags, Stage

if TYPE_CHECKING:
    from kittui.trust.gates import GateSet

THEMES: Final = ("kittui-dark", "kittui-light", "kittui-contrast", "kittui-colour-blind", "kittui-ansi")
"""The names of the interface's themes."""
SIXTEEN: Final = THEMES[-1]
"""The theme for terminals with no more than sixteen colours."""
CONCURRENCY: Final = 6
"""Requests at a time, unless configured."""
CONCURRENCY_LIMIT: Final = 64
COLUMNS: Final = ("digest", "size", "age", "stage", "signed", "framework", "license", "moved", "name", "author")
"""The columns that a list of tags can have after the tag."""
REFRESH: Final = 15
"""The least seconds between two background checks of the visible stages."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry: its name in the tree, the repositories to show if it can't list them, and how to reach it.

    `realms` are hosts that may be given its credentials in exchange for a token.
    """

    host: str
    name: str = ""
    repositories: tuple[str, ...] = ()
    plain_http: bool = False
    tls_verify: bool = True
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    realms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """A trusted public key: its owner, its file or PEM text, patterns over HOST/REPO, and its expiry.

    Instead of a key it may have a certificate's identity and its OIDC issuer.
    """

    name: str
    key: str
    repositories: tuple[str, ...] = ()
    until: datetime | None = None
    identity: str = ""
    issuer: str = ""


Record = Literal["registry", "local", "off"]
"""Where tag moves are recorded: in the registry and here, here alone, or in the history only."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be configured by file, environment and flags.

    `gates_mistaken` says why the gates could not be read: no move may pass then.
    """

    registries: tuple[Registry, ...] = ()
    layouts: tuple[str, ...] = ()
    favourites: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = STAGES
    moves: LifecycleTags = field(default_factory=LifecycleTags)
    protected_tags: tuple[str, ...] = ()
    protect_promotions: bool = True
    keymap: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    keymap_places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The file and line of each command of the keymap."""
    theme: str = THEMES[0]
    mouse: bool = True
    reduced_motion: bool = False
    ascii: bool = False
    concurrency: int = CONCURRENCY
    refresh: int = REFRESH
    columns: tuple[str, ...] = ()
    ask_above: int = 1_000_000
    read_only: bool = False
    offline: bool = False
    store: Path | None = None
    signing_key: Path | None = None
    signing_command: tuple[str, ...] = ()
    difftool: tuple[str, ...] = ()
    trust: tuple[Trusted, ...] = ()
    trusted_root: Path | None = None
    boards: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    fleet: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    gates: tuple[GateSet, ...] = ()
    gates_mistaken: str = ""
    record: Record = "registry"

    def registry(self, host: str) -> Registry:
        """A registry's configuration; defaults for one that is not configured."""
        return next((registry for registry in self.registries if registry.host == host), Registry(host))

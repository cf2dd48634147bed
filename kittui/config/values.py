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
"""Seconds between two quiet looks at the stages in view, at least."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry: how the tree names it, which repositories to show where it lists none, and how it is reached.

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
    """A public key that counts: whose it is, its file or its PEM text, patterns over HOST/REPO, and until when.

    Instead of a key there may be whom a certificate names, and the issuer that logged them in.
    """

    name: str
    key: str
    repositories: tuple[str, ...] = ()
    until: datetime | None = None
    identity: str = ""
    issuer: str = ""


Record = Literal["registry", "local", "off"]
"""Where moves of tags are written down: in the registry and here, here alone, or in the history only."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything kittui can be told by its file, the environment and flags.

    `gates_mistaken` says what is wrong with the file where its gates could not be read: nothing may pass them then.
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
        """What is configured of a registry; defaults for one that isn't named."""
        return next((registry for registry in self.registries if registry.host == host), Registry(host))

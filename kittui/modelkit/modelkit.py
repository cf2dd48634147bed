"""The ModelKit: a manifest and its config, read together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kittui.errors import KittuiError
from kittui.modelkit.foreign import foreign_kitfile
from kittui.modelkit.kinds import MODELS, Kind, kind_of, label_of
from kittui.modelkit.kitfile import Remote, load_config, model_reference, remotes, shape_problems
from kittui.modelkit.layers import Layer
from kittui.modelkit.matching import match_layers, plain_layers
from kittui.modelkit.modelpack import modelpack_kitfile, modelpack_layers
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import CREATED
from kittui.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class ModelKit:
    """A ModelKit, or another artifact (see `kind` and `label`).

    `kitfile` is the Kitfile's JSON exactly as read (empty if there is none), `config_raw` the config's bytes (empty if
    not requested), `size` the bytes of config and layers, `problems` sentences on what is inconsistent.
    """

    kind: Kind
    label: str
    manifest: Manifest
    config_raw: bytes = field(repr=False)
    kitfile: Mapping[str, Any] = field(hash=False)
    layers: tuple[Layer, ...] = ()
    problems: tuple[str, ...] = ()
    created: str | None = None

    @classmethod
    def parse(cls, manifest: Manifest, config_raw: bytes) -> ModelKit:
        """Read a manifest together with its config's bytes (empty for what is not a ModelKit).

        Never fails on content: a broken config is a problem on a ModelKit whose layers are still listed.
        """
        kind = kind_of(manifest)
        label = label_of(kind, manifest)
        created = manifest.annotations.get(CREATED)
        if kind not in MODELS:
            return cls(kind, label, manifest, config_raw, {}, plain_layers(manifest), (), created)
        problems: list[str] = []
        document: Mapping[str, Any] = {}
        try:
            document = load_config(config_raw)
        except KittuiError as error:
            problems.append(error.message)
        kitfile = document
        unmatched: list[str] = []
        if kind in ("docker-model", "ollama-model"):
            kitfile, layers = foreign_kitfile(manifest, document), plain_layers(manifest)
            created = created or _created_at(document)
        elif kind == "modelpack":
            kitfile, own = modelpack_kitfile(manifest, document)
            problems += own
            layers, unmatched = modelpack_layers(manifest, document, kitfile)
            created = created or _created_at(document)
        else:
            layers, unmatched = match_layers(manifest, kitfile)
        problems += [*shape_problems(kitfile), *unmatched]
        return cls(kind, label, manifest, config_raw, kitfile, layers, tuple(problems), created)

    @property
    def is_modelkit(self) -> bool:
        """Whether it holds a model project, packed by kit or another tool."""
        return self.kind in MODELS

    @property
    def digest(self) -> Digest:
        """The manifest's digest."""
        return self.manifest.digest

    @property
    def annotations(self) -> Mapping[str, str]:
        """The manifest's annotations."""
        return self.manifest.annotations

    @property
    def size(self) -> int:
        """Bytes of config and layers; a layer listed twice counts twice, as in kit."""
        return self.manifest.content_size

    @property
    def name(self) -> str | None:
        """The package's name."""
        return _text(self.kitfile, "name")

    @property
    def version(self) -> str | None:
        """The package's version."""
        return _text(self.kitfile, "version")

    @property
    def authors(self) -> tuple[str, ...]:
        """The package's authors."""
        package = self.kitfile.get("package")
        found = package.get("authors") if isinstance(package, dict) else None
        return tuple(author for author in found if isinstance(author, str)) if isinstance(found, list) else ()

    @property
    def remotes(self) -> tuple[Remote, ...]:
        """The Kitfile's entries whose content is stored elsewhere."""
        return remotes(self.kitfile)

    @property
    def model_reference(self) -> Reference | None:
        """The ModelKit that this one builds on, if `model.path` is a reference."""
        return model_reference(self.kitfile)


def _text(kitfile: Mapping[str, Any], key: str) -> str | None:
    package = kitfile.get("package")
    value = package.get(key) if isinstance(package, dict) else None
    return value if isinstance(value, str) and value else None


def _created_at(config: Mapping[str, Any]) -> str | None:
    described = config.get("descriptor")
    value = (described.get("createdAt") or described.get("created")) if isinstance(described, dict) else None
    value = value or config.get("created")
    return value if isinstance(value, str) and value else None

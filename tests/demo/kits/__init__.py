"""The demo's ModelKits, one module per project."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kittui.modelkit.variants import empty_index, with_variant
from kittui.oci.media_types import CREATED
from tests.demo.pack import Compression, File, Packed, pack

Files = Mapping[str, str | bytes | File]
"""The folder that is packed: what starts with #! may run."""

VERSION = "kittui-demo"
"""What stands in the manifests as the version of kit."""


@dataclass(frozen=True, slots=True)
class Kit:
    """A packed ModelKit and the tags on it."""

    repository: str
    tags: tuple[str, ...]
    packed: Packed


@dataclass(frozen=True, slots=True)
class Index:
    """An index under a tag: ModelKits with the labels that each is chosen by."""

    repository: str
    tag: str
    entries: tuple[tuple[Kit, Mapping[str, str]], ...]

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        raw = empty_index({})
        for one, labels in self.entries:
            values = {key: json.dumps(value) for key, value in labels.items()}
            raw = with_variant(raw, one.packed.descriptor, values, {})
        return raw


def kit(
    repository: str,
    tags: str,
    created: str,
    kitfile: Mapping[str, Any],
    files: Files,
    compression: Compression = "none",
) -> Kit:
    """Pack one: `tags` separated by spaces, `created` a day."""
    tree = {path: _file(content) for path, content in files.items()}
    annotations = {CREATED: f"{created}T09:00:00Z"}
    packed = pack(
        {"manifestVersion": "1.0.0", **kitfile}, tree, version=VERSION, compression=compression, annotations=annotations
    )
    return Kit(repository, tuple(tags.split()), packed)


def _file(content: str | bytes | File) -> File:
    if isinstance(content, File):
        return content
    if isinstance(content, bytes):
        return File(content)
    return File(content.encode(), 0o755 if content.startswith("#!") else 0o644)

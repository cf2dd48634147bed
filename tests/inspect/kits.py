"""ModelKits of any layers in the fake world: real digests, ranges that count and can be held up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from kittui.errors import Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST
from kittui.oci.protocols import YES, Capabilities, Power
from kittui.oci.reference import Place
from kittui.oci.traffic import count
from tests.fakes.layers import LayerReader
from tests.tui.world import World, WorldRepository, WorldSource

HOST = "registry.acme.dev"


class BlobRepository(WorldRepository):
    """Serves blobs. `asked` are the offsets of all ranges; with a `gate` each range takes one permit of it."""

    blobs: dict[str, bytes]
    asked: list[int]
    gate: asyncio.Semaphore | None = None
    ranges = True
    lie: Mapping[str, bytes] | None = None

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[LayerReader]:
        content = self.blobs[str(descriptor.digest)]
        whole = offset == 0 and length in (None, len(content))
        if not self.ranges and not whole:
            raise Unsupported("the registry serves no ranges")
        if not whole and self.lie is not None:
            content = self.lie.get(str(descriptor.digest), content)
        self.asked.append(offset)
        if self.gate is not None:
            await self.gate.acquire()
        length = len(content) - offset if length is None else length
        count(requests=1, received=length)
        yield LayerReader(content, offset, length)

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        if str(descriptor.digest) in self.configs:
            return self.configs[str(descriptor.digest)]
        count(requests=1, received=descriptor.size)
        return self.blobs[str(descriptor.digest)]


def kit_world(
    layers: Mapping[str, bytes], *, media: Mapping[str, str] | None = None, ranges: bool = True, **settings: Any
) -> tuple[World, BlobRepository]:
    """A registry with one ModelKit, `team/kit:champion`; layers by their Kitfile paths, the first is the model."""
    source = WorldSource(Place("remote", HOST))
    source.capabilities = Capabilities(
        catalog=YES, write=YES, ranges=YES if ranges else Power("no", "the registry serves no ranges")
    )
    repository = BlobRepository(source, "team/kit")
    repository.blobs, repository.asked, repository.ranges = {}, [], ranges
    source.repositories_["team/kit"] = repository
    paths = list(layers)
    document = {
        "manifestVersion": "1.0.0",
        "package": {"name": "kit", "version": "1.0.0", "license": "MIT"},
        "model": {"name": "m", "path": paths[0], "framework": "pytorch", "parameters": {"epochs": 3}},
        "datasets": [{"name": f"d{number}", "path": path} for number, path in enumerate(paths[1:])],
    }
    config = json.dumps(document).encode()
    descriptors = []
    for number, (path, content) in enumerate(layers.items()):
        digest = str(Digest.of(content))
        repository.blobs[digest] = content
        kind = "dataset" if number else "model"
        media_type = f"application/vnd.kitops.modelkit.{kind}.v1.{(media or {}).get(path, 'tar')}"
        descriptors.append({"mediaType": media_type, "digest": digest, "size": len(content)})
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": KIT_CONFIG, "digest": str(Digest.of(config)), "size": len(config)},
        "layers": descriptors,
    }
    raw = json.dumps(manifest).encode()
    digest = str(Digest.of(raw))
    repository.manifests[digest] = raw
    repository.configs[str(Digest.of(config))] = config
    repository.named["champion"] = digest
    world = World(source, **settings)
    return world, repository

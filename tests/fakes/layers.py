"""Layers in memory: one repository of them that counts what is read."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kittui.modelkit import Layer
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import YES, Capabilities, Traits
from kittui.oci.reference import Place
from tests.fakes.memory import traits_of


@dataclass
class LayerReader:
    """A stretch of a blob."""

    content: bytes
    offset: int
    length: int
    at: int = 0
    read: list[int] = field(default_factory=list)

    async def readinto(self, buffer: memoryview) -> int:
        piece = self.content[self.offset + self.at : self.offset + min(self.length, self.at + len(buffer))]
        buffer[: len(piece)] = piece
        self.at += len(piece)
        self.read.append(len(piece))
        return len(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.read.append(self.length)
        yield self.content[self.offset : self.offset + self.length]


@dataclass
class LayersRepository:
    """Blobs by digest, as a repository of a registry; `asked` holds each range's length, `read` what was taken."""

    blobs: Mapping[str, bytes]
    host: str = "fake"
    asked: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    name: str = "r"
    kind: Any = "remote"

    @property
    def source(self) -> Any:
        return self

    @property
    def place(self) -> Place:
        return Place(self.kind, host=self.host)

    @property
    def traits(self) -> Traits:
        return traits_of(self.place)

    capabilities = Capabilities(ranges=YES)

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[LayerReader]:
        content = self.blobs[str(descriptor.digest)]
        length = len(content) - offset if length is None else length
        self.asked.append(length)
        yield LayerReader(content, offset, length, read=self.read)

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        content = self.blobs[str(descriptor.digest)]
        self.asked.append(len(content))
        self.read.append(len(content))
        descriptor.digest.verify(content, "the blob")
        return content


def repository_of(*contents: bytes) -> LayersRepository:
    """A repository that holds these blobs."""
    return LayersRepository({str(Digest.of(content)): content for content in contents})


def layer_of(
    content: bytes,
    compression: Any = "none",
    form: Any = "tar",
    *,
    digest: Digest | None = None,
    kind: Any = "model",
    path: str = "m",
) -> Layer:
    """The layer of a blob; `digest` where it lies about it."""
    media = f"application/vnd.kitops.modelkit.model.v1.{form}" + ("" if compression == "none" else f"+{compression}")
    return Layer(1, kind, path, None, media, digest or Digest.of(content), None, len(content), compression, form)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A USTAR archive of files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()

"""The protocols of sources: one pair for the kit store, registries, layouts and the tests' fakes.

Errors are those of kittui.errors. What a source returns is verified as documented, or labelled as unverified.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal, Protocol, runtime_checkable

from kittui.errors import NetworkError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.oci.target import Target


@dataclass(frozen=True, slots=True)
class Power:
    """One ability of a source: yes, no (with the reason and what to do), or not known yet."""

    state: Literal["yes", "no", "unknown"]
    reason: str = ""
    remedy: str = ""

    @property
    def denied(self) -> bool:
        """Whether this is known to be impossible."""
        return self.state == "no"


YES = Power("yes")
UNKNOWN = Power("unknown")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The abilities of a source as known so far: requests may turn `unknown` into yes or no."""

    catalog: Power = UNKNOWN
    write: Power = UNKNOWN
    untag: Power = UNKNOWN
    delete: Power = UNKNOWN
    ranges: Power = UNKNOWN
    referrers: Power = UNKNOWN
    mount: Power = UNKNOWN
    attach: Power = UNKNOWN


AT_ONCE: Final = 6
"""Default number of concurrent requests."""


@dataclass(frozen=True, slots=True)
class Traits:
    """The constant properties of a source.

    `free`: reading costs no traffic. `lists_digests`: a listing of tags says what they point to. `is_store`: it is
    kit's own store, whose repositories share all blobs. `title`: its name for people. `at_once`: how many rows of it
    are processed concurrently, as configured.
    """

    title: str
    free: bool = False
    lists_digests: bool = False
    is_store: bool = False
    at_once: int = AT_ONCE
    kit_options: tuple[str, ...] = ()
    """The options that kit needs to reach it."""


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """A repository in a listing.

    `problem`: why it can't be read; counts and sizes (bytes) only if they cost nothing.
    """

    name: str
    tag_count: int | None = None
    size: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TagEntry:
    """A tag in a listing; `name` is None for a manifest without tag, `descriptor` None where only names were listed."""

    name: Tag | None
    descriptor: Descriptor | None = None
    problem: str | None = None


class Incomplete(NetworkError):
    """A list was cut short: the entries so far are right, and there may be more.

    `tags` and `repositories` raise it after their last page, so that callers can't mistake a part for the whole;
    `referrers` raises it with what it `found`. `doing` completes "could not ...".
    """

    code: ClassVar[str] = "incomplete"

    def __init__(self, doing: str, reason: str, found: Sequence[Descriptor] = ()) -> None:
        super().__init__(
            f"could not {doing} completely: {reason}",
            hint="What was found is correct, but there may be more. Try again; if that fails, ask the operator.",
        )
        self.reason = reason
        self.found = tuple(found)


class BlobReader(Protocol):
    """Reads a stretch of a blob; closing its context stops the transfer at once."""

    offset: int
    """Where in the blob the stretch starts."""
    length: int
    """Bytes in the stretch."""

    async def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer and return how many bytes; 0 at the end of the stretch, never before it.

        Raises ConnectionLost if the stretch ends early, ContentError if the source lies about its size.
        """
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The stretch in pieces of the transport's own size."""
        ...


@runtime_checkable
class SupportsFile(Protocol):
    """A BlobReader over a file on this machine, whose bytes can be read without the reader."""

    @property
    def file(self) -> io.FileIO | None:
        """The file, None if there is none after all; the reader's `offset` is the stretch's start in it."""
        ...

    def passed(self, count: int) -> None:
        """Skip bytes that were read from the file directly."""
        ...


class BlobContent(Protocol):
    """Bytes to upload that can be read again from any offset (for retries and resumed uploads)."""

    def open(self, offset: int = 0) -> AbstractAsyncContextManager[BlobReader]:
        """Read from an offset to the end."""
        ...


class BlobFiles(Protocol):
    """The blobs of a source on this machine's disk, for a transfer that writes ranges in any order."""

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        ...

    def partial(self, digest: Digest) -> Path:
        """Where an unfinished download of it is kept (with a `.json` beside it that records its ranges)."""
        ...

    def check_room(self, size: int) -> None:
        """Raise if blobs of so many bytes in all can't be written: no space, no permission. Blocks: for threads."""
        ...

    def write_all(self, blobs: Sequence[tuple[Descriptor, bytes]]) -> None:
        """Durably store small verified blobs that do not exist yet. Blocks: for threads."""
        ...

    async def commit(self, descriptor: Descriptor, partial: Path) -> None:
        """Make a complete, verified, fsynced file the blob: rename and fsync the folder."""
        ...

    def lock(self, digest: Digest) -> AbstractAsyncContextManager[None]:
        """Lock a digest: one writer over all kittui processes."""
        ...


class Repository(Protocol):
    """One repository in a source. `target` is always a tag or a digest (which has a colon)."""

    @property
    def source(self) -> Source: ...

    @property
    def name(self) -> str:
        """The name as `ls` prints it."""
        ...

    def reference(self, target: Target | None = None) -> str:
        """The prefixed reference of a tag or digest here, as a user would type it."""
        ...

    @property
    def files(self) -> BlobFiles | None:
        """The blobs as files on this machine; None if they are elsewhere."""
        ...

    async def resolve(self, target: Target) -> Descriptor:
        """The manifest's descriptor, as cheaply as the source allows; raises NotFound."""
        ...

    async def manifest(self, target: Target) -> Manifest:
        """The manifest or index, its bytes verified against the digest asked for (or stated for the tag)."""
        ...

    def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """All tags, page by page as they arrive; sources that know them add manifests without tag (name None).

        Raises Incomplete after the last page that could be read, if there may be more.
        """
        ...

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """A small blob whole and verified; raises TooLarge above `limit` bytes before reading."""
        ...

    def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Read a stretch, unverified; raises Unsupported at enter if a part is requested and only wholes are served."""
        ...

    async def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the repository holds the blob."""
        ...

    async def put_blob(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Store a blob; the source checks the digest.

        Broken connections are retried inside, and resumed if the source can.
        """
        ...

    async def mount_blob(self, descriptor: Descriptor, origin: Repository) -> bool:
        """Mount the blob from another repository of the same source without moving bytes; False if it won't."""
        ...

    async def put_manifest(self, raw: bytes, media_type: str, tag: Tag | None = None) -> Descriptor:
        """Store exactly these bytes, under the tag if given. After a lost answer, the manifest is read to check."""
        ...

    async def untag(self, tag: Tag) -> None:
        """Remove only the tag, never another tag on its digest; raises Unsupported if that is impossible."""
        ...

    async def delete(self, digest: Digest) -> None:
        """Remove the manifest and with it every tag on it in this repository."""
        ...

    async def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        """Manifests whose subject this is: the API, else the fallback tag. Unverified claims of the source.

        Raises Incomplete, with those found, if there may be more.
        """
        ...


class Source(Protocol):
    """A place where ModelKits live."""

    @property
    def place(self) -> Place: ...

    @property
    def traits(self) -> Traits: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        """All repositories, page by page; raises Unsupported if there is no catalog, Incomplete as `tags` does."""
        ...

    def repository(self, name: str) -> Repository:
        """Return the repository with a name as `ls` prints it; no request is sent yet."""
        ...

    async def aclose(self) -> None:
        """Close connections; nothing of the source may be used afterwards."""
        ...


@runtime_checkable
class SupportsPing(Protocol):
    """A source that can check whether it is reachable and accepts the credentials."""

    async def ping(self) -> str:
        """Describe what answered in one line; raises AuthError or NetworkError."""
        ...


@runtime_checkable
class SupportsLogin(Protocol):
    """A source that uses credentials."""

    def forget_login(self) -> None:
        """Look up the credentials again before the next request."""
        ...


@runtime_checkable
class SupportsOnly(Protocol):
    """A repository that may hold a single ModelKit, which is the default if none is named."""

    async def only(self) -> Target | None:
        """The tag or digest of its only ModelKit; None if there are several, or none."""
        ...


@runtime_checkable
class SupportsAccept(Protocol):
    """A repository that can check whether it accepts a manifest, before anything is moved."""

    async def accept(self, manifest: Manifest) -> None:
        """Raise Unsupported if it does not."""
        ...


@runtime_checkable
class SupportsUntagProbe(Protocol):
    """A repository that can check whether it can remove a single tag, without removing anything."""

    async def probe_untag(self) -> Power:
        """Yes, or no with the reason and what to do about it."""
        ...


@runtime_checkable
class SupportsDeleteProbe(Protocol):
    """A repository that can check whether it can delete, without deleting anything."""

    async def probe_deletes(self) -> Power:
        """Yes, or no with the reason and what to do about it."""
        ...


def at_once(repositories: Iterable[Repository]) -> int:
    """How many rows of these repositories are processed concurrently."""
    return max((repository.source.traits.at_once for repository in repositories), default=1)

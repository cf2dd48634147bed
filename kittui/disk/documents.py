"""Index documents on disk: `index.json` in its three uses, and reading them while another program rewrites them.

kit rewrites its files in place, so a reader can meet an empty or half-written one: such a file is read again for a
second before it counts as broken.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kittui.budget import Budget
from kittui.disk.blobs import open_regular
from kittui.disk.durable import storage_error
from kittui.errors import KittuiError, Malformed, TooLarge
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.documents import load_json
from kittui.oci.media_types import OCI_INDEX

DOCUMENT_LIMIT = 64 * 1024 * 1024
"""The largest index document in bytes."""
ATTEMPTS = 11
PAUSE = 0.1
"""Seconds between attempts to read a half-written file."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One entry of an index: its JSON, and its descriptor or why it has none."""

    document: Any
    descriptor: Descriptor | None
    problem: str | None = None

    @classmethod
    def of(cls, descriptor: Descriptor) -> IndexEntry:
        """Create an entry for a descriptor."""
        return cls(descriptor.to_json(), descriptor)


@dataclass(frozen=True, slots=True)
class IndexDocument:
    """An OCI index on disk; `fields` are those beside `manifests`, kept in order when it is written again."""

    entries: tuple[IndexEntry, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, raw: bytes) -> IndexDocument:
        """Read one; null documents and `"manifests": null` are empty. Raises Malformed."""
        document = _load(raw, "the index")
        manifests = document.get("manifests")
        if manifests is None:
            manifests = []
        if not isinstance(manifests, list):
            raise Malformed("the index's manifests are not a list")
        entries = tuple(_entry(value, f"entry {number} of the index") for number, value in enumerate(manifests, 1))
        return cls(entries, {key: value for key, value in document.items() if key != "manifests"})

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """The readable descriptors, in the file's order."""
        return tuple(entry.descriptor for entry in self.entries if entry.descriptor is not None)

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests listed."""
        return frozenset(descriptor.digest for descriptor in self.descriptors)

    def find(self, digest: str) -> Descriptor | None:
        """The first descriptor of a digest."""
        return next((entry for entry in self.descriptors if entry.digest == digest), None)

    def raw(self, *, media_type: bool) -> bytes:
        """Compact JSON as Go writes it; `media_type` is added if the index has none."""
        document: dict[str, Any] = {"schemaVersion": 2}
        if media_type:
            document["mediaType"] = OCI_INDEX
        document |= self.fields
        document["manifests"] = [entry.document for entry in self.entries]
        return compact_json(document)


@dataclass(frozen=True, slots=True)
class TagsDocument:
    """kit's map of tags to descriptors."""

    entries: dict[str, IndexEntry] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, raw: bytes) -> TagsDocument:
        """Read one; null is empty. Raises Malformed."""
        document = _load(raw, "the tags file")
        return cls({tag: _entry(value, "the tag's descriptor") for tag, value in document.items()})

    def on(self, digest: str) -> list[str]:
        """The tags of a digest, sorted."""
        return sorted(
            tag for tag, entry in self.entries.items() if entry.descriptor and entry.descriptor.digest == digest
        )

    def raw(self) -> bytes:
        """Compact JSON, tags sorted by their bytes as Go sorts them."""
        tags = sorted(self.entries, key=lambda tag: tag.encode("utf-8", "surrogatepass"))
        return compact_json({tag: self.entries[tag].document for tag in tags})


def compact_json(document: Any) -> bytes:
    """JSON without spaces; non-ASCII characters stay unescaped, except those that UTF-8 can't encode."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def _load(raw: bytes, what: str) -> dict[str, Any]:
    document = load_json(raw, Budget(what, input=DOCUMENT_LIMIT, items=2_000_000))
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Malformed(f"{what} is not a JSON object")
    return document


def _entry(value: Any, what: str) -> IndexEntry:
    try:
        return IndexEntry(value, Descriptor.parse(value, what))
    except KittuiError as error:
        return IndexEntry(value, None, error.message)


def read_bounded(path: Path, limit: int = DOCUMENT_LIMIT) -> bytes | None:
    """A file's bytes, None if it does not exist; raises TooLarge over the limit, StorageError."""
    file = open_regular(path)
    if file is None:
        return None
    with io.BufferedReader(file) as buffered:
        try:
            raw = buffered.read(limit + 1)
        except OSError as error:
            raise storage_error(error, f"read {path}") from error
    if len(raw) > limit:
        raise TooLarge(f"{path.name} is over {limit // 1024 // 1024} MiB")
    return raw


def read_document(path: Path, parse: Callable[[bytes], T], empty: T) -> T:
    """Read and parse a file, waiting out a half-written one; `empty` if it does not exist. Blocks: for threads.

    Raises Malformed when it still can't be parsed after a second, StorageError when it can't be read.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE)
        result = _attempt(path, parse)
        if not isinstance(result, Malformed):
            break
    if isinstance(result, KittuiError):
        raise result
    return empty if result is None else result


async def read_documents(paths: Sequence[Path], parse: Callable[[bytes], T]) -> list[T | KittuiError | None]:
    """Read many files: each one's document, None if it does not exist, or the error. Half-written ones are waited for
    together."""
    results: list[T | KittuiError | None] = [None] * len(paths)
    pending = list(range(len(paths)))
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(PAUSE)
        found = await asyncio.to_thread(_attempts, [paths[number] for number in pending], parse)
        for number, result in zip(pending, found, strict=True):
            results[number] = result
        pending = [number for number in pending if isinstance(results[number], Malformed)]
        if not pending:
            break
    return results


def _attempts(paths: Sequence[Path], parse: Callable[[bytes], T]) -> list[T | KittuiError | None]:
    return [_attempt(path, parse) for path in paths]


def _attempt(path: Path, parse: Callable[[bytes], T]) -> T | KittuiError | None:
    try:
        raw = read_bounded(path)
        return None if raw is None else parse(raw)
    except Malformed as error:
        return Malformed(f"{path.name}: {error.message}", hint="Run kittui doctor to see what can be repaired.")
    except KittuiError as error:
        return error

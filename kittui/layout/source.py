"""An OCI image layout as a source (OCI image-spec, image-layout.md)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument, read_documents
from kittui.disk.holdings import read_holdings
from kittui.disk.listing import content_size
from kittui.disk.room import nearest
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound
from kittui.layout.index import NamedEntry, named_entries
from kittui.layout.repository import LayoutRepository
from kittui.layout.writer import LayoutWriter
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.holdings import Holdings, Progressed
from kittui.oci.manifest import load_object
from kittui.oci.protocols import YES, Capabilities, Power, RepositoryEntry, Traits
from kittui.oci.reference import WHOLE_LAYOUT, Place, check_host, check_repository
from kittui.oci.tag import Tag
from kittui.terminal import counted


def is_layout(path: str) -> bool:
    """Whether a folder is an OCI image layout, whole or damaged: it has `oci-layout`, or index.json and blobs/."""
    try:
        folder = Path(path)
        return (folder / "oci-layout").is_file() or ((folder / "index.json").is_file() and (folder / "blobs").is_dir())
    except (OSError, ValueError):
        return False


class LayoutSource:
    """A layout folder. A missing one is created by the first write; reading it raises NotFound."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.blobs = BlobFolder(directory / "blobs")
        self.writer = LayoutWriter(directory, self.blobs)

    @property
    def place(self) -> Place:
        return Place("oci", directory=str(self.directory))

    @property
    def index_path(self) -> Path:
        """`index.json`, which lists all manifests and tags."""
        return self.directory / "index.json"

    @property
    def traits(self) -> Traits:
        """The traits: on this machine, and not kit's store."""
        return Traits(f"the layout {self.directory}", free=True, lists_digests=True)

    @property
    def capabilities(self) -> Capabilities:
        write = self._writable()
        return Capabilities(
            catalog=YES,
            write=write,
            untag=write,
            delete=write,
            ranges=YES,
            referrers=YES,
            mount=write,
            attach=write,
        )

    def _writable(self) -> Power:
        folder = nearest(self.directory.absolute())
        if os.access(folder, os.W_OK):
            return YES
        return Power("no", f"{folder} can't be written", "Change its owner or permissions, or copy the folder.")

    async def read(self) -> IndexDocument:
        """Read `index.json`; raises NotFound if there is no layout, Malformed."""
        [index] = await read_documents([self.index_path], IndexDocument.parse)
        if isinstance(index, KittuiError):
            raise index.at(str(self.place))
        if index is None:
            raise self._no_index()
        return index

    def _no_index(self) -> NotFound:
        if is_layout(str(self.directory)):
            return NotFound(
                "the layout has no index.json, so nothing in it has a name",
                hint="If a copy into it was interrupted, run that again; else copy the layout again.",
                reference=str(self.place),
            )
        return NotFound(
            f"{self.directory} is not an OCI image layout",
            hint="A layout is a folder with oci-layout, index.json and blobs/.",
            reference=str(self.place),
        )

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        """The repositories named in tags, `.` first.

        A damaged index.json or oci-layout is shown as a problem of `.`.
        """
        try:
            index = await self.read()
        except KittuiError as error:
            if isinstance(error, NotFound) and not is_layout(str(self.directory)):
                raise
            yield [RepositoryEntry(WHOLE_LAYOUT, problem=error.message)]
            return
        yield await in_thread(self._entries, named_entries(index))

    def _entries(self, entries: Sequence[NamedEntry]) -> list[RepositoryEntry]:
        grouped: dict[str, list[NamedEntry]] = {}
        for entry in entries:
            grouped.setdefault(entry.repository, []).append(entry)
        if len(grouped) > 1 and all(map(self._is_attached, grouped.get(WHOLE_LAYOUT, ()))):
            # Attachments by cosign or kittui have no name, and are not a repository.
            grouped.pop(WHOLE_LAYOUT, None)
        problem = self._version_problem()
        if problem or not grouped:
            grouped.setdefault(WHOLE_LAYOUT, [])
        return [
            RepositoryEntry(
                name,
                len([entry for entry in grouped[name] if entry.tag is not None]),
                content_size(self.blobs, [entry.descriptor for entry in grouped[name] if entry.descriptor]),
                problem if name == WHOLE_LAYOUT else None,
            )
            for name in sorted(grouped, key=lambda name: (name != WHOLE_LAYOUT, name))
        ]

    def _is_attached(self, entry: NamedEntry) -> bool:
        return entry.tag is None and entry.descriptor is not None and self.blobs.is_attached(entry.descriptor)

    def _version_problem(self) -> str | None:
        """The problem of the `oci-layout` file, if any. All versions 1.x are accepted."""
        try:
            raw = (self.directory / "oci-layout").read_bytes()[:4096]
            version = load_object(raw, "oci-layout").get("imageLayoutVersion")
        except FileNotFoundError:
            return "the file oci-layout is missing, so other tools may refuse this layout"
        except OSError as error:
            return f"the file oci-layout can't be read: {error.strerror}"
        except KittuiError as error:
            return error.message
        if isinstance(version, str) and version.startswith("1."):
            return None
        return f"oci-layout states the version {str(version)[:40]!r}; kittui knows 1.x"

    def repository(self, name: str) -> LayoutRepository:
        """Return the repository with a name as `ls` prints it; raises BadReference otherwise."""
        if name != WHOLE_LAYOUT:
            first, slash, tail = name.partition("/")
            if slash and ("." in first or ":" in first):
                check_host(first)
                check_repository(tail)
            else:
                check_repository(name)
        return LayoutRepository(self, name, self.read, self.blobs, self.writer)

    async def ping(self) -> str:
        """Describe the layout in one line; raises NotFound if there is none, StorageError."""
        index = await self.read()
        return f"an OCI image layout in {self.directory}: {counted(len(index.entries), 'entry')}"

    async def holdings(self, told: Progressed = lambda done, total: None) -> Holdings:
        """Read what index.json lists; if an entry can't be read, nothing counts as unused."""
        index = await self.read()
        entries = named_entries(index)
        named = {entry.descriptor.digest for entry in entries if entry.descriptor and entry.tag}
        found: dict[tuple[str, Digest], tuple[Descriptor, list[Tag]]] = {}
        for entry in entries:
            # An entry without a name is dropped with any that has one.
            if entry.descriptor is not None and (entry.tag or entry.descriptor.digest not in named):
                _, tags = found.setdefault((entry.repository, entry.descriptor.digest), (entry.descriptor, []))
                tags += [entry.tag] if entry.tag else []
        listed = [(name, descriptor, tuple(tags)) for (name, _), (descriptor, tags) in found.items()]
        unread = any(entry.descriptor is None for entry in entries)
        doubt = "an entry of the layout's index.json can't be read" if unread else ""
        folders = (self.directory, self.blobs.folder, self.blobs.folder / "sha256")
        partials = [folder / ".kittui" / "partial" for folder in folders]
        return await read_holdings(self.blobs, listed, told, partials=partials, doubt=doubt)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""

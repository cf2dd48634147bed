"""Finds kit's store, and names the files in it."""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kittui.disk.paths import home_folder, is_nowhere
from kittui.disk.room import nearest
from kittui.errors import KittuiError, StorageError, Unsupported
from kittui.oci.protocols import YES, Power
from kittui.oci.reference import parse_reference, store_display

_INDEX_NAME = re.compile(r"([-A-Za-z0-9_]*={0,3})-index\.json\Z")
_TAGS_NAME = re.compile(r"([-A-Za-z0-9_]*={0,3})-tags\.json\Z")


def store_root(flag: str | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """The folder of kit's store: `--store`, else $KITOPS_HOME, else the platform's place, as kit finds it.

    Linux: $XDG_DATA_HOME/kitops or ~/.local/share/kitops; macOS: ~/Library/Caches/kitops.
    """
    environ = os.environ if environ is None else environ
    named = flag or environ.get("KITOPS_HOME")
    if named:
        return Path(named).absolute()
    if sys.platform == "darwin":
        return home_folder(environ) / "Library/Caches/kitops"
    shared = environ.get("XDG_DATA_HOME")
    return Path(shared).absolute() / "kitops" if shared else home_folder(environ) / ".local/share/kitops"


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The paths in a store; kittui's own are all in `own`, outside storage/, where kit searches every folder."""

    root: Path

    @property
    def storage(self) -> Path:
        """The OCI layout that kit keeps everything in."""
        return self.root / "storage"

    @property
    def own(self) -> Path:
        """kittui's folder: lock files, partial downloads, drafts of index files."""
        return self.root / "kittui"

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """kittui's folder, and those used instead if storage/ or blobs/ is a link to another disk."""
        return (self.own, *(folder / ".kittui" for folder in (self.storage, self.blobs, self.blobs / "sha256")))

    @property
    def partials(self) -> tuple[Path, ...]:
        """The folder of unfinished blobs, on the blobs' file system, so that a rename completes them."""
        return tuple(own / "partial" for own in self.own_folders)

    @property
    def blobs(self) -> Path:
        """Manifests, configs and layers of all repositories."""
        return self.storage / "blobs"

    @property
    def layout(self) -> Path:
        """The file that makes storage/ an OCI layout."""
        return self.storage / "oci-layout"

    @property
    def shared_index(self) -> Path:
        """`index.json`: kit's deletion keeps only what this lists."""
        return self.storage / "index.json"

    def index(self, store_name: str) -> Path:
        """`<B>-index.json` of a repository: its manifests."""
        return self.storage / f"{encode_name(store_name)}-index.json"

    def all_indexes(self) -> list[Path]:
        """The `<B>-index.json` files of repositories; others with such names are unknown files. Blocks."""
        if not self.storage.is_dir():
            return []
        names = ((path, _INDEX_NAME.match(path.name)) for path in self.storage.iterdir())
        return sorted(path for path, match in names if match and decode_name(match[1]).store_name is not None)

    def power(self) -> Power:
        """Whether the store can be written, by its permissions. Blocks."""
        folder = nearest(self.storage)
        if not is_nowhere(self.root) and os.access(folder, os.W_OK):
            return YES
        reason = (
            "the home folder is unknown, so there is no store"
            if is_nowhere(self.root)
            else f"{folder} can't be written"
        )
        return Power("no", reason, "Set KITOPS_HOME, or give --store, to a folder that can be written.")

    def check(self, store_name: str) -> None:
        """Raise StorageError if nothing can be written, Unsupported for a repository whose files would have names
        that are too long for the disk. Blocks.
        """
        power = self.power()
        if power.denied:
            raise StorageError(power.reason, hint=power.remedy)
        folder = nearest(self.storage)
        limit = os.pathconf(folder, "PC_NAME_MAX")
        length = len(self.index(store_name).name)
        if length > limit:
            raise Unsupported(
                f"the name is too long for the store: its file's name would have {length} characters, {limit} at most",
                hint="Use a shorter name (kittui copy REF local://NAME:TAG) or a layout (oci:DIR:TAG).",
                reference=f"local://{store_display(store_name)}",
            )

    def tags(self, store_name: str) -> Path:
        """`<B>-tags.json` of a repository: its tags."""
        return self.storage / f"{encode_name(store_name)}-tags.json"


def encode_name(store_name: str) -> str:
    """A repository's name in file names: padded URL-safe base64."""
    return base64.urlsafe_b64encode(store_name.encode()).decode()


@dataclass(frozen=True, slots=True)
class StoredName:
    """A repository by its files' names: `store_name` is None if they hold none (see `problem`)."""

    encoded: str
    store_name: str | None
    problem: str | None = None
    breaks_kit: bool = False

    @property
    def display(self) -> str:
        """The name as `ls` prints it; the file's own name if it can't be decoded."""
        return self.encoded if self.store_name is None else store_display(self.store_name)


def stored_names(file_names: list[str]) -> list[StoredName]:
    """The repositories of a storage/ folder's files, sorted by full name as in kit."""
    encoded = {match[1] for name in file_names if (match := _INDEX_NAME.match(name) or _TAGS_NAME.match(name))}
    names = [decode_name(text) for text in encoded]
    return sorted(names, key=lambda name: (name.store_name is None, name.store_name or "", name.encoded))


def decode_name(encoded: str) -> StoredName:
    """Decode a file's name; one that is not a repository's gives a problem, never an error."""
    try:
        store_name = base64.b64decode(encoded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return StoredName(encoded, None, f"{encoded} is not a repository's name in base64", breaks_kit=True)
    if not _comes_back(store_name) or encode_name(store_name) != encoded:
        return StoredName(encoded, None, f"{store_name[:100]!r} is not a repository name")
    return StoredName(encoded, store_name)


def _comes_back(store_name: str) -> bool:
    try:
        return parse_reference("local://" + store_display(store_name)).store_name == store_name
    except KittuiError:
        return False

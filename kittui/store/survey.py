"""Reads a store once, with what can't be read in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument, TagsDocument, read_document
from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.store.root import StoredName, StorePaths, stored_names
from kittui.store.strangers import reachable_from_strangers


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `kind` is a fixed word, `subject` the repository, tag, digest or file it is about.

    `breaks_kit`: every `kit list` fails on it. `remedy`: what to do where `repair_store` leaves it alone.
    """

    kind: str
    subject: str
    detail: str
    repairable: bool = True
    breaks_kit: bool = False
    remedy: str = ""


@dataclass
class Survey:
    """A store as read, for `inspect_store` to assess and `repair_store` to repair."""

    paths: StorePaths
    indexes: dict[str, IndexDocument] = field(default_factory=dict)
    tags: dict[str, TagsDocument] = field(default_factory=dict)
    shared: IndexDocument | None = None
    sizes: dict[Digest, int] = field(default_factory=dict)
    unused: list[Digest] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    broken: list[tuple[Path, KittuiError]] = field(default_factory=list)
    unnamed: list[IndexDocument] = field(default_factory=list)
    foreign: set[Digest] | None = field(default_factory=set)
    """What files that are not understood may refer to; None if unknown."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def blobs(self) -> BlobFolder:
        """The store's blobs."""
        return BlobFolder(self.paths.blobs)


def read_store(survey: Survey, *, verify: bool) -> None:
    """Read a store into a survey; with `verify`, hash every blob too. Blocks."""
    _read_indexes(survey)
    _read_strangers(survey)
    _read_blobs(survey, verify)


def _read_indexes(survey: Survey) -> None:
    paths = survey.paths
    for name in stored_names([path.name for path in paths.storage.iterdir()]):
        if name.store_name is None:
            _misnamed(survey, name)
            continue
        try:
            index = read_document(paths.index(name.store_name), IndexDocument.parse, IndexDocument())
            survey.indexes[name.store_name] = index
        except KittuiError as error:
            _broken(survey, paths.index(name.store_name), error)
        try:
            tags = read_document(paths.tags(name.store_name), TagsDocument.parse, TagsDocument())
            survey.tags[name.store_name] = tags
        except KittuiError as error:
            _broken(survey, paths.tags(name.store_name), error)
    try:
        survey.shared = read_document(paths.shared_index, IndexDocument.parse, IndexDocument())
    except KittuiError as error:
        _broken(survey, paths.shared_index, error)
    for folder in (path for path in paths.storage.iterdir() if path.is_dir()):
        for found in folder.rglob("index.json"):
            survey.problems.append(
                Problem(
                    "migration",
                    str(found.relative_to(paths.root)),
                    f"kit takes this for a store of an old form, and deletes the folder {folder.name} when it is run",
                    repairable=False,
                    remedy="Move the file out of storage/ before kit is run again.",
                )
            )


def _misnamed(survey: Survey, name: StoredName) -> None:
    path = survey.paths.storage / f"{name.encoded}-index.json"
    listed = path.exists()
    survey.problems.append(
        Problem(
            "bad-name",
            path.name if listed else f"{name.encoded}-tags.json",
            name.problem or "",
            repairable=False,
            breaks_kit=name.breaks_kit and listed,
            remedy=(
                "It may belong to a newer kit, so it is left alone. If no kit wrote it, move it out of storage/."
                if name.breaks_kit
                else "kit can use it under that name; kittui can't."
            ),
        )
    )
    # A file of another form is unknown rather than broken, and what it may list counts as used.
    with suppress(KittuiError):
        survey.unnamed.append(read_document(path, IndexDocument.parse, IndexDocument()))


def _read_strangers(survey: Survey) -> None:
    try:
        survey.foreign = reachable_from_strangers(survey.paths, survey.blobs)
    except KittuiError as error:
        survey.foreign = None
        survey.problems.append(
            Problem(
                "not-understood",
                str(survey.paths.storage),
                error.message,
                repairable=False,
                remedy="No blob is deleted while it exists. A newer kittui may understand it.",
            )
        )


def _broken(survey: Survey, path: Path, error: KittuiError) -> None:
    survey.broken.append((path, error))
    survey.problems.append(Problem("unreadable-index", path.name, error.message, breaks_kit=True))


def _read_blobs(survey: Survey, verify: bool) -> None:
    for algorithm in ("sha256", "sha512"):
        folder = survey.paths.blobs / algorithm
        if not folder.is_dir():
            continue
        for path in folder.iterdir():
            try:
                digest = Digest.parse(f"{algorithm}:{path.name}")
            except KittuiError:
                continue
            size = survey.blobs.size(digest)
            if size is None:
                continue
            survey.sizes[digest] = size
            if verify and not _matches(path, digest):
                survey.problems.append(
                    Problem(
                        "damaged-blob",
                        digest,
                        "its bytes do not match its digest",
                        repairable=False,
                        remedy="Remove the ModelKits that use it and pull them again; intact blobs stay.",
                    )
                )


def _matches(path: Path, digest: Digest) -> bool:
    hasher = digest.hasher()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest() == digest.hex

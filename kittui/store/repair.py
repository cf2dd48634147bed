"""Repairs a store: lists again what kit's races lost, and moves away what makes kit fail. Deletes no ModelKit."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kittui.disk.documents import IndexDocument, IndexEntry
from kittui.disk.durable import make_private_folder, remove_file, storage_error
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError
from kittui.oci.descriptor import Descriptor
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.reference import DEFAULT_REGISTRY, UNNAMED, store_display
from kittui.store.doctor import survey_store
from kittui.store.installed import installed_kit
from kittui.store.readable import check_config, check_manifest, is_modelpack
from kittui.store.source import LocalSource
from kittui.store.survey import Problem, Survey
from kittui.store.writer import StoreWriter, plain, with_manifest

_UNNAMED_REPOSITORY = f"{DEFAULT_REGISTRY}/{UNNAMED}"
_SETTLED = 60.0
"""Seconds since the last write before a broken file is set aside: kit may still be writing it."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that was repaired: the kind and subject of its problem, and what was done."""

    kind: str
    subject: str
    done: str


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was repaired, and the problems that are left."""

    repairs: tuple[Repair, ...]
    problems: tuple[Problem, ...]


async def repair_store(root: Path) -> RepairReport:
    """Repair a store under the lock between kittui processes; best while kit is not running. Raises StorageError.

    Broken index files are moved to kittui/set-aside, manifests that no repository lists come back as unnamed ones,
    index.json is completed; tags without manifest, unused blobs and old partials are deleted. Files with unknown names
    are left alone, and so is everything that they, or files set aside, may refer to.
    """
    source = LocalSource(root)
    repairer = _Repairer(source.writer)
    if not source.paths.storage.is_dir():
        survey = await in_thread(survey_store, root)
        await in_thread(repairer.credentials, survey)
        return RepairReport(tuple(repairer.repairs), tuple((await in_thread(survey_store, root)).problems))
    async with source.writer.lock():
        left = await in_thread(repairer.repair, root)
    return RepairReport(tuple(repairer.repairs), tuple(left.problems))


class _Repairer:
    """Repairs one store. Blocks throughout; the lock is held."""

    def __init__(self, writer: StoreWriter) -> None:
        self.repairs: list[Repair] = []
        self._writer = writer

    def repair(self, root: Path) -> Survey:
        """Take all steps; each reads the store again if the one before changed it."""
        self._writer.prepare()
        survey = survey_store(root)
        self.credentials(survey)
        self.set_aside(survey)
        survey = survey_store(root)
        self.tags(survey)
        self.manifests(survey)
        self.shared(survey_store(root))
        survey = survey_store(root)
        self.unused(survey)
        return survey_store(root)

    def _did(self, kind: str, subject: str, done: str) -> None:
        self.repairs.append(Repair(kind, subject, done))

    def credentials(self, survey: Survey) -> None:
        """Make the logins readable only by their owner."""
        for problem in survey.problems:
            if problem.kind == "open-credentials":
                path = Path(problem.subject)
                try:
                    path.chmod(0o600)
                except OSError as error:
                    raise storage_error(error, f"change the permissions of {path}") from error
                self._did(problem.kind, problem.subject, "readable only by you now")

    def set_aside(self, survey: Survey) -> None:
        """Move index files that make kit fail out of its way."""
        folder = survey.paths.own / "set-aside"
        for path, _ in survey.broken:
            try:
                if time.time() - path.stat().st_mtime < _SETTLED:
                    continue
                make_private_folder(folder, survey.paths.own)
                target = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{path.name}"
                path.replace(target)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise storage_error(error, f"set {path} aside") from error
            self._did("unreadable-index", path.name, f"moved to {target}")

    def tags(self, survey: Survey) -> None:
        """List again manifests that only tags point to; remove tags whose manifest is gone."""
        for name, tags in survey.tags.items():
            index = survey.indexes.get(name)
            if index is None:
                continue
            gone: list[str] = []
            for tag, entry in tags.entries.items():
                if entry.descriptor is not None and entry.descriptor.digest in index.digests:
                    continue
                subject = f"{store_display(name)}:{tag}"
                if entry.descriptor is not None and _usable(survey, entry.descriptor):
                    self._list(name, entry.descriptor)
                    self._did("dangling-tag", subject, "its manifest is listed again")
                elif not _of_a_newer_kit(survey, entry.descriptor):
                    gone.append(tag)
                    self._did("dangling-tag", subject, "removed: its manifest is not in the store; pull it again")
            if gone:
                self._writer.edit_tags(name, lambda now, gone=gone: _without(now, gone))  # type: ignore[misc]

    def manifests(self, survey: Survey) -> None:
        """Drop entries whose manifest is gone from repositories, with their tags: every kit list fails on them."""
        for name, index in survey.indexes.items():
            lost = [entry for entry in index.entries if not _there(survey, entry)]
            if not lost:
                continue
            for entry in lost:
                digest = entry.descriptor.digest if entry.descriptor else None
                tags = survey.tags[name].on(digest) if digest and name in survey.tags else []
                subject = f"{store_display(name)}@{digest}" if digest else store_display(name)
                named = f", with the tags {', '.join(tags)}: pull them again" if tags else ""
                self._did("missing-manifest" if digest else "bad-entry", subject, f"removed from the list{named}")
                if tags:
                    self._writer.edit_tags(name, lambda now, tags=tags: _without(now, tags))  # type: ignore[misc]
            self._writer.edit_index(name, lambda now, lost=lost: _kept(now, lost))  # type: ignore[misc]

    def shared(self, survey: Survey) -> None:
        """Complete index.json, list unlisted manifests in a repository, and drop missing ones."""
        if survey.broken or survey.shared is None or survey.foreign is None:
            return
        unnamed = {digest for index in survey.unnamed for digest in index.digests} | survey.foreign
        listed = {entry.digest: (name, entry) for name, index in survey.indexes.items() for entry in index.descriptors}
        for digest, (name, _) in listed.items():
            if digest not in survey.shared.digests:
                self._did("not-in-index", f"{store_display(name)}@{digest}", "listed in index.json again")
        gone: list[IndexEntry] = []
        for entry in survey.shared.entries:
            descriptor = entry.descriptor
            if descriptor is None or descriptor.digest in listed or descriptor.digest in unnamed:
                continue
            if _usable(survey, descriptor):
                self._list(_UNNAMED_REPOSITORY, descriptor)
                self._did("unlisted-manifest", descriptor.digest, f"listed in {_UNNAMED_REPOSITORY}; tag or remove it")
            elif descriptor.digest not in survey.sizes:
                gone.append(entry)
                self._did("unlisted-manifest", descriptor.digest, "removed from index.json: it is not in the store")

        def edit(index: IndexDocument) -> IndexDocument:
            for _, descriptor in listed.values():
                index = with_manifest(index, descriptor)
            return _kept(index, gone)

        self._writer.edit_shared(edit)

    def unused(self, survey: Survey) -> None:
        """Delete old unreferenced blobs, and old abandoned partial downloads."""
        freed = sum(survey.sizes[digest] for digest in survey.unused)
        for digest in survey.unused:
            remove_file(survey.blobs.path(digest), point="store.blob")
        if survey.unused:
            self._did("unused-blobs", "blobs", f"{len(survey.unused)} deleted, {freed} bytes freed")
        for path in survey.leftovers:
            with suppress(KittuiError):
                remove_file(path, point="store.leftover")
        if survey.leftovers:
            self._did("leftovers", "kittui/partial", f"{len(survey.leftovers)} deleted")

    def _list(self, name: str, descriptor: Descriptor) -> None:
        self._writer.edit_shared(lambda index: with_manifest(index, plain(descriptor)))
        self._writer.edit_index(name, lambda index: with_manifest(index, plain(descriptor)))


def _usable(survey: Survey, descriptor: Descriptor) -> bool:
    """Whether kit can list the manifest; anything else would make it fail."""
    try:
        manifest = survey.blobs.manifest(descriptor)
        packed = is_modelpack(manifest)
        check_manifest(manifest, installed_kit() if packed else None)
        if manifest.config is not None:
            check_config(survey.blobs.read(manifest.config, CONFIG_LIMIT, "the config"), modelpack=packed)
    except KittuiError:
        return False
    return True


def _of_a_newer_kit(survey: Survey, descriptor: Descriptor | None) -> bool:
    """Whether there is a manifest that a newer kit than the installed one may have written."""
    try:
        manifest = survey.blobs.manifest(descriptor) if descriptor is not None else None
    except KittuiError:
        return False
    return manifest is not None and (manifest.is_index or is_modelpack(manifest))


def _there(survey: Survey, entry: IndexEntry) -> bool:
    return entry.descriptor is not None and survey.blobs.complaint(entry.descriptor) is None


def _kept(index: IndexDocument, gone: list[IndexEntry]) -> IndexDocument:
    return IndexDocument(tuple(entry for entry in index.entries if entry not in gone), index.fields)


def _without(tags: dict[str, IndexEntry], gone: list[str]) -> dict[str, IndexEntry]:
    return {tag: entry for tag, entry in tags.items() if tag not in gone}

"""Finds what is wrong with a store, and what can be repaired without loss."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kittui.disk.documents import IndexDocument, TagsDocument
from kittui.disk.reach import reachable
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError
from kittui.oci.descriptor import Descriptor
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.reference import store_display
from kittui.store.installed import InstalledKit, installed_kit
from kittui.store.readable import check_config, check_manifest, is_modelpack
from kittui.store.root import StorePaths
from kittui.store.survey import Problem, Survey, read_store

HOUR = 3600.0
DAY = 24 * HOUR
"""Age in seconds at which an unfinished download counts as left over."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """A store's contents: counts, bytes on disk, unused bytes, and problems."""

    root: Path
    repositories: int = 0
    tags: int = 0
    manifests: int = 0
    blobs: int = 0
    size: int = 0
    unused: int = 0
    problems: tuple[Problem, ...] = ()
    kit: InstalledKit = field(default_factory=lambda: InstalledKit(None))


async def inspect_store(root: Path, *, verify: bool = False) -> StoreReport:
    """Check everything in a store; with `verify`, hash every blob too. A missing store gives an empty report.

    Raises StorageError if the folder itself can't be read; every other error is a problem in the report.
    """
    survey = await in_thread(survey_store, root, verify=verify)
    return StoreReport(
        root,
        len(survey.indexes),
        sum(len(tags.entries) for tags in survey.tags.values()),
        len({digest for index in survey.indexes.values() for digest in index.digests}),
        len(survey.sizes),
        sum(survey.sizes.values()),
        sum(survey.sizes.get(digest, 0) for digest in survey.unused),
        tuple(survey.problems),
        await in_thread(installed_kit),
    )


def survey_store(root: Path, *, verify: bool = False) -> Survey:
    """Read a whole store, and assess it. Blocks."""
    survey = Survey(StorePaths(root))
    _look_at_credentials(survey)
    if not survey.paths.storage.is_dir():
        return survey
    read_store(survey, verify=verify)
    for name, index in survey.indexes.items():
        _look_at_repository(survey, name, index)
    _look_at_shared_index(survey)
    _look_for_unused(survey)
    _look_for_leftovers(survey)
    return survey


def _look_at_repository(survey: Survey, name: str, index: IndexDocument) -> None:
    display = store_display(name)
    for entry in index.entries:
        if entry.descriptor is None:
            problem = Problem("bad-entry", display, entry.problem or "", breaks_kit=True)
            survey.problems.append(problem)
    for descriptor in index.descriptors:
        survey.problems += _manifest_problems(survey, f"{display}@{descriptor.digest}", descriptor)
    tags = survey.tags.get(name, TagsDocument())
    for tag, entry in tags.entries.items():
        digest = entry.descriptor.digest if entry.descriptor is not None else None
        if digest is None:
            survey.problems.append(Problem("dangling-tag", f"{display}:{tag}", entry.problem or ""))
        elif digest not in index.digests:
            there = digest in survey.sizes
            detail = "the repository doesn't list its manifest, so kit doesn't see it"
            if not there:
                detail = "its manifest is no longer in the store"
            survey.problems.append(Problem("dangling-tag", f"{display}:{tag}", detail))


def _manifest_problems(survey: Survey, subject: str, descriptor: Descriptor) -> Iterable[Problem]:
    kit: InstalledKit | None = None
    if complaint := survey.blobs.complaint(descriptor):
        yield Problem("missing-manifest", subject, complaint, breaks_kit=True)
        return
    try:
        manifest = survey.blobs.manifest(descriptor)
        kit = installed_kit() if is_modelpack(manifest) else None
        check_manifest(manifest, kit)
    except KittuiError as error:
        if kit is None:
            kind, breaks, remedy = "not-a-modelkit", True, "Remove it from the store."
        else:
            kind, breaks = "newer-kit", kit.version is not None
            remedy = "Use that kit or a later one for this store, or remove it."
        yield Problem(kind, subject, error.message, repairable=False, breaks_kit=breaks, remedy=remedy)
        return
    again = "Pull it again; existing blobs are not downloaded again."
    for layer in manifest.layers:
        if survey.sizes.get(layer.digest) != layer.size:
            yield Problem(
                "missing-blob",
                subject,
                f"its layer {layer.digest.short} is missing or truncated on disk",
                repairable=False,
                remedy=again,
            )
    config = manifest.config
    if config is None:
        return
    try:
        check_config(survey.blobs.read(config, CONFIG_LIMIT, "its config"), modelpack=is_modelpack(manifest))
    except KittuiError as error:
        yield Problem("missing-blob", subject, error.message, repairable=False, breaks_kit=True, remedy=again)


def _look_at_shared_index(survey: Survey) -> None:
    if survey.shared is None:
        return
    listed = {digest: name for name, index in survey.indexes.items() for digest in index.digests}
    for digest, name in listed.items():
        if digest not in survey.shared.digests:
            survey.problems.append(
                Problem(
                    "not-in-index",
                    f"{store_display(name)}@{digest}",
                    "index.json doesn't list it, so a kit remove of another ModelKit may delete its layers",
                )
            )
    if survey.broken or survey.foreign is None:
        return
    unnamed = {digest for index in survey.unnamed for digest in index.digests} | survey.foreign
    for descriptor in survey.shared.descriptors:
        if descriptor.digest not in listed and descriptor.digest not in unnamed:
            there = descriptor.digest in survey.sizes
            detail = "no repository lists it: a kit that ran at the same time as another lost it"
            survey.problems.append(
                Problem("unlisted-manifest", descriptor.digest, detail if there else "it is no longer in the store")
            )


def _look_for_unused(survey: Survey) -> None:
    if survey.broken or survey.shared is None or survey.foreign is None or _is_pulling(survey.paths):
        return
    indexes = (*survey.indexes.values(), *survey.unnamed, survey.shared)
    listed = [entry for index in indexes for entry in index.descriptors]
    tagged = [entry.descriptor for tags in survey.tags.values() for entry in tags.entries.values() if entry.descriptor]
    try:
        used = reachable(survey.blobs, [*listed, *tagged]) | survey.foreign
    except KittuiError:
        return
    now = time.time()
    survey.unused = sorted(
        digest for digest in survey.sizes.keys() - used if now - survey.blobs.path(digest).stat().st_mtime > HOUR
    )
    if survey.unused:
        size = sum(survey.sizes[digest] for digest in survey.unused)
        survey.problems.append(
            Problem("unused-blobs", "blobs", f"{len(survey.unused)} blobs, {size} bytes, that no ModelKit uses")
        )


def _is_pulling(paths: StorePaths) -> bool:
    """Whether a download seems to be running: the blobs of an unfinished pull are in no index yet."""
    for folder in (paths.storage / "ingest", *paths.partials):
        if folder.is_dir() and any(time.time() - path.stat().st_mtime < HOUR for path in folder.iterdir()):
            return True
    return False


def _look_for_leftovers(survey: Survey) -> None:
    now = time.time()
    for folder in survey.paths.partials:
        if folder.is_dir():
            survey.leftovers += [
                path
                for path in folder.iterdir()
                if path.suffix != ".lock" and path.is_file() and now - path.stat().st_mtime > DAY
            ]
    if survey.leftovers:
        size = sum(path.stat().st_size for path in survey.leftovers)
        survey.problems.append(
            Problem(
                "leftovers", "kittui/partial", f"{len(survey.leftovers)} unfinished downloads, {size} bytes, a day old"
            )
        )


def _look_at_credentials(survey: Survey) -> None:
    path = survey.paths.root / "credentials.json"
    if path.is_file() and path.stat().st_mode & 0o077:
        survey.problems.append(Problem("open-credentials", str(path), "others on this machine can read your logins"))

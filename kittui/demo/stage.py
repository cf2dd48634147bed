"""A folder to play in: a copy of the shipped ModelKits, a store beside it with some of them, and a past."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kittui.layout import LayoutSource
from kittui.oci.protocols import Repository
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.state.history import Event, History
from kittui.store import LocalSource

LAYOUT = Path(__file__).parent / "layout"
"""The shipped ModelKits; `python -m tests.demo.build` writes them."""

PULLED: Mapping[str, tuple[str, ...]] = {
    "acme/fraud-detector": ("v1.0.0", "champion"),
    "acme/sentiment": ("v2.0.0",),
    "vision/edge-detector": ("v0.4.0",),
}
"""What the store holds at the start."""

_MOVES = (
    ("2026-03-04T10:12:00Z", "ci@build-1", "tag", "champion", None, "v0.8.0", "First release"),
    ("2026-06-15T14:30:00Z", "ada@risk-ml", "tag", "challenger", None, "v0.9.0", "QA: validated on the held-out rows"),
    ("2026-06-22T09:05:00Z", "dana@ops", "promote", "champion", "v0.8.0", "v0.9.0", "AUC 0.871, two weeks in shadow"),
    ("2026-06-22T09:06:00Z", "dana@ops", "tag", "retired", None, "v0.8.0", "Pickled; not to be loaded any more"),
    (
        "2026-09-22T11:40:00Z",
        "ada@risk-ml",
        "tag",
        "challenger",
        "v0.9.0",
        "v1.0.0",
        "QA: validated, recall up 12 points",
    ),
    ("2026-09-28T08:15:00Z", "dana@ops", "promote", "rollback", None, "v0.9.0", "Merchant embedding goes live"),
    ("2026-09-28T08:15:01Z", "dana@ops", "promote", "champion", "v0.9.0", "v1.0.0", "Merchant embedding goes live"),
    (
        "2026-11-17T16:20:00Z",
        "ada@risk-ml",
        "tag",
        "challenger",
        "v1.0.0",
        "v1.1.0",
        "QA: one label corrected, retuned",
    ),
)
"""The fraud detector's past: time, who, what, tag, versions before and after, why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The folders of one demo; all of them are in `folder`."""

    folder: Path

    @property
    def models(self) -> Path:
        """The OCI layout."""
        return self.folder / "models"

    @property
    def place(self) -> Place:
        """The layout as a source."""
        return Place("oci", directory=str(self.models))

    @property
    def store(self) -> Path:
        """A kit store of its own."""
        return self.folder / "store"

    @property
    def work(self) -> Path:
        """Where relative paths lead during the demo, so that what is unpacked goes away too."""
        return self.folder / "work"

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment with store, state and cache in here, and without its credentials."""
        inner = {key: value for key, value in outer.items() if key not in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG")}
        return {
            **inner,
            "KITOPS_HOME": str(self.store),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }


async def set_up(folder: Path) -> Stage:
    """Fill an empty folder; raises OSError and StorageError where the disk would not."""
    stage = Stage(folder)
    shutil.copytree(LAYOUT, stage.models, copy_function=_copy)
    stage.store.mkdir()
    (stage.store / "disable-update-notifications").touch()
    stage.work.mkdir()
    layout, store = LayoutSource(stage.models), LocalSource(stage.store, recheck=0)
    for name, tags in PULLED.items():
        for tag in tags:
            await _pull(layout.repository(name), store.repository(name), Tag(tag))
    await _remember(layout.repository("acme/fraud-detector"), History(folder / "state" / "kittui"))
    return stage


def _copy(source: str, target: str) -> None:
    """Copy a file so that it can be written and removed, however it was installed."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o644)  # noqa: PTH101 - copytree hands strings over


async def _pull(origin: Repository, target: Repository, tag: Tag) -> None:
    manifest = await origin.manifest(tag)
    for blob in (manifest.config, *manifest.layers):
        if blob is not None:
            await target.mount_blob(blob, origin)
    await target.put_manifest(manifest.raw, manifest.media_type, tag)


async def _remember(repository: Repository, history: History) -> None:
    reference = repository.reference()
    for number, (time, actor, action, tag, *versions, reason) in enumerate(_MOVES):
        before, after = [version and (await repository.resolve(Tag(version))).digest for version in versions]
        history.append(
            Event(f"demo-{number}", time, actor, action, reference, tag, before or None, after or None, reason)
        )

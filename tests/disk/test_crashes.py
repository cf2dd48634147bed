"""The process dies at every crash point of the store, the layout and what they share; what is left is always whole."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import kittui
from kittui import crashpoints
from kittui.errors import NotFound
from kittui.layout import LayoutSource
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.store.doctor import inspect_store
from kittui.store.repair import repair_store
from tests.fakes.children import run_until
from tests.fakes.kit_semantics import complete, kit_list

FRAUD = "127.0.0.1:5055/fraud"
REFKIT = "127.0.0.1:5055/refkit"
KITHOME = Path(__file__).parent.parent / "fixtures" / "kithome"
UNTOUCHED = {"v1.0.0", "v1.1.0", "v0.9.0", "challenger"}


def named_points(*packages: str) -> list[str]:
    """Every crash point that the source names, the stems of durable writes and deletions spelt out."""
    found: set[str] = set()
    for package in packages:
        for path in (Path(kittui.__file__).parent / package).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    found |= set(_points_of(node))
    return sorted(found)


def _points_of(call: ast.Call) -> list[str]:
    called = ast.unparse(call.func).rpartition(".")[2]
    if called == "crash_point" and isinstance(call.args[0], ast.Constant):
        return [str(call.args[0].value)]
    ends = ("before-unlink", "after-unlink") if called in ("remove_file", "collect") else REPLACING
    stems = [
        str(key.value.value) for key in call.keywords if key.arg == "point" and isinstance(key.value, ast.Constant)
    ]
    return [f"{stem}.{end}" for stem in stems for end in ends]


REPLACING = ("before-fsync", "before-rename", "after-rename", "after-fsync")
POINTS = named_points("disk", "store", "layout")


async def take(target: Repository, tag: str, under: str) -> None:
    """Bring a ModelKit of the fixtures into a repository."""
    origin = LocalSource(KITHOME).repository(FRAUD)
    manifest = await origin.manifest(parse_target(tag))
    for part in (manifest.config, *manifest.layers):
        assert part is not None
        assert await target.mount_blob(part, origin)
    await target.put_manifest(manifest.raw, manifest.media_type, Tag(under))


async def drop(repository: Repository, tag: str, name: str = FRAUD) -> None:
    """Delete the manifest that a tag of the fixtures has, done already or not."""
    digest = (await LocalSource(KITHOME).repository(name).resolve(parse_target(tag))).digest
    with suppress(NotFound):
        await repository.delete(digest)


async def change_store(root: Path) -> None:
    """Every kind of change, so written that running it again after a crash finishes it."""
    await take(LocalSource(root / "fresh", recheck=0).repository("a/b"), "tuning", "v1")
    source = LocalSource(root, recheck=0)
    repository = source.repository(FRAUD)
    await take(source.repository("new/kit"), "v0.9.0", "v1")
    await take(repository, "challenger", "champion")
    await drop(repository, "tuning")
    await drop(source.repository(REFKIT), "v1", REFKIT)
    await repair_store(root)


async def change_layout(root: Path) -> None:
    source = LayoutSource(root / "layout")
    await take(source.repository("."), "champion", "v1")
    await take(source.repository("."), "challenger", "v2")
    await take(source.repository("team/x"), "v0.9.0", "v1")
    await take(source.repository("."), "v0.9.0", "v2")
    await drop(source.repository("."), "champion")


async def change_everything(root: Path) -> None:
    await change_layout(root)
    await change_store(root)


def prepare(root: Path) -> None:
    shutil.copytree(KITHOME, root)
    old = root / "kittui/partial/sha256-old"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"unfinished")
    os.utime(old, (time.time() - 3 * 86400,) * 2)


def dies(work: Callable[[Path], Coroutine[Any, Any, None]], root: Path, point: str) -> bool:
    """Run in a process that dies at a point; False if it ended without reaching it."""
    status = run_until(point, run_coroutine, work, root)
    assert status in (0, crashpoints.STATUS)
    return status == crashpoints.STATUS


def run_coroutine(work: Callable[[Path], Coroutine[Any, Any, None]], root: Path) -> None:
    asyncio.run(work(root))


def documents(root: Path) -> dict[str, object]:
    """The index files with what order doesn't matter in sorted."""
    found: dict[str, object] = {}
    for path in sorted([*root.glob("**/*-index.json"), *root.glob("**/*-tags.json"), *root.glob("**/index.json")]):
        document = json.loads(path.read_bytes())
        if "manifests" in document:
            document["manifests"] = sorted(document["manifests"], key=str)
        found[str(path.relative_to(root))] = document
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Counter[str]]:
    """The end of an undisturbed run, and how often it reached which point."""
    root = tmp_path_factory.mktemp("undisturbed") / "kithome"
    prepare(root)
    reached: Counter[str] = Counter()

    def count(name: str) -> Callable[[], None]:
        return lambda: reached.update([name])

    crashpoints._actions.update({name: count(name) for name in POINTS})
    try:
        asyncio.run(change_everything(root))
    finally:
        crashpoints._actions.clear()
    return documents(root), reached


def test_every_named_point_is_reached(finished: tuple[dict[str, object], Counter[str]]) -> None:
    """A new point, or one that is never reached, fails here until the run above gets to it."""
    assert len(POINTS) > 25
    assert set(POINTS) == set(finished[1])


def check_whole(root: Path) -> None:
    """What kit and other tools rely on at every moment."""
    rows = kit_list(root)
    complete(root)
    tags = {tag: row["digest"] for row in rows if row["full"] == FRAUD for tag in row["tags"] or []}  # type: ignore[attr-defined]
    assert tags.keys() >= UNTOUCHED | {"champion"}
    assert tags["champion"] in (tags["v1.0.0"], tags["v1.1.0"])
    if (root / "fresh/storage").exists():
        kit_list(root / "fresh")
    if (root / "layout/index.json").exists():
        for entry in json.loads((root / "layout/index.json").read_bytes())["manifests"]:
            manifest = json.loads((root / "layout/blobs/sha256" / entry["digest"][7:]).read_bytes())
            for part in [manifest["config"], *manifest["layers"]]:
                assert (root / "layout/blobs/sha256" / part["digest"][7:]).stat().st_size == part["size"]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_it_whole_and_running_again_finishes(
    point: str, tmp_path: Path, finished: tuple[dict[str, object], Counter[str]]
) -> None:
    expected, reached = finished
    times = reached[point]
    turns = range(1, times + 1) if times < 7 else sorted({1, times // 3, times // 2, times})
    work = change_store if point.startswith("store.") else change_everything
    for turn in turns:
        root = tmp_path / str(turn)
        prepare(root)
        assert dies(work, root, f"{point}:{turn}")
        check_whole(root)
        asyncio.run(change_everything(root))
        check_whole(root)
        assert documents(root) == expected
        report = asyncio.run(inspect_store(root))
        assert {problem.kind for problem in report.problems} <= {"unused-blobs"}

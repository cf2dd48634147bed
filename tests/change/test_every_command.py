"""Every command that writes is killed at every point it reaches, and run again: it ends as if nothing had happened."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest import mock

import pytest

import kittui
from kittui import crashpoints
from kittui.cli.app import main
from kittui.disk import drafts
from kittui.store.root import encode_name
from tests.disk.test_crashes import _points_of
from tests.fakes.children import run_until
from tests.fakes.kit_semantics import kit_list

FIXTURES = Path(__file__).parent.parent / "fixtures"
FRAUD = "local://127.0.0.1:5055/fraud"


@dataclass(frozen=True)
class Case:
    """A command, what is run before it, and what it may say besides when it is run again after it had ended."""

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    again: tuple[str, ...] = ()
    harm: Callable[[Path], None] | None = None


def harm(root: Path) -> None:
    """What kit's races and killed downloads leave in a store: lists without entries, blobs that nothing names."""
    storage = root / "store" / "storage"
    for kind in ("index", "tags"):
        (storage / f"{encode_name('127.0.0.1:5055/refkit')}-{kind}.json").unlink()
    index = json.loads((storage / "index.json").read_bytes())
    (storage / "index.json").write_text(json.dumps({**index, "manifests": index["manifests"][:3]}))
    unused = storage / "blobs" / "sha256" / sha256(b"unused").hexdigest()
    partial = root / "store" / "kittui" / "partial" / "sha256-old"
    partial.parent.mkdir(parents=True)
    for path in (unused, partial):
        path.write_bytes(b"unused")
        os.utime(path, (0, 0))


CASES = {
    "copy to a store": Case(
        ("copy", "oci:LAYOUT:v1", "local://new:v1"), (("copy", f"{FRAUD}:v1.1.0", "oci:LAYOUT:v1"),)
    ),
    "copy to a layout": Case(("copy", f"{FRAUD}:v1.0.0", "oci:LAYOUT:v1")),
    "unpack": Case(("unpack", f"{FRAUD}:v1.0.0", "-d", "OUT"), again=("would be overwritten",)),
    "tag": Case(("tag", f"{FRAUD}:v1.0.0", "one", "challenger", "-y")),
    "promote": Case(("promote", FRAUD, "-y", "--retire")),
    "rollback": Case(("rollback", FRAUD, "-y")),
    "undo": Case(
        ("undo", FRAUD, "-y"), (("tag", f"{FRAUD}:v0.9.0", "kept", "-y"), ("promote", FRAUD, "-y")), ("no tag",)
    ),
    "untag": Case(("remove", f"{FRAUD}:v0.9.0", "-y"), again=("no tag",)),
    "delete": Case(("remove", "--delete", f"{FRAUD}:tuning", "-y"), again=("no tag",)),
    "clean": Case(("clean", FRAUD, "--stage", "rollback", "-y")),
    "evidence": Case(("evidence", f"{FRAUD}:v1.0.0", "-d", "EVIDENCE"), again=("already exists",)),
    "repair": Case(("doctor", "--repair"), harm=harm),
    "delete in a layout": Case(
        ("remove", "--delete", "oci:LAYOUT:v1", "-y"), (("copy", f"{FRAUD}:v1.0.0", "oci:LAYOUT:v1"),), ("no tag",)
    ),
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("kittui.store.neighbours.kit_at_work", lambda *_: False)
    return tmp_path


@contextmanager
def inside(root: Path) -> Iterator[None]:
    """In a folder that holds everything that kittui may write."""
    environment = {"HOME": str(root), "KITOPS_HOME": str(root / "store")}
    environment |= {f"XDG_{name}_HOME": str(root / name.lower()) for name in ("STATE", "CACHE", "CONFIG", "DATA")}
    before = Path.cwd()
    os.chdir(root)
    try:
        with mock.patch.dict(os.environ, environment):
            yield
    finally:
        os.chdir(before)


def run(*words: str, stdin: str = "") -> tuple[int, str]:
    out, err = StringIO(), StringIO()
    given = TextIOWrapper(BytesIO(stdin.encode()))
    with redirect_stdout(out), redirect_stderr(err), mock.patch.object(sys, "stdin", given):
        status = main(list(words))
    return status, err.getvalue()


def prepare(root: Path, case: Case) -> None:
    shutil.copytree(FIXTURES / "kithome", root / "store")
    with inside(root):
        for words in case.before:
            assert run(*words) == (0, mock.ANY)
    if case.harm is not None:
        case.harm(root)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """How often each point is reached inside the block."""
    found: Counter[str] = Counter()

    class Every(dict[str, Callable[[], None]]):
        def get(self, name: str, _default: object = None) -> Callable[[], None]:
            return lambda: found.update([name])

    with mock.patch.object(crashpoints, "_actions", Every()):
        yield found


def reached(root: Path, case: Case) -> Counter[str]:
    """How often an undisturbed run reaches which point."""
    prepare(root, case)
    with inside(root), counting() as found:
        assert run(*case.words) == (0, mock.ANY)
    return found


def dies(root: Path, words: tuple[str, ...], point: str, stdin: str = "") -> None:
    """Run a command in a process that dies at a point."""
    ended = run_until(point, run_inside, root, words, stdin)
    # How often a point is reached may depend on what ends first, that it is reached does not.
    assert ended == crashpoints.STATUS or not point.endswith(":1")


def run_inside(root: Path, words: tuple[str, ...], stdin: str) -> None:
    with inside(root):
        run(*words, stdin=stdin)


def state(root: Path) -> dict[str, object]:
    """All that a user sees of it: tags, what kit lists, files, the history without its times and ids."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if not path.is_file() or name.startswith("cache") or "/journal/" in name or path.suffix == ".lock":
            continue
        if path.suffix == ".json" and ("storage" in name or "LAYOUT" in name):
            document = json.loads(path.read_bytes())
            if "manifests" in document:
                document["manifests"] = sorted(document["manifests"], key=str)
            found[name] = document
        elif path.name == "history.jsonl":
            events = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = sorted((e["action"], e["tag"], e["before"] or "", e["after"] or "") for e in events)
        else:
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_was_killed_anywhere_is_finished_by_running_it_again(name: str, world: Path) -> None:
    case = CASES[name]
    points = reached(world / "undisturbed", case)
    expected = state(world / "undisturbed")
    assert sum(points.values()) > 4
    for point, times in points.items():
        for turn in sorted({1, times}):
            root = world / f"{point}-{turn}"
            prepare(root, case)
            dies(root, case.words, f"{point}:{turn}")
            drafts._swept.clear()  # a new process looks for what others left
            kit_list(root / "store")
            with inside(root):
                status, said = run(*case.words)
            ended = bool(case.again) and status == 1 and any(words in said for words in case.again)
            assert status == 0 or ended, (point, turn, said)
            assert state(root) == expected, (point, turn)
            left = [path.name for path in root.rglob(".write-*")]
            assert not left, (point, turn)
            shutil.rmtree(root)


# Points that other tests kill at: those of a registry (test_crashes_at_registries), of what the interface keeps, of
# saving a file, of signing and records (tests/trust), of a store's creation (tests/disk).
ELSEWHERE = (
    *(
        "registry.",
        "transfer.",
        "remove.",
        "carry.",
        "favourites.",
        "saving.",
        "attach.",
        "outbox.",
        "trusted.",
        "review.",
    ),
    *("store.layout.", "store.tags.after-unlink", "store.tags.before-unlink"),
    *("store.repository-index.after-unlink", "store.repository-index.before-unlink"),
)


def named_points() -> set[str]:
    """Every point of the source."""
    named: set[str] = set()
    for path in Path(kittui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named |= set(_points_of(node))
    return named


def test_every_point_is_reached_by_some_command(world: Path) -> None:
    named = named_points()
    found: set[str] = set()
    for number, case in enumerate(CASES.values()):
        found |= set(reached(world / str(number), case))
    assert {point for point in named - found if not point.startswith(ELSEWHERE)} == set()
    assert found <= named

"""Verified copies for other programs: names, modes, proof, price, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kittui.disk import private
from kittui.disk.private import NAME_LIMIT, private_folder, safe_name
from kittui.errors import DigestMismatch, NotFound, Refused, StorageError, UsageError
from kittui.modelkit import ModelKit
from kittui.oci.tag import Tag
from kittui.usecases.inspect import saving
from kittui.usecases.inspect.copies import LayerFile, TextFile, copy_of
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.prices import Price
from kittui.usecases.inspect.programs import Programs, programs_of, run_program
from tests.compare.kits import opened, two
from tests.demo.pack import File
from tests.fakes.memory import MemoryRepository

pytestmark = pytest.mark.usefixtures("temporary")


async def original(
    content: bytes, packing: str = "none", path: str = "src/train.py", **settings: Any
) -> tuple[LayerFile, MemoryRepository, ModelKit]:
    """A file in a ModelKit in memory."""
    repository = two({path: File(content)}, {}, (packing, "none"))
    kit = await opened(repository, Tag("a"))
    layer = next(layer for layer in kit.layers if layer.path == "src")
    listing = await Inspector().listing(repository, layer)
    entry = next(entry for entry in listing.files if entry.path == path)
    return LayerFile(Inspector(**settings), repository, layer, entry), repository, kit


@example("../../etc/passwd")
@example("src/..")
@example("a/-rf")
@example(".vimrc")
@example("x\x1b[2Jy.py")
@example("a\u202egnp.py")
@example("\udcff\ud800.csv")
@example("e" * 400 + ".safetensors")
@given(st.text(max_size=300))
def test_a_name_is_one_harmless_name(path: str) -> None:
    name = safe_name(path)
    assert name not in ("", ".", "..")
    assert name[0] not in "-."
    assert "/" not in name
    assert name.isprintable()
    assert 0 < len(os.fsencode(name)) <= NAME_LIMIT + 1


def test_a_name_keeps_its_end_and_plain_names_stay_as_they_are() -> None:
    assert safe_name("src/train.py") == "train.py"
    assert safe_name("data/größe 1.csv") == "größe 1.csv"
    assert safe_name("é" * 300 + ".csv").endswith("é.csv")


@pytest.mark.parametrize("packing", ["none", "gzip"])
@pytest.mark.parametrize("content", [b"", b"print(1)\n", os.urandom(300_000)], ids=["empty", "small", "large"])
async def test_a_copy_is_whole_private_and_read_only_and_goes(packing: str, content: bytes, temporary: Path) -> None:
    wanted, _, _ = await original(content, packing)
    async with private_folder() as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        copy = await copy_of(wanted, folder.path / "new")
        assert copy.path.read_bytes() == content
        assert copy.path.name == "train.py"
        assert stat.S_IMODE(copy.path.stat().st_mode) == 0o400
        assert stat.S_IMODE(copy.path.parent.stat().st_mode) == 0o700
        assert copy.digest == hashlib.sha256(content).hexdigest()
        assert not copy.changed()
        copy.path.chmod(0o600)
        copy.path.write_bytes(b"mine")
        assert copy.changed()
    assert list(temporary.iterdir()) == []


async def test_bytes_that_are_not_what_the_digest_says_are_not_kept(temporary: Path) -> None:
    wanted, repository, _ = await original(b"print(1)\n" * 20_000)
    digest = wanted.layer.digest
    repository.blobs[digest] = repository.blobs[digest].replace(b"print(1)", b"print(2)", 1)
    async with private_folder() as folder:
        with pytest.raises(DigestMismatch):
            await copy_of(wanted, folder.path)
        assert list(folder.path.iterdir()) == []


async def test_much_to_read_is_asked_for_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, _, _ = await original(os.urandom(4000), free_bytes=1000)
    monkeypatch.setattr("kittui.usecases.inspect.inspector.is_local", lambda _: False)
    prices: list[Price] = []

    async def ask(price: Price) -> bool:
        prices.append(price)
        return len(prices) > 1

    async with private_folder() as folder:
        with pytest.raises(Refused, match="only the whole layer proves its digest"):
            await copy_of(wanted, folder.path, ask=ask)
        copy = await copy_of(wanted, folder.path, ask=ask)
        assert len(copy.path.read_bytes()) == 4000
    assert [price.bytes for price in prices] == [wanted.layer.size] * 2


async def test_a_text_is_copied_as_it_is() -> None:
    async with private_folder() as folder:
        copy = await copy_of(TextFile("Kitfile.yaml", "name: größe\n"), folder.path / "new")
        assert copy.path.read_text() == "name: größe\n"
        assert stat.S_IMODE(copy.path.stat().st_mode) == 0o400


KILLED = """
import asyncio, os, signal, sys, tempfile
from kittui.disk.private import private_folder
tempfile.tempdir = sys.argv[1]

async def main():
    async with private_folder() as folder:
        (folder.path / "secret").write_text("x")
        print(folder.path, flush=True)
        sys.stdin.read(1)

asyncio.run(main())
"""


def test_the_folder_goes_also_where_the_program_is_killed(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(temporary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        assert (path / "secret").exists()
        process.kill()
    end = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < end, "the folder stays"


async def test_a_folder_that_can_not_be_watched_over_does_not_stay(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("kittui.disk.private.os.pipe", full)
        patched.setattr("kittui.disk.threads.in_thread", _at_once)
        with pytest.raises(StorageError, match="Too many open files"):
            async with private_folder():
                pass
    assert list(temporary.iterdir()) == []


async def _at_once(work: Any, *args: Any) -> Any:
    return work(*args)


async def test_a_folder_goes_that_was_created_while_its_task_was_cancelled(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, begun, proceed = private._begin, threading.Event(), threading.Event()
    created: list[Any] = []

    def slow() -> Any:
        created.append(begin())
        begun.set()
        proceed.wait(60)
        return created[0]

    monkeypatch.setattr(private, "_begin", slow)

    async def enter() -> None:
        async with private_folder():
            raise AssertionError

    task = asyncio.create_task(enter())
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    ((folder, guard),) = created
    assert list(temporary.iterdir()) == []
    assert guard.poll() is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(folder.held)


@pytest.mark.parametrize(
    ("programs", "words"),
    [
        (Programs(difftool=("vimdiff", "{old}", "{new}")), ["vimdiff", "/o", "/n"]),
        (Programs(difftool=("meld",)), ["meld", "/o", "/n"]),
        (Programs(difftool=("x", "--a={old}", "--b={new}", "-v")), ["x", "--a=/o", "--b=/n", "-v"]),
        (Programs("vim -n"), ["vim", "-n", "-d", "/o", "/n"]),
        (Programs("/usr/bin/code --wait"), ["/usr/bin/code", "--wait", "--diff", "/o", "/n"]),
    ],
)
def test_a_difftool_gets_both_paths(programs: Programs, words: list[str]) -> None:
    assert programs.compare(Path("/o"), Path("/n")) == words


def test_a_path_that_holds_what_stands_for_the_other_one_stays_as_it_is() -> None:
    assert Programs(difftool=("x", "{old}:{new}")).compare(Path("/{new}.py"), Path("/{old}.py")) == [
        "x",
        "/{new}.py:/{old}.py",
    ]


def test_what_is_not_set_says_what_to_set() -> None:
    with pytest.raises(UsageError, match="no editor is set") as editor:
        Programs().edit(Path("/n"))
    assert "export EDITOR=" in (editor.value.hint or "")
    with pytest.raises(UsageError, match="no pager is set"):
        Programs().page()
    with pytest.raises(UsageError, match="no difftool is set") as difftool:
        Programs("nano").compare(Path("/o"), Path("/n"))
    assert 'difftool: "vimdiff {old} {new}"' in (difftool.value.hint or "")
    with pytest.raises(UsageError, match="can't be split into words"):
        Programs("vim 'x").edit(Path("/n"))


def test_the_environment_names_editor_and_pager() -> None:
    assert programs_of({"VISUAL": "code -w", "EDITOR": "vi"}).edit(Path("/n")) == ["code", "-w", "/n"]
    assert programs_of({"VISUAL": "", "EDITOR": "vi"}).edit(Path("/n")) == ["vi", "/n"]
    assert programs_of({"PAGER": "most -s"}).page() == ["most", "-s"]


async def test_no_shell_is_run_and_what_is_missing_says_so(tmp_path: Path) -> None:
    async with private_folder() as folder:
        out = tmp_path / "out"
        script = f"import sys; open({str(out)!r}, 'w').write(repr(sys.argv[1:]))"
        words = [sys.executable, "-c", script, "$(id); `id` > x"]
        assert await run_program(words, held=folder.held) == 0
        assert out.read_text() == repr(["$(id); `id` > x"])
        assert await run_program([sys.executable, "-c", "raise SystemExit(3)"], held=folder.held) == 3
        with pytest.raises(NotFound, match="no-such-program"):
            await run_program(["no-such-program"], held=folder.held)
        with pytest.raises(UsageError, match="could not be started"):
            await run_program([str(tmp_path)], held=folder.held)


async def test_no_draft_stays_where_saving_is_cancelled_while_it_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, begun, proceed = saving._begin, threading.Event(), threading.Event()

    def slow(target: Path, name: str) -> Any:
        created = begin(target, name)
        begun.set()
        proceed.wait(60)
        return created

    monkeypatch.setattr(saving, "_begin", slow)
    (tmp_path / "source").write_bytes(b"x")
    (tmp_path / "out").mkdir()
    task = asyncio.create_task(saving.save_copy(tmp_path / "source", tmp_path / "out"))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "out").iterdir()) == []


def test_without_an_editor_set_git_s_then_the_system_s_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_CONFIG_GLOBAL", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    config.write_text("[core]\n\teditor = code --wait\n")
    assert Programs("vim").with_editor().editor == "vim"
    assert Programs().with_editor().edit(Path("/n")) == ["code", "--wait", "/n"]
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    vi = bin_ / "vi"
    vi.write_text("#!/bin/sh\n")
    vi.chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_))
    assert Programs().with_editor().edit(Path("/n")) == ["vi", "/n"]
    vi.unlink()
    with pytest.raises(UsageError, match="no editor is set"):
        Programs().with_editor().edit(Path("/n"))

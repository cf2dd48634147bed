"""Decoders written in C run where they can be stopped: what they may take, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from kittui.errors import Unreachable
from kittui.usecases.inspect.viewers import confined
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile, Picture
from kittui.usecases.inspect.views import BytesView

MIB = 1024 * 1024


def endless_jpeg(across: int, down: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each is a few bytes, and a pass over every pixel."""
    out = io.BytesIO()
    Image.new("L", (across, down)).save(out, "JPEG", progressive=True)
    content = out.getvalue()
    return content[:-2] + content[content.rindex(b"\xff\xda") : -2] * scans + b"\xff\xd9"


def dot(form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(out, form)
    return out.getvalue()


def children() -> set[str]:
    """Processes that this one has started and not waited for."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


async def test_an_image_that_takes_too_long_is_stopped_and_shown_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "SECONDS", 1)
    before = children()
    content = endless_jpeg(5000, 5000, 3000)
    assert len(content) < 2 * MIB
    file = await show(OpenFile("a.jpg", BytesView(content, verified=False)))
    assert (file.kind, file.trouble) == ("hex", "too large to show: the image takes more than 1 s to decode")
    assert children() <= before


async def test_a_table_that_takes_too_much_memory_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "MEMORY", 800 * MIB)
    out = io.BytesIO()
    # One value of 20 MiB in a dictionary, which every row repeats.
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100, pyarrow.int8()), ["x" * 20 * MIB])
    how: dict[str, Any] = {"compression": "zstd", "dictionary_pagesize_limit": 1 << 30, "write_statistics": False}
    pyarrow.parquet.write_table(pyarrow.table({"a": column}), out, store_schema=False, **how)
    assert out.tell() < MIB
    file = await show(OpenFile("a.parquet", BytesView(out.getvalue(), verified=False)))
    assert file.kind == "hex"
    assert file.trouble == "too large to show: the Parquet file takes more than 839 MB to decode"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os; os.abort()", "its decoder crashed"),
        ("raise SystemExit(3)", "its decoder crashed"),
        ("import os; os.write(1, b'A' + (2**62).to_bytes(8, 'little') * 2)", "its decoder crashed"),
        ("import os; os.write(1, b'A' + (2).to_bytes(8, 'little') + bytes(8) + b'[]')", "answered nonsense"),
        ("import os; os.write(1, b'A' + (2).to_bytes(8, 'little') + bytes(8) + b'{}')", "answered nonsense"),
        (
            "import os; os.write(1, b'A' + (24).to_bytes(8, 'little') + bytes(8) + b'{\"sizes\": [[9000, 9000]]}')",
            "nonsense",
        ),
    ],
)
async def test_whatever_becomes_of_a_decoder_is_a_sentence(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{program}\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    file = await show(OpenFile("a.png", BytesView(dot(), verified=False)))
    assert file.kind == "hex"
    assert words in file.trouble


async def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dot()
    monkeypatch.setitem(sys.modules, "PIL", None)
    file = await show(OpenFile("a.png", BytesView(content, verified=False)))
    assert file.trouble == "the image needs Pillow Install kittui[images]."


async def test_who_no_longer_wants_it_leaves_no_process_behind() -> None:
    asked = asyncio.Event()

    async def read(offset: int, length: int) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    before = children()
    task = asyncio.create_task(confined.confined("picture", "it", 10, read, {}, lambda *_: None, needs="PIL"))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() <= before


async def test_what_reading_raises_is_raised() -> None:
    async def read(offset: int, length: int) -> bytes:
        raise Unreachable("gone")

    with pytest.raises(Unreachable, match="gone"):
        await confined.confined("parquet", "it", 100, read, {}, lambda *_: None, needs="pyarrow")


async def test_nothing_is_imported_from_the_folder_it_runs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIL", "json", "kittui"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import os; os._exit(5)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    file = await show(OpenFile("a.png", BytesView(dot(), verified=False)))
    picture: Any = file.first
    assert isinstance(picture, Picture)
    assert picture.pixels == b"\xff\x00\x00" * 16

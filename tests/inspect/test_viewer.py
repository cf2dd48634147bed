"""What is true after keys in the viewer: paging, searching, other views, proof, saving, prices."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.oci.digest import Digest
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame import asking
from kittui.tui.inspect.table_view import TableView
from kittui.tui.inspect.viewer import ViewerScreen
from kittui.tui.panes.layer_rows import NodeRow
from kittui.tui.widgets.lines import Lines
from kittui.usecases.inspect.viewers.shown import Grid, Record, Shown
from tests.compare.kits import safetensors
from tests.fakes.layers import archive
from tests.inspect.kits import BlobRepository, kit_world
from tests.tui.waiting import browse, quiet, text_of, until

START = "remote://registry.acme.dev/team/kit:champion"
LONG = 30


def screen(pilot: Pilot[Any]) -> ViewerScreen:
    found = pilot.app.screen
    assert isinstance(found, ViewerScreen)
    return found


def contents(pilot: Pilot[Any]) -> Shown:
    found = screen(pilot).contents
    assert found is not None
    return found


def records(shown: Shown) -> list[Record]:
    """The rows of a table."""
    assert isinstance(shown.first, Grid)
    return shown.first.records


async def to_row(pilot: Pilot[Any], name: str) -> None:
    """Unfold the first layer and go to a file in it."""
    await until(pilot, lambda: len(browse(pilot).layers_pane.body.rows) > 0, LONG)
    await quiet(pilot)
    await pilot.press("3")
    rows = browse(pilot).layers_pane.body
    await pilot.press("enter")
    await until(pilot, lambda: any(isinstance(row, NodeRow) for row in rows.rows), LONG)
    await quiet(pilot)
    if any(isinstance(row, NodeRow) and row.node.kind == "ask" for row in rows.rows):
        await pilot.press("j", "enter")

    def at() -> int | None:
        return next((n for n, row in enumerate(rows.rows) if isinstance(row, NodeRow) and row.node.name == name), None)

    await until(pilot, lambda: at() is not None, LONG)
    rows.move_to(at() or 0)
    await quiet(pilot)


async def viewed(pilot: Pilot[Any], name: str) -> None:
    """Open a file of the first layer in the viewer."""
    await to_row(pilot, name)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen), LONG)


async def read(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and screen(pilot).contents is not None, LONG)


@asynccontextmanager
async def viewer(
    files: dict[str, bytes], name: str, size: tuple[int, int] = (120, 40), **world: Any
) -> AsyncIterator[tuple[Pilot[Any], BlobRepository]]:
    """The viewer on one file of a registry's only layer, which is too large to be read whole."""
    made, repository = kit_world({"m": archive({**files, "zz.filler": bytes(100_000)})}, **world)
    async with made.app(START).run_test(size=size, notifications=True) as pilot:
        await viewed(pilot, name)
        await read(pilot)
        yield pilot, repository


def rows_of_csv(count: int) -> bytes:
    return b"id,amount,note\n" + b"".join(b"T%06d,%d.5,%s\n" % (n, n, b"x" * 40) for n in range(count))


def rows_of_jsonl(count: int) -> bytes:
    return b"".join(json.dumps({"id": f"T{n:06}", "text": "y" * 40}).encode() + b"\n" for n in range(count))


async def further(pilot: Pilot[Any], shown: Callable[[], int | None]) -> None:
    """To the end of what is shown; where there is more, wait until it is shown."""
    before = shown()
    await pilot.press("G")
    await until(pilot, lambda: (now := shown()) is None or now > (before or 0), LONG)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", rows_of_csv(15_000)), ("t.jsonl", rows_of_jsonl(15_000))],
    ids=["csv", "jsonl"],
)
async def test_a_table_pages_on_to_its_end(name: str, content: bytes) -> None:
    async with viewer({name: content}, name) as (pilot, _):
        table = contents(pilot)
        assert table.kind == "table"
        assert 0 < len(records(table)) < 15_000
        await until(pilot, lambda: "more at the end" in text_of(pilot), LONG)
        for _ in range(6):
            await further(pilot, lambda: len(records(table)) if table.more else None)
        await until(pilot, lambda: not table.more, LONG)
        assert len(records(table)) == 15_000
        assert [record.number for record in records(table)] == list(range(1, 15_001))
        assert records(table)[-1].cells[0] == "T014999"
        await until(pilot, lambda: "15,000 rows" in text_of(pilot), LONG)
        await pilot.press("G")
        await until(pilot, lambda: "T014999" in text_of(pilot), LONG)


async def test_a_row_of_a_table_opens_into_all_of_its_cells() -> None:
    long = "a long answer " * 20
    lines = json.dumps({"id": 1, "messages": long}) + "\n" + json.dumps({"id": 2, "messages": "short"}) + "\n"
    async with viewer({"c.jsonl": lines.encode()}, "c.jsonl") as (pilot, _):
        assert "Row 1" not in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Row 1" in text_of(pilot))
        view = screen(pilot).view
        assert isinstance(view, TableView)
        shown = "".join(text for line in view.full.page.lines if not isinstance(line, str) for text, _ in line)
        assert long.strip() in shown
        await pilot.press("j")
        await until(pilot, lambda: "Row 2" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "Row 2" not in text_of(pilot))
        assert isinstance(pilot.app.screen, ViewerScreen)


TEXT = "".join(f"line {number} {'needle' if number in (10, 900, 1900) else ''}\n" for number in range(2000))


async def test_a_text_is_searched_forwards_and_backwards() -> None:
    async with viewer({"a.txt": TEXT.encode()}, "a.txt") as (pilot, _):
        await pilot.press("slash", *"needle")
        await until(pilot, lambda: "match 1 of 3" in text_of(pilot))
        await pilot.press("enter", "n")
        await until(pilot, lambda: "match 2 of 3" in text_of(pilot))
        await until(pilot, lambda: "line 900 needle" in text_of(pilot), LONG)
        await pilot.press("n", "n")
        await until(pilot, lambda: "match 1 of 3" in text_of(pilot))
        await pilot.press("N")
        await until(pilot, lambda: "match 3 of 3" in text_of(pilot))
        await until(pilot, lambda: "line 1900 needle" in text_of(pilot), LONG)
        await pilot.press("slash", *"xyz")
        await until(pilot, lambda: "no match" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: not pilot.app.screen.query_one(Input).has_class("asked"), LONG)
        assert isinstance(pilot.app.screen, ViewerScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ViewerScreen))


@pytest.mark.parametrize("name", ["a.txt", "t.csv", "m.safetensors"])
async def test_escape_ends_a_kept_search_before_it_closes_the_viewer(name: str) -> None:
    model = safetensors({f"layers.{number}.w": ("U8", [1], b"1") for number in range(20)})
    table = "id,name\n" + "".join(f"{number},layers.{number}\n" for number in range(20))
    files = {"a.txt": table.encode(), "t.csv": table.encode(), "m.safetensors": model}
    async with viewer({name: files[name]}, name) as (pilot, _):
        await pilot.press("slash", *"layers.1", "enter")
        await until(pilot, lambda: "match 1 of 11" in text_of(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "match 2 of 11" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "match" not in text_of(pilot))
        assert isinstance(pilot.app.screen, ViewerScreen)
        await pilot.press("n")
        await pilot.pause()
        assert "match" not in text_of(pilot), "what is ended is not searched on"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ViewerScreen))


async def test_a_text_is_searched_in_the_pane() -> None:
    made, _ = kit_world({"m": archive({"a.txt": TEXT.encode(), "z": bytes(100_000)})})
    async with made.app(START).run_test(size=(160, 40)) as pilot:
        await to_row(pilot, "a.txt")
        await pilot.press("7")
        details = browse(pilot).details_pane
        await until(pilot, lambda: details.tab == "file" and len(details.page.lines) > 1000, LONG)
        await quiet(pilot)
        await pilot.press("slash", *"needle", "enter", "n")
        await until(pilot, lambda: "2 of 3" in text_of(pilot), LONG)
        await until(pilot, lambda: "line 900 needle" in text_of(pilot), LONG)
        await pilot.press("N")
        await until(pilot, lambda: "1 of 3" in text_of(pilot), LONG)


async def test_tensors_are_searched_by_their_whole_names() -> None:
    header = {
        f"layers.{number}.mlp.weight": {"dtype": "F32", "shape": [2], "data_offsets": [8 * number, 8 * number + 8]}
        for number in range(300)
    }
    raw = json.dumps(header).encode()
    content = len(raw).to_bytes(8, "little") + raw + bytes(2400)
    async with viewer({"a.safetensors": content}, "a.safetensors") as (pilot, _):
        await until(pilot, lambda: "300 tensors" in text_of(pilot), LONG)
        await pilot.press("slash", *"ers.17", "enter")
        await until(pilot, lambda: "match 1 of 11" in text_of(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "match 2 of 11" in text_of(pilot))


async def test_proving_a_layer_moves_nothing_on_the_screen() -> None:
    async with viewer({"a.txt": TEXT.encode()}, "a.txt") as (pilot, _):
        await until(pilot, lambda: "not verified" in text_of(pilot), LONG)
        await pilot.press("slash", *"needle", "enter", "n")
        await until(pilot, lambda: "match 2 of 3" in text_of(pilot))
        lines = screen(pilot).query_one(Lines)
        top, page = lines.scroll_offset.y, lines.page
        assert top > 0
        await pilot.press("V")
        await until(pilot, lambda: contents(pilot).verified, LONG)
        await until(pilot, lambda: "✓ verified" in text_of(pilot), LONG)
        assert lines.scroll_offset.y == top
        assert lines.page is page
        assert "match 2 of 3" in text_of(pilot)
        assert "not verified" not in text_of(pilot)


async def test_what_was_a_lie_is_replaced_by_what_the_layer_holds() -> None:
    true = archive({"a.txt": b"the true text\n" * 10, "zz": bytes(100_000)})
    made, repository = kit_world({"m": true})
    false = true.replace(b"the true text", b"a lying range")
    repository.lie = {str(Digest.of(true)): false}
    async with made.app(START).run_test(size=(120, 40), notifications=True) as pilot:
        await viewed(pilot, "a.txt")
        await read(pilot)
        await until(pilot, lambda: "a lying range" in text_of(pilot), LONG)
        await pilot.press("V")
        await until(pilot, lambda: "the true text" in text_of(pilot), LONG)
        assert contents(pilot).verified
        assert "a lying range" not in text_of(pilot)


async def test_a_list_that_was_a_lie_is_replaced_by_the_proven_one() -> None:
    body = b"print(1)\n" * 10
    true, false = (archive({name: body, "zz": bytes(100_000)}) for name in ("evil.py", "train.py"))
    made, repository = kit_world({"m": true})
    repository.lie = {str(Digest.of(true)): false}
    async with made.app(START).run_test(size=(120, 40), notifications=True) as pilot:
        await viewed(pilot, "train.py")
        await read(pilot)
        await pilot.press("V")
        await until(pilot, lambda: "train.py is not where the file list says" in text_of(pilot), LONG)
        assert not contents(pilot).verified
        await pilot.press("escape")
        await until(pilot, lambda: "evil.py" in text_of(pilot), LONG)
        assert not any(
            isinstance(r, NodeRow) and r.node.name == "train.py" for r in browse(pilot).layers_pane.body.rows
        )


async def test_a_proven_layer_is_said_to_be_on_its_rows() -> None:
    made, _ = kit_world({"m": archive({"a.txt": b"x", "zz": bytes(100_000)})})
    async with made.app(START).run_test(size=(120, 40)) as pilot:
        await to_row(pilot, "a.txt")
        await until(pilot, lambda: "2 files, not verified" in text_of(pilot), LONG)
        await pilot.press("V")
        await until(pilot, lambda: "not verified" not in text_of(pilot), LONG)
        assert browse(pilot).layers_pane.current_node is not None


async def test_what_is_no_text_is_shown_in_hexadecimal_and_pages_on() -> None:
    content = Random(1).randbytes(40_000)
    async with viewer({"a.dat": content}, "a.dat") as (pilot, _):
        assert contents(pilot).kind == "hex"
        await until(pilot, lambda: content[:4].hex(" ") in text_of(pilot), LONG)
        lines = screen(pilot).query_one(Lines)
        for _ in range(4):
            await further(pilot, lambda: len(lines.page.lines) if contents(pilot).more else None)
        await until(pilot, lambda: not contents(pilot).more, LONG)
        assert len(lines.page.lines) == 2500
        assert str(lines.page.lines[-1]).startswith("0000009c30")


async def test_a_notebook_shows_cells_and_its_source() -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Evaluation"},
        {
            "cell_type": "code",
            "execution_count": 3,
            "source": "print(1)",
            "outputs": [{"output_type": "stream", "text": "one\n"}],
        },
    ]
    raw = json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode()
    async with viewer({"a.ipynb": raw}, "a.ipynb") as (pilot, _):
        assert contents(pilot).kind == "notebook"
        await until(pilot, lambda: "print(1)" in text_of(pilot), LONG)
        assert "cell_type" not in text_of(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "cell_type" in text_of(pilot))


async def test_markdown_is_rendered_and_searched_as_it_is_written() -> None:
    async with viewer({"README.md": b"# Title\n\nA **bold** [link](http://example.org).\n"}, "README.md") as (pilot, _):
        await until(pilot, lambda: "Title" in text_of(pilot) and "**bold**" not in text_of(pilot), LONG)
        await pilot.press("slash", *"bold")
        await until(pilot, lambda: "match 1 of 1" in text_of(pilot))
        await until(pilot, lambda: "**bold**" in text_of(pilot), LONG)
        await pilot.press("enter", "m")
        await until(pilot, lambda: "**bold**" not in text_of(pilot))


async def test_an_image_is_drawn_in_half_blocks() -> None:
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", (20, 20), (200, 30, 30)).save(out, "PNG")
    async with viewer({"a.png": out.getvalue()}, "a.png") as (pilot, _):
        assert contents(pilot).kind == "picture"
        await until(pilot, lambda: "▀▀▀▀" in text_of(pilot), LONG)
        assert "PNG  20 x 20" in text_of(pilot)


async def test_the_path_is_copied_and_the_file_saved(tmp_path: Path) -> None:
    async with viewer({"d/a.txt": TEXT.encode()}, "d/a.txt") as (pilot, _):
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == "d/a.txt", LONG)
        await pilot.press("w")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ViewerScreen))
        entry = pilot.app.screen.query_one(Input)
        assert entry.value.endswith("/a.txt")
        entry.value = str(tmp_path / "b.txt")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "b.txt").exists(), LONG)
        assert (tmp_path / "b.txt").read_bytes() == TEXT.encode()


def packed() -> bytes:
    """A gzip layer of over a megabyte."""
    files = {"a.txt": b"hello\n", "noise.dat": Random(2).randbytes(1_200_000)}
    return gzip.compress(archive(files), 1, mtime=0)


async def test_a_packed_layer_says_its_price_before_it_is_read() -> None:
    made, repository = kit_world({"m": packed()}, media={"m": "tar+gzip"})
    async with made.app(START).run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: len(browse(pilot).layers_pane.body.rows) > 0, LONG)
        await quiet(pilot)
        await pilot.press("3", "enter")
        await until(pilot, lambda: "Enter reads 1.2 MB" in text_of(pilot), LONG)
        assert "Or: p pulls the ModelKit instead" in text_of(pilot)
        assert "not looked at" not in text_of(pilot)
        assert repository.asked == []
        await pilot.press("j", "enter")
        await until(pilot, lambda: "a.txt" in text_of(pilot), LONG)
        assert "Enter reads" not in text_of(pilot)


async def no_ranges(pilot: Pilot[Any]) -> None:
    await to_row(pilot, "a.txt")
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog), LONG)


async def test_without_ranges_a_file_has_the_price_of_its_layer() -> None:
    layer = archive({"a.txt": b"hello world\n", "noise.dat": bytes(1_200_000)})
    made, repository = kit_world({"m": layer}, ranges=False)
    async with made.app(START).run_test(size=(80, 24), notifications=True) as pilot:
        await no_ranges(pilot)
        assert "1.2 MB to read" in text_of(pilot)
        assert "p pulls" in text_of(pilot)
        before = len(repository.asked)
        await pilot.press("escape")
        await until(pilot, lambda: "It was not read." in text_of(pilot), LONG)
        assert len(repository.asked) == before
        await pilot.press("escape")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog), LONG)
        await pilot.press("enter")
        await until(pilot, lambda: "hello world" in text_of(pilot), LONG)


async def test_a_price_that_is_declined_ends_saving(tmp_path: Path) -> None:
    layer = archive({"a.txt": b"hello world\n", "noise.dat": bytes(1_200_000)})
    made, _ = kit_world({"m": layer}, ranges=False)
    async with made.app(START).run_test(size=(80, 24), notifications=True) as pilot:
        await to_row(pilot, "a.txt")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog), LONG)
        pilot.app.screen.query_one(Input).value = str(tmp_path / "b.txt")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog), LONG)
        await pilot.press("escape")
        await quiet(pilot)
        assert (pilot.app.screen, [*tmp_path.iterdir()]) == (browse(pilot), [])


async def test_what_is_too_much_to_stream_is_refused_with_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = archive({"a.txt": b"hello world\n", "noise.dat": bytes(1_200_000)})
    made, repository = kit_world({"m": layer}, ranges=False)
    async with made.app(START).run_test(size=(80, 24), notifications=True) as pilot:
        await to_row(pilot, "a.txt")
        monkeypatch.setattr(asking, "STREAMED", 1_000_000)
        before = len(repository.asked)
        await pilot.press("v")
        await until(pilot, lambda: "Not without pulling" in text_of(pilot), LONG)
        assert "p pulls the ModelKit" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "It was not read." in text_of(pilot), LONG)
        assert len(repository.asked) == before

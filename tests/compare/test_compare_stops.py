"""Where `]` and `[` stop: at each change of a table, a notebook, a document, a value; and what facts look like."""

from __future__ import annotations

import json
from typing import Any

from kittui.compare.changes import FileChange, LayerChange, LayerSide, TensorChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.contents import compare_contents
from kittui.compare.outline import Entry, outline
from kittui.oci.tag import Tag
from kittui.tui.compare.details import Detail, lines_of
from kittui.tui.widgets.rows import Rows
from kittui.tui.widgets.text_lines import Hanging, Line
from kittui.usecases.diff.compare import Side
from tests.compare.kits import two
from tests.compare.test_compare_screen import held, ready, to_row
from tests.demo.pack import File
from tests.tui.waiting import until


def text_of_line(line: Line) -> str:
    return line if isinstance(line, str) else "".join(text for text, _ in line)


def stops_of(path: str, old: str | None, new: str | None, width: int = 100) -> list[str]:
    """The lines of a file where walking through changes stops."""
    a, b = (None if side is None else side.encode() for side in (old, new))
    entry = Entry("file", path, status="changed", text=compare_contents(path, a, b))
    lines = lines_of(entry, width, side_by_side=False, outputs=False)
    return [text_of_line(line).rstrip() for line in lines if isinstance(line, Hanging) and line.stop]


OLD = "id,amount\n" + "".join(f"{number},1\n" for number in range(60))
NEW = "id,amount,note\n" + "".join(f"{number},{1 + (number % 20 == 5)},\n" for number in range(61))


def test_each_row_and_column_of_a_table_is_a_stop() -> None:
    found = stops_of("t.csv", OLD, NEW)
    assert found[0].startswith("+ column note")
    assert [line.split()[:2] for line in found[1:]] == [["-", "5"], ["-", "25"], ["-", "45"], ["+", "60"]]
    narrow = stops_of("t.csv", OLD, NEW, width=8)
    assert [line.split()[:2] for line in narrow[1:]] == [["~", "5"], ["~", "25"], ["~", "45"], ["+", "60"]]


def test_each_cell_is_a_stop_whether_its_outputs_are_folded_or_not() -> None:
    cells = [
        {"cell_type": "code", "source": f"run({n})", "outputs": [{"output_type": "stream", "text": "0.1"}]}
        for n in range(2)
    ]
    found = stops_of("n.ipynb", json.dumps({"cells": cells}), None)
    assert found == [
        "@@ -1,1 +0,0 @@ cell 1 (code), removed",
        "▸ cell 1 (output), removed  1 line, folded",
        "@@ -1,1 +0,0 @@ cell 2 (code), removed",
        "▸ cell 2 (output), removed  1 line, folded",
    ]


def test_each_value_of_a_document_on_one_line_is_a_stop() -> None:
    old, new = (json.dumps({"a": number, "b": [number] * 200, "c": "x" * 400}) for number in (1, 2))
    found = stops_of("config.json", old, new)
    assert [line.split()[:2] for line in found[:2]] == [["~", "a"], ["~", "b[0]"]]


async def test_every_row_of_a_table_is_visited_before_the_next_change() -> None:
    old = {"data/a.csv": File(OLD.encode()), "src/z.py": File(b"a = 1\n")}
    new = {"data/a.csv": File(NEW.encode()), "src/z.py": File(b"a = 2\n")}
    repository = two(old, new)
    app = held(Side(repository, Tag("a")), Side(repository, Tag("b")))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        rows: Any = screen.query_one("#changes", Rows)
        detail = screen.query_one(Detail)
        await to_row(pilot, screen, "data/a.csv")
        for place in range(1, 6):
            await pilot.press("right_square_bracket")
            await until(pilot, lambda place=place: detail.hunk == (place, 5))  # type: ignore[misc]
            assert rows.current.entry.title == "data/a.csv"
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: rows.current.entry.title != "data/a.csv")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: rows.current.entry.title == "data/a.csv" and detail.hunk == (5, 5))
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: detail.hunk == (4, 5))


def test_facts_stand_apart_from_their_names_and_continue_below_themselves() -> None:
    side = LayerSide("sha256:" + "1" * 64, 10, "model", media_type="application/vnd.kitops.modelkit.model.v1.tar")
    entry = Entry("layer", "model", status="added", subject=LayerChange("model", "model", "added", None, side))
    facts = [line for line in lines_of(entry, 60, side_by_side=False) if isinstance(line, Hanging)]
    found = {text_of_line(line[:1]).strip(): line for line in facts}
    assert text_of_line(found["media type"]).startswith("media type  - –")
    for line in facts:
        margin = text_of_line(line)[: line.margin]
        assert margin.endswith(" ")


def test_names_with_numbers_are_in_the_order_of_these() -> None:
    names = [f"layers.{number}.weight" for number in (0, 1, 10, 11, 2)]
    tensors = tuple(TensorChange("m.safetensors", name, "added") for name in sorted(names))
    layer = LayerChange("model", "m.safetensors", "changed", None, None)
    files = tuple(FileChange("model", f"part-{number}.bin", "added", 1) for number in (1, 10, 2))
    found = outline(
        Comparison(
            Version("a", "d"),
            Version("b", "e"),
            "different",
            layers=(layer,),
            files=(FileChange("model", "m.safetensors", "changed"), *files),
            tensors=tensors,
        )
    )
    (entry,) = found
    assert [child.title for child in entry.children] == ["m.safetensors", "part-1.bin", "part-2.bin", "part-10.bin"]
    assert [child.title for child in entry.children[0].children] == [
        f"layers.{number}.weight" for number in (0, 1, 2, 10, 11)
    ]

"""Changes in great numbers: joined in linear time, and printed as far as somebody reads."""

from __future__ import annotations

import pytest

from kittui.cli.commands.diff import _lines
from kittui.compare import outline
from kittui.compare.changes import FileChange, LayerChange, TensorChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.files import find_moves
from kittui.compare.outline import Entry
from kittui.compare.review import Review, changes_of, keys_of
from kittui.errors import Malformed
from kittui.formats.exact_json import DEPTH
from kittui.formats.model_file import header_budget
from kittui.formats.safetensors import parse_header
from kittui.oci.digest import Digest


def test_thousands_of_equal_files_that_moved_are_joined_by_name_first() -> None:
    """With each compared to all others this takes longer than a test may."""
    count = 40_000
    gone = [FileChange("code", f"a/{number}.py", "removed", size_a=4) for number in range(count)]
    new = [FileChange("code", f"b/{number}.py", "added", size_b=4) for number in reversed(range(count))]
    other = FileChange("code", "b/none.py", "added", size_b=4)
    digests = [{("code", change.path): "same" for change in side} for side in (gone, [*new, other])]
    found = find_moves([*gone, *new, other], *digests)
    assert [(change.status, change.path, change.path_a) for change in found[:2]] == [
        ("moved", f"b/{count - 1}.py", f"a/{count - 1}.py"),
        ("moved", f"b/{count - 2}.py", f"a/{count - 2}.py"),
    ]
    assert len(found) == count + 1
    assert found[-1] == other
    renamed = find_moves([gone[3], gone[5], other], *digests)
    assert [(change.path, change.path_a) for change in renamed] == [("a/5.py", None), ("b/none.py", "a/3.py")]


def test_of_many_unread_tensors_a_hundred_are_listed_and_the_rest_counted() -> None:
    tensors = tuple(Entry("tensor", f"t{number}", "", "not_compared") for number in range(250))
    changed = Entry("tensor", "changed", "", "changed")
    lines = [
        "".join(str(part) for part in line)
        for line in _lines(Entry("file", "m", "", "changed", (*tensors, changed)), 0)
    ]
    assert sum("t1" in line for line in lines) == 11
    assert any("changed" in line and "~" in line for line in lines[-3:])
    assert any("and 150 more tensors not compared" in line for line in lines)
    assert len(lines) < 110


@pytest.mark.parametrize(("before", "after"), [("", ""), ("]", "["), ("}", "{"), (r"\"]", r"\"[")])
def test_no_string_hides_how_deep_a_header_is(before: str, after: str) -> None:
    def read(depth: int) -> object:
        value = f'["{before}", ' * depth + "1" + f', "{after}"]' * depth
        raw = f'{{"__metadata__": {{"x": {value}}}}}'.encode()
        return parse_header(raw, 8 + len(raw), header_budget()).metadata["x"]

    assert isinstance(read(DEPTH - 2), list)
    for depth in (DEPTH, 300, 600):
        with pytest.raises(Malformed, match=f"nested more than {DEPTH} deep"):
            read(depth)


def test_changes_that_have_no_rows_are_ticked_by_the_rows_about_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "SHOWN", 3)
    version = Version("r:t", Digest.of(b"1"))
    files = [FileChange("code", f"{layer}/{n}.py", "changed", layer=layer) for layer in (0, 1) for n in range(10)]
    files += [FileChange("model", f"{n}.bin", "same", layer=2) for n in range(10)]
    tensors = [TensorChange("0/0.py", f"t{n}", "changed") for n in range(10)]
    comparison = Comparison(
        version,
        version,
        "different",
        layers=tuple(LayerChange("code", f"l{n}", "changed", None, None) for n in range(3)),
        files=tuple(files),
        tensors=tuple(tensors),
        complete=True,
    )
    changes = changes_of(comparison)
    beyond = [entry for entry in changes if entry.part == "problem"]
    assert [(entry.key, entry.title) for entry in beyond] == [
        ("more/layer/0/0/0.py", "7 more tensors"),
        ("more/layer/0", "7 more files"),
        ("more/layer/1", "7 more files"),
    ]
    review = Review()
    for entry in changes:
        if entry.part != "problem":
            review = review.ticked(entry.key)
    assert (review.counted(keys_of(comparison)).left, review.counted(keys_of(comparison)).whole) == (3, False)
    for entry in beyond:
        review = review.ticked(entry.key)
    assert review.counted(keys_of(comparison)).whole

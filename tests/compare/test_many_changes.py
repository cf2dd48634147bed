"""Changes in great numbers: joined in linear time, and printed as far as somebody reads."""

from __future__ import annotations

import json

from kittui.cli.commands.diff import _lines
from kittui.compare.changes import FileChange
from kittui.compare.files import find_moves
from kittui.compare.outline import Entry
from kittui.formats.exact_json import DEPTH, may_be_deep


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


def test_depth_is_seen_in_the_brackets_of_a_document() -> None:
    plain = {f"t{number}": {"shape": [1, 2], "data_offsets": [0, 4]} for number in range(DEPTH)}
    assert not may_be_deep(json.dumps(plain).encode())
    assert not may_be_deep(b"7")
    deep: object = 1
    for _ in range(DEPTH + 1):
        deep = [deep]
    assert may_be_deep(json.dumps({**plain, "x": deep}).encode())
    assert may_be_deep(json.dumps({**plain, "x": "a lone {"}).encode())

"""Layers as a multiset and the files in them."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kittui.compare.changes import FileSide, LayerSide
from kittui.compare.files import compare_files, find_moves
from kittui.compare.layers import TypedLayer, compare_layers
from kittui.compare.lockstep import Stretch, in_order


def layer(kind: str, path: str, digest: str, index: int = 0, diff_id: str | None = None) -> TypedLayer:
    return (kind, LayerSide(digest, 10, path, diff_id, index=index))


def statuses(a: list[TypedLayer], b: list[TypedLayer]) -> list[tuple[str, str]]:
    return [(change.path, change.status) for change in compare_layers(a, b)]


def test_each_status() -> None:
    a = [
        layer("model", "./m", "1", 0, "d1"),
        layer("code", "src", "2", 1),
        layer("datasets", "t.csv", "3", 2),
        layer("datasets", "old/x.csv", "4", 3),
        layer("docs", "gone", "5", 4),
        layer("datasets", "far/away.csv", "6", 5),
    ]
    b = [
        layer("model", "m/", "9", 0, "d1"),
        layer("code", "src", "2", 1),
        layer("datasets", "t.csv", "33", 2),
        layer("datasets", "new/y.csv", "4", 3),
        layer("datasets", "near/away.csv", "66", 4),
        layer("prompts", "p", "7", 5),
    ]
    assert statuses(a, b) == [
        ("m/", "repacked"),
        ("src", "same"),
        ("t.csv", "changed"),
        ("new/y.csv", "moved"),
        ("gone", "removed"),
        ("near/away.csv", "changed"),
        ("p", "added"),
    ]


def test_one_digest_twice_counts_twice() -> None:
    a = [layer("datasets", "d", "1", 0), layer("docs", "e", "1", 1)]
    b = [layer("datasets", "d", "1", 0), layer("datasets", "f", "1", 1), layer("docs", "e", "1", 2)]
    assert statuses(a, b) == [("d", "same"), ("f", "added"), ("e", "same")]


def test_the_only_model_left_is_the_model_under_another_name() -> None:
    assert statuses([layer("model", "a.bin", "1")], [layer("model", "b.bin", "2")]) == [("b.bin", "changed")]


def test_layers_without_paths_are_matched_by_content() -> None:
    a = [layer("tar", "", "1", 0), layer("tar", "", "2", 1)]
    b = [layer("tar", "", "0", 0), layer("tar", "", "1", 1), layer("tar", "", "2", 2)]
    assert [status for _, status in statuses(a, b)] == ["added", "same", "same"]


LAYERS = st.lists(
    st.tuples(st.sampled_from(["model", "code"]), st.sampled_from("xyz"), st.sampled_from("123")), max_size=7
)


@given(LAYERS, LAYERS)
def test_every_layer_is_told_once(a: list[tuple[str, str, str]], b: list[tuple[str, str, str]]) -> None:
    first = [layer(*entry, index) for index, entry in enumerate(a)]
    second = [layer(*entry, index) for index, entry in enumerate(b)]
    changes = compare_layers(first, second)
    assert sorted(change.a.index for change in changes if change.a) == list(range(len(a)))
    assert sorted(change.b.index for change in changes if change.b) == list(range(len(b)))
    if a == b:
        assert {change.status for change in changes} <= {"same"}


def file(path: str, size: int = 5, digest: str | None = None, mode: int = 0o644, kind: str = "file") -> FileSide:
    return FileSide(path, kind, size, mode, digest)


def test_files() -> None:
    a = [
        file("d", 0, kind="dir"), file("d/same", digest="1"), file("d/mode", digest="2"), file("d/edit", digest="3"),
        file("d/grown", 5), file("d/unread"), file("d/gone"), file("d/empty", 0), file("old", 0, kind="dir"),
        FileSide("link", "symlink", 0, 0o777, link="a"),
    ]  # fmt: skip
    b = [
        file("d", 0, kind="dir"), file("d/same", digest="1"), file("d/mode", digest="2", mode=0o755),
        file("d/edit", digest="4"), file("d/grown", 6), file("d/unread"), file("d/empty", 0), file("d/new", 9),
        FileSide("link", "symlink", 0, 0o777, link="b"),
    ]  # fmt: skip
    found = {change.path: (change.status, change.note) for change in compare_files("code", a, b)}
    assert found == {
        "d/same": ("same", ""),
        "d/mode": ("changed", "mode 644 → 755"),
        "d/edit": ("changed", ""),
        "d/grown": ("changed", ""),
        "d/unread": ("not_compared", "same size, content not read"),
        "d/gone": ("removed", ""),
        "d/empty": ("same", ""),
        "old": ("removed", ""),
        "d/new": ("added", ""),
        "link": ("changed", "points to a → b"),
    }


def test_moved_files_are_known_by_their_content() -> None:
    changes = compare_files("code", [file("a/x.py"), file("b.py")], [file("c/x.py"), file("d.py")])
    digests_a = {("code", "a/x.py"): "1", ("code", "b.py"): "1"}
    moved = find_moves(changes, digests_a, {("code", "c/x.py"): "1"})
    assert {(change.path, change.status, change.path_a) for change in moved} == {
        ("c/x.py", "moved", "a/x.py"),
        ("b.py", "removed", None),
        ("d.py", "added", None),
    }
    assert find_moves(changes, {}, {}) == changes


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 40), st.integers(0, 9)), max_size=12)


@given(SPANS)
def test_lockstep_rises_in_both_streams(spans: list[tuple[int, int, int, int]]) -> None:
    stretches = [Stretch(*span, key=number) for number, span in enumerate(spans)]
    kept, left = in_order(stretches)
    assert sorted(entry.key for entry in (*kept, *left)) == list(range(len(spans)))
    for first, second in pairwise(kept):
        assert first.a + first.a_size <= second.a
        assert first.b + first.b_size <= second.b


def test_lockstep_prefers_the_heavy_ones_and_keeps_what_is_in_order() -> None:
    big = Stretch(0, 1000, 5000, 1000, "big")
    small = [Stretch(2000 + at * 10, 10, at * 10, 10, str(at)) for at in range(3)]
    kept, left = in_order([big, *small])
    assert [entry.key for entry in kept] == ["big"]
    assert left == small
    ordered = [Stretch(at * 10, 10, at * 12, 10, at) for at in range(2000)]
    kept_all, left_over = in_order(ordered)
    assert len(kept_all) == 2000
    assert left_over == []


def test_a_path_of_many_folders_takes_no_more_than_its_length() -> None:
    deep = "d/" * 20_000 + "f"
    tracemalloc.start()
    changes = compare_files("code", [file(deep)], [file("f")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {change.status for change in changes} == {"added", "removed"}
    assert peak < 1_000_000


def test_folders_count_where_they_are_empty() -> None:
    a = [FileSide("a", "dir"), FileSide("a/b", "dir"), FileSide("a-c", "dir"), FileSide("a/b/f", size=1)]
    changes = compare_files("code", a, [])
    assert [change.path for change in changes] == ["a-c", "a/b/f"]

"""Kitfiles and other documents: what differs, by nested path."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.compare.changes import ValueChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.documents import change_in_percent, compare_documents, same_value
from kittui.compare.words import age_words, lineage_words, size_words
from kittui.terminal import size_text

OLD = {
    "package": {"name": "fraud", "authors": ["Risk ML", "Ada"]},
    "model": {"path": "m", "parameters": {"lr": 0.005, "epochs": 12, "odd key": 1}},
    "datasets": [{"name": "training", "path": "t.csv"}, {"name": "validation", "path": "v.csv"}],
    "docs": [{"path": "README.md"}, {"path": "CARD.md", "description": "card"}],
}


def test_nested_values_and_lists_of_objects_are_named_by_what_they_are() -> None:
    new = copy.deepcopy(OLD)
    new["model"]["parameters"]["lr"] = 0.003  # type: ignore[index]
    new["model"]["parameters"]["odd key"] = 2  # type: ignore[index]
    new["datasets"].insert(0, {"name": "extra", "path": "x.csv"})  # type: ignore[attr-defined]
    new["datasets"][2]["path"] = "w.csv"  # type: ignore[index]
    del new["docs"][1]  # type: ignore[attr-defined]
    new["package"]["authors"].insert(0, "Eve")  # type: ignore[index]
    assert set(map(repr, compare_documents(OLD, new))) == set(
        map(
            repr,
            [
                ValueChange("package.authors[0]", "added", None, "Eve"),
                ValueChange("model.parameters.lr", "changed", 0.005, 0.003),
                ValueChange('model.parameters["odd key"]', "changed", 1, 2),
                ValueChange("datasets[validation].path", "changed", "v.csv", "w.csv"),
                ValueChange("datasets[extra]", "added", None, {"name": "extra", "path": "x.csv"}),
                ValueChange("docs[CARD.md]", "removed", {"path": "CARD.md", "description": "card"}, None),
            ],
        )
    )


def test_objects_in_another_order_are_moved_and_not_changed() -> None:
    new = copy.deepcopy(OLD)
    new["datasets"].reverse()  # type: ignore[attr-defined]
    assert compare_documents(OLD, new) == (
        ValueChange("datasets", "moved", ["training", "validation"], ["validation", "training"]),
    )


def test_types_are_told_apart() -> None:
    assert not same_value(1, 1.0)
    assert not same_value(1, True)
    assert same_value(float("nan"), float("nan"))
    assert compare_documents({"x": 1}, {"x": "1"}) == (ValueChange("x", "changed", 1, "1"),)
    assert compare_documents({"x": None}, {}) == (ValueChange("x", "removed", None, None),)


def test_percent() -> None:
    assert change_in_percent(0.001, 0.0005) == -50
    assert change_in_percent(-2, -1) == 50
    assert change_in_percent(0, 1) is None
    assert change_in_percent(True, 2) is None
    assert change_in_percent("1", 2) is None


def test_documents_nested_beyond_reason_are_compared_whole() -> None:
    deep: object = 1
    other: object = 2
    for _ in range(5000):
        deep, other = [{"x": deep}], [{"x": other}]
    (change,) = compare_documents(deep, other)
    assert change.status == "changed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
def test_nothing_is_found_in_equal_documents_and_something_in_others(a: object, b: object) -> None:
    assert compare_documents(a, json.loads(json.dumps(a))) == ()
    assert bool(compare_documents(a, b)) == (not same_value(a, b))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-13T05:00:00Z", "b is 12 days newer"),
        ("2026-01-02T00:00:00+02:00", "2026-01-01T21:59:00Z", "b is a minute older"),
        ("2026-01-01T00:00:00.2Z", "2026-01-01T00:00:00Z", "both made at the same time"),
        ("2023-01-01", "2026-01-02", "b is 3 years newer"),
        ("2026-01-01T00:00:00Z", "soon", ""),
        (None, "2026-01-01T00:00:00Z", ""),
    ],
)
def test_ages_in_words(a: str | None, b: str | None, words: str) -> None:
    assert age_words(a, b) == words


def test_the_summary_says_how_versions_belong_together() -> None:
    a = Version("kits:v1", "sha256:1", created="2026-01-01T00:00:00Z", tags=("v1", "champion"), repository="kits")
    b = Version("kits:v2", "sha256:2", created="2026-01-03T00:00:00Z", tags=("v2",), repository="kits")
    assert lineage_words(Comparison(a, b, "different")) == [
        "same repository",
        "b is 2 days newer",
        "a is also champion",
    ]
    many = Version("kits:v1", "sha256:1", tags=("v1", "t1", "t2", "t3", "t4"), repository="kits")
    assert lineage_words(Comparison(many, b, "different"))[1] == "a is also t1, t2, t3 and 1 more"
    other = Version("else:v1", "sha256:1")
    assert lineage_words(Comparison(other, b, "different")) == []


def test_sizes_read_as_everywhere() -> None:
    assert (size_words(18_000), size_words(3), size_words(None)) == (size_text(18_000), "3 B", "?")

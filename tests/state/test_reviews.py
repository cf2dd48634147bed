"""Reviews of comparisons on disk: whole at every moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.crashpoints import crashing
from kittui.oci.digest import Digest
from kittui.state.reviews import Reviews

A, B = Digest.of(b"a"), Digest.of(b"b")


class Died(Exception):
    """The process ends here."""


def die() -> None:
    raise Died


@pytest.mark.parametrize("point", ["before-fsync", "after-fsync", "before-rename", "after-rename"])
def test_a_review_that_was_killed_is_the_one_before_or_the_one_after(tmp_path: Path, point: str) -> None:
    reviews = Reviews(tmp_path)
    reviews.write(A, B, {"seen": [1]})
    with pytest.raises(Died), crashing(f"review.{point}", die):
        reviews.write(A, B, {"seen": [1, 2]})
    again = Reviews(tmp_path)
    assert again.read(A, B) == ({"seen": [1, 2]} if point.startswith("after") else {"seen": [1]})
    again.write(A, B, {"seen": [1, 2, 3]})
    assert again.read(A, B) == {"seen": [1, 2, 3]}


def test_a_review_of_nothing_and_a_damaged_one_are_none(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path)
    assert reviews.read(A, B) is None
    reviews.write(A, B, {})
    next((tmp_path / "reviews").iterdir()).write_bytes(b"{")
    assert reviews.read(A, B) is None

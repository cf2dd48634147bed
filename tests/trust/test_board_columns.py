"""How wide the board's columns are: what would be cut gets the room, and what the cursor is on is in view."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.tui.board.columns import GAP, LEAST, MOST, NAMES, Need, columns, spread

WIDTHS = (80, 120, 160, 200)
needs = st.builds(lambda first, more: Need(first, first + more), st.integers(0, 90), st.integers(0, 200))


@given(st.integers(40, 300), needs, st.lists(needs, max_size=12), st.data())
def test_columns_fit_and_show_the_cursor(room: int, names: Need, wanted: list[Need], data: st.DataObject) -> None:
    stages = [(f"s{number}", need) for number, need in enumerate(wanted)]
    at = data.draw(st.integers(0, max(0, len(stages) - 1)))
    found = columns(room, names, stages, data.draw(st.integers(0, 12)), at)
    assert found.names + sum(width + GAP for _, width in found.stages) + 2 <= room
    assert found.names >= NAMES
    assert all(width >= min(LEAST, room - NAMES - 2 - GAP) for _, width in found.stages)
    if stages:
        assert f"s{at}" in dict(found.stages)
        assert found.stages[0][0] == f"s{found.first}"
        # Each column answers to a click in it, and to none outside.
        places = [found.at(x) for x in range(room)]
        assert [places.count(stage) for stage, _ in found.stages] == [width + GAP for _, width in found.stages]


@pytest.mark.parametrize("room", WIDTHS)
def test_width_goes_to_what_is_cut(room: int) -> None:
    small, large = Need(12, 12), Need(20, 200)
    found = dict(columns(room, Need(5, 13), [("champion", small), ("rollback", large)], 0, 0).stages)
    assert found["champion"] == 12
    assert found["rollback"] == min(MOST, room - NAMES - 2 - GAP - 12 - GAP)


@pytest.mark.parametrize("room", WIDTHS)
def test_names_and_first_lines_are_whole_before_other_lines(room: int) -> None:
    found = columns(room, Need(22, 60), [("challenger", Need(18, 90)), ("champion", Need(15, 90))], 0, 0)
    assert found.names >= 22
    assert all(width >= 18 for _, width in found.stages)


def test_a_stage_that_does_not_fit_is_out_of_view_and_comes_with_the_cursor() -> None:
    stages = [(name, Need(20, 40)) for name in ("tuned", "challenger", "champion", "rollback")]
    first = columns(80, Need(10, 10), stages, 0, 0)
    assert [stage for stage, _ in first.stages] == ["tuned", "challenger"]
    last = columns(80, Need(10, 10), stages, first.first, 3)
    assert [stage for stage, _ in last.stages] == ["champion", "rollback"]
    assert [stage for stage, _ in columns(80, Need(10, 10), stages, last.first, 2).stages] == ["champion", "rollback"]


def test_what_is_left_is_shared_by_those_that_want_it() -> None:
    assert spread(30, [5, 5, 5], [5, 8, 40]) == [5, 8, 17]
    assert spread(16, [5, 5, 5], [9, 9, 9]) == [6, 5, 5]
    assert spread(10, [5, 5, 5], [9, 9, 9]) == [5, 5, 5]

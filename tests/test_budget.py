"""The bounds that every decoder of foreign bytes is handed."""

from __future__ import annotations

import threading
import time

import pytest

from kittui.budget import EXPAND_FREELY, Budget, Kind
from kittui.errors import TooLarge


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("items", "more than 1,000 values in the pickle"),
        ("names", "more than 1,000 characters of names in the pickle"),
        ("cells", "more than 1,000 cells in the pickle"),
        ("input", "the pickle has more than 1.0 kB"),
        ("memory", "the pickle has more than 1.0 kB"),
    ],
)
def test_what_is_used_up_is_named(kind: Kind, words: str) -> None:
    budget = Budget("the pickle", **{kind: 1000})
    budget.spend(kind, 999)
    budget.spend(kind)
    assert budget.left(kind) == 0
    with pytest.raises(TooLarge, match=f"^too large to show: .*{words}$"):
        budget.spend(kind)


def test_amounts_are_apart_and_a_refused_one_is_not_taken() -> None:
    budget = Budget("x", items=10, names=10)
    with pytest.raises(TooLarge):
        budget.spend("names", 11)
    budget.spend("names", 10)
    budget.spend("items", 10)
    assert (budget.left("names"), budget.left("items")) == (0, 0)


def test_nesting_is_bounded() -> None:
    budget = Budget("the list", depth=3)
    budget.descend(3)
    with pytest.raises(TooLarge, match="the list is nested more than 3 deep"):
        budget.descend(4)


def test_a_bomb_is_what_expands_too_often_above_what_is_free() -> None:
    budget = Budget("the layer", input=None, output=None)
    budget.spend("input", EXPAND_FREELY // 200)
    budget.spend("output", EXPAND_FREELY)
    with pytest.raises(TooLarge, match="the layer expands more than 200 times"):
        budget.spend("output", 200)
    trusted = Budget("the layer", input=None, output=None, ratio=float("inf"))
    trusted.spend("output", 1 << 50)


def test_time_of_the_processor_is_bounded_and_waiting_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(time, "thread_time", lambda: clock)
    budget = Budget("the file", seconds=5, items=None)
    clock += 100
    budget.resume()
    clock += 4
    for _ in range(600):
        budget.spend("items")
    clock += 2
    with pytest.raises(TooLarge, match="takes more than 5 s"):
        for _ in range(600):
            budget.tick()


def test_what_another_thread_did_before_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {threading.get_ident(): 0.0}
    monkeypatch.setattr(time, "thread_time", lambda: clocks.get(threading.get_ident(), 1000.0))
    budget = Budget("the file", seconds=5)
    failed: list[TooLarge] = []

    def work() -> None:
        try:
            for _ in range(2000):
                budget.tick()
        except TooLarge as error:
            failed.append(error)

    other = threading.Thread(target=work)
    other.start()
    other.join()
    assert not failed

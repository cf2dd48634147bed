"""Two operators at once, a few times; `python -m tests.bench operators` does it more often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.peers import running, servers
from tests.faults.operators import Operators


@pytest.fixture(params=servers("Distribution 2.8", "zot"))
def operators(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Operators]:
    with running(request.param, tmp_path / "server") as server:
        yield Operators(tmp_path, server)


async def test_two_who_promote_at_once_are_told_the_truth(operators: Operators) -> None:
    await operators.promote_round("race")
    assert operators.tally.broken == []


async def test_two_who_move_a_tag_unseen_by_each_other_are_named(operators: Operators) -> None:
    await operators.promote_round("cross", cross=True)
    assert operators.tally.broken == []
    (outcome,) = operators.tally.seen
    assert outcome.startswith("promoting: both moved it in the same moment")


async def test_two_who_sign_at_once_are_both_listed(operators: Operators) -> None:
    await operators.sign_round("sign")
    assert operators.tally.broken == []
    assert operators.tally.seen == {"signing: both are listed": 1}

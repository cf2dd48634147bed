"""A short siege: some of the files that are hostile by their shape, looked at by the real program with 3 GB of memory.

`python -m tests.bench siege` has all of them, and measures.
"""

from __future__ import annotations

import pytest

from tests.bench.siege import siege

LOOKS = {
    "pixels.png": ("view", "diff"),
    "nested.jsonl": ("view", "diff"),
    "odd.npy": ("tree", "view"),
    "name.pt": ("view",),
    "collide.pkl": ("tree",),
    "deeper": ("tree", "diff", "unpack"),
    "marker": ("tree", "unpack"),
    "deep parameters": ("show", "diff"),
    "small.md": ("tui",),
}


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.timeout(300)
def test_a_hostile_file_is_looked_at_without_a_fault(name: str) -> None:
    runs = list(siege(name, LOOKS[name]))
    assert len(runs) >= len(LOOKS[name])
    assert [(look, run.outcome) for look, run in runs if run.outcome.startswith("BROKEN")] == []

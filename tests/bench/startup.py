"""How long it takes to be there: the version, and the first screen with the store on it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median

import textual

from tests.bench.places import KITTUI, Place, fresh
from tests.bench.rows import Row, judged
from tests.bench.terminal import Terminal

RUNS = 7


def run() -> Iterator[Row]:
    """Each pair is measured in turns, so that both see the same machine."""
    with fresh() as place:
        yield version(place)
        yield first_screen(place)


def version(place: Place) -> Row:
    """`kittui --version` against an interpreter that does nothing."""
    ours, theirs = [], []
    _seconds([*KITTUI, "--version"], place)
    for _ in range(RUNS):
        theirs.append(_seconds([sys.executable, "-c", "pass"], place))
        ours.append(_seconds([*KITTUI, "--version"], place))
    ratio = median(ours) / median(theirs)
    return judged(
        "kittui --version",
        f"{median(ours) * 1000:.0f} ms, {ratio:.1f}x",
        "4x python -c pass",
        ratio <= 4,
        f"python -c pass: {median(theirs) * 1000:.0f} ms",
    )


def first_screen(place: Place) -> Row:
    """The store's repositories on the screen, against a bare application's first row.

    The first run of both compiles their modules and is not counted.
    """
    ours, theirs = [], []
    for _ in range(RUNS + 1):
        with Terminal([sys.executable, "-m", "tests.bench.bare"], place.environment) as bare:
            theirs.append(bare.wait_for(b"repository-1"))
        with Terminal(KITTUI, place.environment) as kittui:
            ours.append(kittui.wait_for(b"sentiment"))
    del ours[0], theirs[0]
    ratio = median(ours) / median(theirs)
    return judged(
        "first screen, store listed",
        f"{median(ours):.2f} s, {ratio:.2f}x",
        "1.6x a bare Textual app",
        ratio <= 1.6,
        f"bare app, Textual {textual.__version__}: {median(theirs):.2f} s",
    )


def _seconds(command: Sequence[str], place: Place) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=place.environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start

"""Bounds on what a look at something hostile may take in a test."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

MOST = 500_000
"""Bytes of a file that is made."""
MEMORY = 600 * 1024 * 1024
"""Bytes of address space that a look may add to what the tests have."""
SECONDS = 15
"""Seconds of the processor for one look: what takes so long takes hours at ten times the size."""
SIZES = st.sampled_from((1, 2, 9, 60, 400, 3_000, 20_000, 150_000))
"""Two of these are drawn and multiplied."""


class TooSlow(BaseException):
    """A look took too much of the processor."""


@contextmanager
def bounded() -> Iterator[None]:
    """Run under a bound on memory and on processor time."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)

    def late(*_: object) -> None:
        raise TooSlow

    former = signal.signal(signal.SIGVTALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, before[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGVTALRM, former)


def cut(piece: bytes, count: int) -> bytes:
    """A piece so often that it stays within what is made."""
    return piece * max(1, min(count, MOST // max(1, len(piece))))

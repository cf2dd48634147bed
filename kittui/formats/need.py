"""How parsers ask for bytes: a parser is a generator that yields Needs and is sent the bytes, and does no IO itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias, TypeVar

from kittui.errors import Malformed

T = TypeVar("T")


class Need(NamedTuple):
    """A stretch of the content, in bytes. Fewer bytes come back only where the content ends."""

    offset: int
    length: int


Steps: TypeAlias = Generator[tuple[Need, ...], tuple[bytes, ...], T]
"""A parser under way: yields Needs (several may be read in parallel), is sent one answer for each, returns T."""


def fetch(offset: int, length: int) -> Steps[bytes]:
    """One stretch, perhaps shorter at the end of the content."""
    (answer,) = yield (Need(offset, length),)
    return answer


def fetch_exactly(offset: int, length: int, what: str) -> Steps[bytes]:
    """One stretch whole; raises Malformed naming `what` where the content ends early."""
    answer = yield from fetch(offset, length)
    if len(answer) < length:
        raise Malformed(f"{what} is cut short: {len(answer)} of {length} bytes are there")
    return answer


def run_on(steps: Steps[T], read: Callable[[int, int], bytes]) -> T:
    """Drive a parser over something that can be read at once, as bytes in memory."""
    try:
        needs = next(steps)
        while True:
            needs = steps.send(tuple(read(need.offset, need.length) for need in needs))
    except StopIteration as stop:
        result: T = stop.value
        return result


def run_bytes(steps: Steps[T], content: bytes) -> T:
    """Drive a parser over bytes in memory."""
    return run_on(steps, lambda offset, length: content[offset : offset + length])


class Feed:
    """Drives a parser whose Needs only move forward over a stream: what it skips is dropped, memory stays one Need."""

    def __init__(self, steps: Steps[object]) -> None:
        self._steps = steps
        self._start = 0
        self._buffer = bytearray()
        self._needs: tuple[Need, ...] | None = None
        self._advance(None)

    @property
    def done(self) -> bool:
        """Whether the parser has what it wanted."""
        return self._needs is None

    @property
    def position(self) -> int:
        """Bytes of the stream seen."""
        return self._start + len(self._buffer)

    def _advance(self, answers: tuple[bytes, ...] | None) -> None:
        try:
            self._needs = next(self._steps) if answers is None else self._steps.send(answers)
        except StopIteration:
            self._needs = None
            self._buffer.clear()

    def _answers(self, needs: tuple[Need, ...]) -> tuple[bytes, ...]:
        return tuple(
            bytes(self._buffer[max(0, need.offset - self._start) : max(0, need.offset - self._start + need.length)])
            for need in needs
        )

    def push(self, piece: bytes) -> None:
        """Take the next piece of the stream."""
        if self._needs is None:
            self._start += len(piece)
            return
        self._buffer += piece
        while self._needs is not None:
            first = min(need.offset for need in self._needs)
            if first > self._start:
                drop = min(first - self._start, len(self._buffer))
                del self._buffer[:drop]
                self._start += drop
            if max(need.offset + need.length for need in self._needs) > self.position:
                return
            self._advance(self._answers(self._needs))

    def close(self) -> None:
        """The stream has ended: what is still wanted is answered with what there is."""
        while self._needs is not None:
            self._advance(self._answers(self._needs))

"""The protocol of parsers: each is a generator that yields Needs and is sent the bytes; it does no IO itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import NamedTuple, TypeAlias, TypeVar

from kittui.budget import Budget
from kittui.errors import Malformed

T = TypeVar("T")


class Need(NamedTuple):
    """A stretch of the content, in bytes. Fewer bytes come back only where the content ends."""

    offset: int
    length: int


Steps: TypeAlias = Generator[tuple[Need, ...], tuple[bytes, ...], T]
"""A running parser: yields Needs (several may be read in parallel), is sent one answer for each, returns T."""


def fetch(offset: int, length: int) -> Steps[bytes]:
    """Read one stretch; it may be shorter at the end of the content."""
    (answer,) = yield (Need(offset, length),)
    return answer


def fetch_exactly(offset: int, length: int, what: str) -> Steps[bytes]:
    """Read one whole stretch; raises Malformed naming `what` if the content ends early."""
    answer = yield from fetch(offset, length)
    if len(answer) < length:
        raise Malformed(f"{what} is cut short: {len(answer)} of {length} bytes are there")
    return answer


def run_on(steps: Steps[T], read: Callable[[int, int], bytes]) -> T:
    """Drive a parser with a function that reads at once, such as from bytes in memory."""
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


def shifted(steps: Steps[T], offset: int) -> Steps[T]:
    """Run a parser on what begins at the given byte of the content."""
    try:
        needs = next(steps)
        while True:
            answers = yield tuple(Need(need.offset + offset, need.length) for need in needs)
            needs = steps.send(answers)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


class Feed:
    """Drives a forward-only parser over a stream: skipped bytes are dropped, and at most one Need is in memory."""

    def __init__(self, steps: Steps[object]) -> None:
        self._steps = steps
        self._start = 0
        self._buffer = bytearray()
        self._needs: tuple[Need, ...] | None = None
        self._advance(None)

    @property
    def done(self) -> bool:
        """Whether the parser has finished."""
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
        """End the stream: answer open Needs with the bytes received so far."""
        while self._needs is not None:
            self._advance(self._answers(self._needs))


class Cursor:
    """Reads forward through content with a growing window, for headers of unknown length."""

    def __init__(self, size: int | None, what: str, budget: Budget, *, ahead: int = 32 * 1024) -> None:
        """`size` is the content's bytes, None if unknown until its end.

        Malformed errors name `what`; `budget` bounds reads.
        """
        self.position = 0
        self._size = 1 << 62 if size is None else size
        self._unsized = size is None
        self._what = what
        self._ahead = ahead
        self._budget = budget
        self._start = 0
        self._window = b""

    @property
    def left(self) -> int:
        """Bytes to the content's end."""
        return self._size - self.position

    def held(self, count: int) -> bool:
        """Whether the window has that many bytes, so that `grab` may be called."""
        return self.position - self._start + count <= len(self._window)

    def grab(self, count: int) -> bytes:
        """Take the next bytes, which must be in the window."""
        at = self.position - self._start
        self.position += count
        return self._window[at : at + count]

    def peek(self, count: int) -> bytes:
        """Return the next bytes without moving forward, fewer at the end; they must be in the window."""
        at = self.position - self._start
        return self._window[at : at + count]

    def since(self, mark: int) -> bytes:
        """Return what was grabbed since a position, with no fill in between."""
        return self._window[mark - self._start : self.position - self._start]

    def find(self, wanted: bytes, count: int) -> int:
        """Find a sequence in the next `count` bytes, which must be in the window; -1 if it is not there."""
        at = self.position - self._start
        found = self._window.find(wanted, at, at + count)
        return found - at if found >= 0 else -1

    def take(self, count: int) -> Steps[bytes]:
        """Read the next bytes; raises Malformed if the content ends first."""
        if not self.held(count):
            yield from self.fill(count)
        return self.grab(count)

    def fill(self, count: int) -> Steps[None]:
        """Fill the window with that many bytes.

        Raises Malformed if the content ends first, TooLarge beyond the budget.
        """
        if count > self.left:
            raise Malformed(f"{self._what} is cut short at byte {self.position}: {count} more bytes are needed")
        kept = self._window[self.position - self._start :] if self.position >= self._start else b""
        wanted = min(self.left, max(count, min(self._ahead, self._budget.left("input") + len(kept))))
        self._budget.spend("input", wanted - len(kept))
        self._start = self.position
        self._window = kept
        place = self.position + len(kept)
        if self._unsized:
            self._window += yield from fetch(place, wanted - len(kept))
            if len(self._window) < wanted:
                self._size, self._unsized = self.position + len(self._window), False
                if len(self._window) < count:
                    raise Malformed(f"{self._what} is cut short at byte {self._size}")
        else:
            self._window += yield from fetch_exactly(place, wanted - len(kept), self._what)
        self._ahead = min(2 * self._ahead, 1024 * 1024)

    def look(self, count: int) -> Steps[bytes]:
        """Read the next bytes without moving forward, fewer at the content's end."""
        if not self.held(min(count, self.left)):
            with suppress(Malformed):
                yield from self.fill(min(count, self.left))
        return self.peek(count)

    def skip(self, count: int) -> None:
        """Skip bytes without reading them; raises Malformed if the content ends first."""
        if count > self.left:
            raise Malformed(f"{self._what} is cut short at byte {self.position}: {count} more bytes are needed")
        if not self.held(count):
            self._ahead = 32 * 1024
        self.position += count
        if self.position - self._start > len(self._window):
            self._start, self._window = self.position, b""

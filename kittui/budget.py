"""What looking at foreign content may cost. One Budget is made for each look, and handed to every decoder on the way.

A decoder counts what it meets *before* it keeps it, so that nothing large is built and then refused:

    def read_names(raw: bytes, budget: Budget) -> Names:
        names = []
        try:
            for depth, name in parse(raw):
                budget.descend(depth)
                budget.spend("items")
                budget.spend("names", len(name))
                names.append(name)
        except TooLarge as error:
            return Names(names, problem=error.message)
        return Names(names)

- `spend(kind, count)` takes from one of the amounts of `Kind`. `descend(depth)` bounds nesting. Both look at the clock
  now and then, so that a loop that counts its items is bounded in time too; a loop that does not calls `tick()`.
- Where it is used up they raise TooLarge: "too large to show: more than 1,000,000 items in the pickle". Catch it beside
  Malformed, keep what was found before, and show the message as a marked row. What can be shown without that decoder
  (the file's size, its bytes, unpacking it) must continue working.
- Give the amounts that differ for your decoder by name: `Budget("the table", cells=200_000, seconds=2)`. Pass the same
  Budget down to the decoders inside (a pickle in a zip): they share it. Never make a second one halfway.
- "memory" is for what is about to be allocated in one piece: pixels times bytes of one, a column times its rows.
- What decompresses spends "input" and "output"; more than `ratio` times as much output as input is refused, above
  EXPAND_FREELY bytes. `None` for an amount lifts it: a layer may be of any size, but not expand without end.
- Work in another thread calls `resume()` first: time is counted for one thread at a time (`drive` does it).
- A library that can't count (an image decoder, Arrow) gets its numbers checked beforehand, by `spend("memory", ...)`.
"""

from __future__ import annotations

import time
from _thread import get_ident
from typing import Final, Literal, TypeAlias

from kittui.errors import TooLarge
from kittui.terminal import size_text

Kind: TypeAlias = Literal["input", "output", "items", "names", "tensors", "cells", "lines", "memory"]
"""Bytes read, bytes decompressed, values, characters of all names, tensors, cells, lines, bytes allocated."""

MIB: Final = 1024 * 1024
EXPAND_FREELY: Final = 256 * MIB
"""Bytes of output that are decompressed whatever the ratio."""
RATIO: Final = 200.0
"""Bytes of output for each byte of input above which something counts as a bomb."""
_TICKS: Final = 512
_UNITS: Final = {
    "items": "values", "names": "characters of names", "tensors": "tensors", "cells": "cells", "lines": "lines",
}  # fmt: skip


class Budget:
    """Amounts that one look at foreign content may use up; see the module for how to use it."""

    __slots__ = ("_clock", "_given", "_left", "_limits", "_taken", "_thread", "_ticks", "_used", "depth", "ratio",
                 "seconds", "what")  # fmt: skip

    def __init__(
        self,
        what: str,
        *,
        input: int | None = 64 * MIB,  # noqa: A002
        output: int | None = 64 * MIB,
        items: int | None = 2_000_000,
        names: int | None = 64_000_000,
        tensors: int | None = 250_000,
        cells: int | None = 2_000_000,
        lines: int | None = 4_000_000,
        memory: int | None = 512 * MIB,
        depth: int = 100,
        seconds: float = 30.0,
        ratio: float = RATIO,
    ) -> None:
        """`what` is named in the message ("the pickle"); `seconds` are of the processor, not of waiting."""
        self.what = what
        self.depth = depth
        self.seconds = seconds
        self.ratio = ratio
        self._limits: dict[Kind, int | None] = {
            "input": input, "output": output, "items": items, "names": names, "tensors": tensors, "cells": cells,
            "lines": lines, "memory": memory,
        }  # fmt: skip
        self._left = {kind: float("inf") if limit is None else limit for kind, limit in self._limits.items()}
        self._taken = self._given = 0
        self._used = 0.0
        self._ticks = 0
        self._clock: float = time.thread_time()
        self._thread: int = get_ident()

    def spend(self, kind: Kind, count: int = 1) -> None:
        """Take from an amount; raises TooLarge where there is not so much left."""
        left = self._left[kind] - count
        if left < 0:
            raise self._exhausted(kind)
        self._left[kind] = left
        if kind == "output":
            self._given += count
            if self._given > EXPAND_FREELY and self._given > self.ratio * self._taken:
                raise TooLarge(
                    f"{self.what} expands more than {self.ratio:.0f} times: it may be made to fill memory or disk, so"
                    " reading stops"
                )
        elif kind == "input":
            self._taken += count
        self.tick()

    def left(self, kind: Kind) -> int:
        """What is left of an amount, for a library that takes a limit."""
        left = self._left[kind]
        return 1 << 62 if left == float("inf") else int(left)

    def descend(self, depth: int) -> None:
        """Raise TooLarge for what is nested more deeply than is followed."""
        if depth > self.depth:
            raise TooLarge(f"too large to show: {self.what} is nested more than {self.depth} deep")

    def tick(self) -> None:
        """Look at the clock now and then; raises TooLarge where the time is used up."""
        self._ticks += 1
        if self._ticks < _TICKS:
            return
        self._ticks = 0
        clock, thread = time.thread_time(), get_ident()
        if thread == self._thread:
            self._used += clock - self._clock
        self._clock, self._thread = clock, thread
        if self._used > self.seconds:
            raise TooLarge(f"too large to show: {self.what} takes more than {self.seconds:g} s to read")

    def resume(self) -> None:
        """Count time from now on, in this thread: what it did meanwhile was for others."""
        self._clock, self._thread = time.thread_time(), get_ident()

    def _exhausted(self, kind: Kind) -> TooLarge:
        limit = self._limits[kind] or 0
        if kind in _UNITS:
            return TooLarge(f"too large to show: more than {limit:,} {_UNITS[kind]} in {self.what}")
        return TooLarge(f"too large to show: {self.what} has more than {size_text(limit)}")


def layer_budget(ratio: float = RATIO) -> Budget:
    """For decompressing a layer: it may be of any size, but not expand without end. Time is for who reads it."""
    return Budget("the layer", input=None, output=None, ratio=ratio, seconds=float("inf"))

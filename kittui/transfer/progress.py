"""The progress of a transfer: bytes and outcome per blob and in all, rate and time left. Read by polling."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest

Outcome = Literal["copied", "mounted", "present", "resumed"]
WINDOW = 5.0
"""Seconds over which the rate is averaged."""
STALL = 5.0
"""Seconds without a byte after which a transfer counts as stalled."""


@dataclass(slots=True)
class BlobProgress:
    """One blob: `done` of `descriptor.size` bytes are transferred; `held` of them were there before."""

    descriptor: Descriptor
    done: int = 0
    held: int = 0
    outcome: Outcome | None = None


@dataclass(slots=True)
class Progress:
    """A running transfer. `note` says in words what it waits for, `phase` what it does."""

    clock: Callable[[], float] = time.monotonic
    blobs: dict[Digest, BlobProgress] = field(default_factory=dict)
    note: str | None = None
    phase: str = "planning"
    moved_at: float = 0.0
    _moved: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def begin(self, descriptors: Sequence[Descriptor]) -> None:
        """Start with these blobs."""
        for descriptor in descriptors:
            self.blobs.setdefault(descriptor.digest, BlobProgress(descriptor))
        self.phase = "moving"
        self.moved_at = self.clock()
        self._samples.append((self.moved_at, self._moved))

    def hold(self, digest: Digest, held: int) -> None:
        """Count bytes from an earlier run, which need not be moved."""
        blob = self.blobs[digest]
        blob.done = blob.held = held

    def reach(self, digest: Digest, done: int) -> None:
        """Set the bytes transferred of a blob; going back is allowed (a restart)."""
        blob = self.blobs[digest]
        gained = done - blob.done
        blob.done = done
        if gained > 0:
            self._moved += gained
            self.moved_at = now = self.clock()
            if now - self._samples[-1][0] > 0.1:
                self._samples.append((now, self._moved))
                while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW:
                    self._samples.popleft()

    def end(self, digest: Digest, outcome: Outcome) -> None:
        """Record that a blob is finished."""
        blob = self.blobs[digest]
        if outcome in ("mounted", "present"):
            blob.held = blob.descriptor.size
        blob.done = blob.descriptor.size
        blob.outcome = outcome

    @property
    def total(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.descriptor.size for blob in self.blobs.values())

    @property
    def done(self) -> int:
        """Bytes transferred."""
        return sum(blob.done for blob in self.blobs.values())

    @property
    def rate(self) -> float:
        """Bytes per second over the last seconds; 0 while nothing moves."""
        now = self.clock()
        if not self._samples or now - self.moved_at > WINDOW:
            return 0.0
        since, moved = self._samples[0]
        return (self._moved - moved) / max(now - since, 0.001)

    @property
    def left(self) -> float | None:
        """Seconds left at this rate; None while unknown."""
        rate = self.rate
        return (self.total - self.done) / rate if rate > 0 else None

    @property
    def stalled(self) -> bool:
        """Whether it should be moving, but nothing arrived for some seconds."""
        return self.phase == "moving" and self.done < self.total and self.clock() - self.moved_at > STALL

"""What goes wrong during an operation: faults of the network, and a signal at some moment."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fakes.faulty_proxy import Fault, FaultyProxy, Seen

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BUSY = {"Retry-After": "1"}


@dataclass(frozen=True)
class Trouble:
    """Faults, and where the signal comes: at a crash point, at a request, or at its answer (0: not at all)."""

    faults: tuple[Fault, ...] = ()
    signal: int = 0
    point: int = 0
    request: int = 0
    answer: int = 0

    def __str__(self) -> str:
        plain = Fault()
        said = [
            " ".join(f"{name}={value!r}" for name, value in vars(each).items() if value != getattr(plain, name))
            for each in self.faults
        ]
        if self.signal:
            where = {"point": self.point, "request": self.request, "answer": self.answer}
            at = next(f"{name} {number}" for name, number in where.items() if number)
            said.append(f"{signal.Signals(self.signal).name} at {at}")
        return "; ".join(said) or "nothing"


POINTS = {"login": 4, "login refused": 4, "pull": 55, "copy out": 45, "unpack": 18, "look": 30}
"""About how many crash points an operation passes; the others some thirty."""


def trouble(chance: random.Random, operation: str, *, writes: bool) -> Trouble:
    """Nothing for one operation in five, else faults, a signal, or both; `writes`: the operation sends something."""
    faults = tuple(_fault(chance, writes=writes) for _ in range(chance.choice((0, 0, 1, 1, 2, 3))))
    if chance.random() < 0.55:
        number = chance.choice(SIGNALS)
        kind = chance.choice(("point", "point", "request", "answer"))
        return Trouble(faults, number, **{kind: chance.randint(1, POINTS.get(operation, 30) if kind == "point" else 9)})
    return Trouble(faults)


def _fault(chance: random.Random, *, writes: bool) -> Fault:
    """One fault, for one, a few or all of the requests that it fits."""
    times = chance.choice((1, 1, 1, 2, 3, -1))
    skip = chance.choice((0, 0, 0, 1, 2))
    blobs, manifests, uploads = "/blobs/sha256", "/manifests/", "/uploads/"
    anything = chance.choice((blobs, manifests, "/v2/", *((uploads,) if writes else ())))
    reading: tuple[Callable[[], Fault], ...] = (
        lambda: Fault("GET", blobs, cut_after=chance.choice((0, 1, 5_000, 60_000))),
        lambda: Fault("GET", blobs, flip=chance.randint(0, 20_000)),
        lambda: Fault("GET", blobs, ignore_range=True),
        lambda: Fault("GET", blobs, content_range="bytes 5-99/100"),
        lambda: Fault("GET", manifests, cut_after=chance.choice((0, 50))),
        lambda: Fault("GET", manifests, flip=chance.randint(0, 200)),
        lambda: Fault("HEAD", anything, drop_answer=True),
        lambda: Fault(path=anything, status=chance.choice((500, 502, 503)), body=b"<html>trouble</html>"),
        lambda: Fault(path=anything, status=429, headers=BUSY),
        lambda: Fault(path=anything, status=401, headers={"WWW-Authenticate": 'Basic realm="kittui tests"'}),
        lambda: Fault(path=anything, delay=0.1),
        lambda: Fault("GET", anything, stall_after=chance.choice((0, 10))),
        lambda: Fault(path=anything, cut_after=0),
    )
    writing: tuple[Callable[[], Fault], ...] = (
        lambda: Fault("PUT", uploads, cut_upload_after=chance.choice((0, 10_000))),
        lambda: Fault("PUT", uploads, drop_answer=True),
        lambda: Fault("PUT", uploads, status=chance.choice((500, 502, 404))),
        lambda: Fault("PUT", manifests, drop_answer=True),
        lambda: Fault("PUT", manifests, drop_answer=True),
        lambda: Fault("PUT", manifests, status=chance.choice((500, 502, 429))),
        lambda: Fault("DELETE", manifests, drop_answer=True),
        lambda: Fault("POST", uploads, drop_answer=True),
    )
    kinds = writing if writes and chance.random() < 0.5 else reading
    return replace(chance.choice(kinds)(), times=times, skip=skip)


class Interruption:
    """Sends the signal at a request or at its answer; also whoever counts what an operation asked."""

    def __init__(self, proxy: FaultyProxy, planned: Trouble, send: Callable[[int], None]) -> None:
        self._proxy, self._planned, self._send = proxy, planned, send
        self.requests = 0
        self.sent = False

    def __enter__(self) -> Interruption:
        self._proxy.faults = [replace(fault) for fault in self._planned.faults]
        self._proxy.gate = self._gate
        return self

    def __exit__(self, *_: object) -> None:
        self.hits = sum(fault.hits for fault in self._proxy.faults)
        self._proxy.faults, self._proxy.gate = [], None
        self._proxy.requests.clear()

    def _gate(self, proxy: FaultyProxy, seen: Seen) -> Fault | None:
        self.requests += 1
        if self.requests == self._planned.request:
            self._now()
        if self.requests == self._planned.answer:
            return Fault(edit=self._at_answer)
        return None

    def _at_answer(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        self._now()
        return headers

    def _now(self) -> None:
        self.sent = True
        self._send(self._planned.signal)

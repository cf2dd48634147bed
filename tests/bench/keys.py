"""What a key press costs where a repository has 100,000 tags, and what nobody's pressing one costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from tests.bench.places import KITTUI, fresh
from tests.bench.registry import REPOSITORY, serving
from tests.bench.rows import Row, judged
from tests.bench.terminal import Terminal

TAGS = 100_000
NEWEST = b"v099999"
"""The tag that is sorted to the top when all names are there."""
KEYS = {"down": b"\x1b[B", "up": b"\x1b[A", "page down": b"\x1b[6~", "end": b"G", "home": b"g"}
IDLE = 4.0
"""Seconds that a screen at rest is watched."""


def run() -> Iterator[Row]:
    """One session on a screen of 160x45: open the repository, wait until it rests, press keys, leave it alone."""
    with fresh() as place, serving(TAGS) as registry:
        command = [*KITTUI, f"remote://{registry.host}/{REPOSITORY}"]
        with Terminal(command, place.environment) as kittui:
            opened = kittui.wait_for(NEWEST, b"100,000", timeout=90)
            kittui.settle(1.0)
            yield Row("100,000 tags listed", f"{opened:.1f} s", note="100 requests for pages of 1000")
            yield from _presses(kittui)
            yield _reading(kittui)
            yield from _at_rest(kittui)


def _presses(kittui: Terminal) -> Iterator[Row]:
    slowest, moves = {}, []
    for name, key in KEYS.items():
        timed = []
        for _ in range(9):
            seconds, count = kittui.press(key)
            timed.append(seconds)
            if name in ("down", "up"):
                moves.append(count)
            kittui.settle(0.3)
        slowest[name] = max(timed)
    worst = max(slowest, key=lambda name: slowest[name])
    note = ", ".join(f"{name} {seconds * 1000:.0f}" for name, seconds in slowest.items())
    yield judged("key press to paint", f"{slowest[worst] * 1000:.0f} ms", "50 ms", slowest[worst] < 0.05, note)
    yield judged(
        "bytes of a cursor move", f"{max(moves):,}", "4,096", max(moves) < 4096, f"median {median(moves):,.0f}, 160x45"
    )
    typed = [kittui.press(bytes([letter]))[0] for letter in b"/v0999"]
    kittui.settle(0.5)
    note = "first page of matches; 100,000 names searched"
    yield judged("letter typed into the filter", f"{max(typed) * 1000:.0f} ms", "50 ms", max(typed) < 0.05, note)
    kittui.press(b"\x1b")
    kittui.settle(1.0)


def _reading(kittui: Terminal) -> Row:
    """The processor time of pages that are read, by newest against by stage: each row that is read may order all."""
    kittui.send(KEYS["home"] + 12 * KEYS["page down"])  # beyond what was read before
    kittui.settle(2.0)
    by_stage = _pages(kittui)
    for key in (b"s", b"s", KEYS["home"]):
        kittui.send(key)
        kittui.settle(1.0)
    times = _pages(kittui) / by_stage
    return judged("a page that is read, sorted by newest", f"{times:.1f}x", "2x by stage", times < 2)


def _pages(kittui: Terminal) -> float:
    before = kittui.processor()
    for _ in range(5):
        kittui.send(KEYS["page down"])
        kittui.settle(1.0)
    return kittui.processor() - before


def _at_rest(kittui: Terminal) -> Iterator[Row]:
    before, start = kittui.processor(), time.perf_counter()
    sent = kittui.settle(IDLE, timeout=IDLE)
    share = (kittui.processor() - before) / (time.perf_counter() - start)
    yield judged("bytes sent at rest", f"{sent} in {IDLE:.0f} s", "0", sent == 0)
    yield judged("processor at rest", f"{share:.1%}", "1 %", share < 0.01)

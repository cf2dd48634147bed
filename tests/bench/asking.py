"""How often a registry is asked to show a repository of 10,000 tags, and how that feels over a slow line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.bench.places import KITTUI, fresh
from tests.bench.registry import PAGE, REPOSITORY, serving
from tests.bench.rows import Row, judged
from tests.bench.terminal import Terminal

TAGS = 10_000
NEWEST = b"v009999"
LINES = 45


def run() -> Iterator[Row]:
    """A session without delay, another one the next time, and a first one with 200 ms before every answer."""
    with fresh() as place, serving(TAGS) as registry:
        command = [*KITTUI, f"remote://{registry.host}/{REPOSITORY}"]
        with Terminal(command, place.environment, lines=LINES) as kittui:
            kittui.wait_for(NEWEST, b"10,000")
            kittui.settle(1.5)
            counts = registry.counts()
            lists = counts["_catalog"] + counts["ping"] + counts["tags"]
            pages = TAGS // PAGE
            yield judged("requests to list 10,000 tags", str(lists), f"{pages} + catalog", lists <= pages + 3)
            fine = max(counts["manifests"], counts["blobs"]) <= LINES and not counts["twice"]
            yield judged("requests for visible rows", _asked(counts), "one of each a row", fine, f"{LINES} lines")
            kittui.press(b"\x1b[6~")
            kittui.settle(1.5)
            registry.counts()
            kittui.press(b"\x1b[5~")
            kittui.settle(1.5)
            again = registry.counts()
            yield judged("requests for rows seen before", str((+again).total()), "0", not +again)
        registry.counts()
        with Terminal(command, place.environment, lines=LINES) as kittui:
            kittui.wait_for(NEWEST, b"10,000")
            kittui.settle(1.5)
        counts = registry.counts()
        one = counts["manifests"] + counts["HEAD"] <= LINES and counts["blobs"] * 5 <= LINES
        yield judged("requests for rows, the next time", _asked(counts), "where each tag is now", one)
    with fresh() as place, serving(TAGS, 0.2) as registry:
        command = [*KITTUI, f"remote://{registry.host}/{REPOSITORY}"]
        with Terminal(command, place.environment, lines=LINES) as kittui:
            first = kittui.wait_for(b"v00", timeout=60)
            kittui.wait_for(b"10,000", timeout=60)
            kittui.settle(0.6)
            pressed, _ = kittui.press(b"\x1b[B")
            yield Row("first names, 200 ms a request", f"{first:.1f} s")
            yield judged("key press to paint, the same", f"{pressed * 1000:.0f} ms", "50 ms", pressed < 0.05)


def _asked(counts: Counter[str]) -> str:
    return f"{counts['manifests']} manifests, {counts['blobs']} configs, {counts['HEAD']} HEAD"

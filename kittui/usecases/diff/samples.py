"""Compares random windows of unread files: a difference is proof, but finding none proves nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from kittui.compare.tensors import WINDOW, random_windows, sampled_words
from kittui.errors import KittuiError
from kittui.formats.tar import FileEntry
from kittui.tasks import together
from kittui.usecases.diff.access import Access
from kittui.usecases.diff.opened import Opened


async def sample(opened: Opened, windows: int) -> None:
    """Read random windows of what was not compared: a difference is proof, but finding none proves nothing."""
    pair = opened.pair
    if pair is None:
        return
    chance = random.SystemRandom()
    paired = {new.path: (old, new) for old, new in [*opened.common_files(), *opened.model_pairs]}
    for path, (old, new) in paired.items():
        if path in opened.tensors:
            regions = [
                (change.name, change.a.offset, change.b.offset, change.a.size)
                for change in opened.tensors[path]
                if change.status == "not_compared" and change.a and change.b and change.a.size == change.b.size
            ]
        elif old.size == new.size and not opened.is_compared(path):
            regions = [("", 0, 0, new.size)]
        else:
            continue
        total = sum(region[3] for region in regions)
        if not total:
            continue
        try:
            differing, count = await _windows(pair, old, new, regions, windows, chance)
        except KittuiError as error:
            opened.fail(error, path)
            continue
        _tell(opened, path, differing, sampled_words(count, total))


async def _windows(
    pair: tuple[Access, Access],
    old: FileEntry,
    new: FileEntry,
    regions: Sequence[tuple[str, int, int, int]],
    windows: int,
    chance: random.Random,
) -> tuple[set[str], int]:
    """Names of regions that differ in a window, and how many windows were read."""
    view_a, view_b = await pair[0].view(old), await pair[1].view(new)
    chosen = random_windows(sum(region[3] for region in regions), windows, chance)
    differing: set[str] = set()

    async def one(name: str, at_a: int, at_b: int, length: int) -> None:
        a, b = await together(view_a.read(at_a, length), view_b.read(at_b, length))
        if a != b:
            differing.add(name)

    works = []
    for offset, length in chosen:
        start = 0
        for name, base_a, base_b, size in regions:
            low, high = max(offset, start), min(offset + length, start + size)
            if low < high:
                works.append(one(name, base_a + low - start, base_b + low - start, high - low))
            start += size
    for begin in range(0, len(works), 16):
        await together(*works[begin : begin + 16])
    return differing, len(chosen)


def _tell(opened: Opened, path: str, differing: set[str], words: str) -> None:
    if path in opened.tensors:
        opened.tensors[path] = tuple(
            replace(change, status="changed", nature="values", note=f"differs in a random window of {WINDOW} bytes")
            if change.name in differing
            else replace(change, note=words if not differing else "no difference seen, but not proven the same")
            if change.status == "not_compared"
            else change
            for change in opened.tensors[path]
        )
    if differing:
        opened.settle(path, equal=False)
        opened.notes[path] = "differs in random windows"
    else:
        opened.notes[path] = words

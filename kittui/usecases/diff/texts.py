"""Compares texts and tables of a pair of layers, if they are small or on this machine."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from kittui.compare.changes import TextChange
from kittui.compare.contents import compare_contents, compare_values, may_be_text
from kittui.compare.streams import Side, compare_streams, schema
from kittui.compare.text import TEXT_LIMIT, LineRules
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, Malformed
from kittui.formats.tables import table_suffix
from kittui.formats.tar import FileEntry
from kittui.formats.text import SNIFFED, sniff
from kittui.tasks import together
from kittui.usecases.diff.access import AROUND, Access, Allowance
from kittui.usecases.diff.opened import Opened, Tell

if TYPE_CHECKING:
    from kittui.usecases.inspect.views import View

SMALL_MODEL = 64 * 1024
"""The largest model file in bytes whose values are compared without a question."""
ONE_SIDED = 64 * 1024
"""The largest added or removed text in bytes whose lines are shown."""
_PIECE = 4 * 1024 * 1024


async def read_small_files(opened: Opened, budget: Allowance) -> None:
    """Read small common files, the smallest first, and compare their content."""
    pair = opened.pair
    if pair is None:
        return
    chosen: list[tuple[FileEntry, FileEntry]] = []
    for old, new in sorted(opened.common_files(), key=_effort):
        limit = SMALL_MODEL if new.path in opened.tensors else TEXT_LIMIT
        if max(old.size, new.size) > limit or not (old.size == new.size or may_be_text(new.path)):
            continue
        if not _pay(budget, pair, old.size, new.size):
            break
        chosen.append((old, new))
    for start in range(0, len(chosen), 256):
        part = chosen[start : start + 256]
        try:
            contents_a, contents_b = await together(
                pair[0].read(old for old, _ in part), pair[1].read(new for _, new in part)
            )
        except KittuiError as error:
            opened.fail(error)
            return
        for _, new in part:
            if new.path in opened.tensors:
                await compare_read(opened, new.path, contents_a[new.path], contents_b[new.path])
                del contents_a[new.path]
        # Thousands of small files: one thread for all of them, not one for each.
        opened.texts.update(await in_thread(_compare_all, contents_a, contents_b, opened.rules))


def _pay(budget: Allowance, pair: tuple[Access, Access], size_a: int, size_b: int) -> bool:
    """Deduct a file of both sides from the budget; over the network including header and padding."""
    remote = (0 if pair[0].local else size_a + AROUND) + (0 if pair[1].local else size_b + AROUND)
    local = (size_a if pair[0].local else 0) + (size_b if pair[1].local else 0)
    return budget.take(remote, local=False) and budget.take(local, local=True)


async def compare_read(opened: Opened, path: str, a: bytes, b: bytes) -> None:
    """Compare a file whose content is in memory on both sides."""
    if a == b:
        if path in opened.tensors:
            opened.tensors[path] = compare_values(opened.tensors[path], a, b)
        return
    if path in opened.tensors:
        opened.tensors[path] = await in_thread(compare_values, opened.tensors[path], a, b)
        return
    text = await in_thread(compare_contents, path, a, b, opened.rules)
    if text is not None:
        opened.texts[path] = text


async def read_one_sided_texts(opened: Opened, budget: Allowance) -> None:
    """Read the lines of small texts that were added or removed."""
    for side, access in enumerate(opened.accesses):
        other = opened.accesses[1 - side]
        if access is None or not access.listed or (other is not None and not other.listed):
            continue
        entries = [
            entry
            for path, entry in access.files.items()
            if entry.type == "file" and not entry.problem and 0 < entry.size <= ONE_SIDED and may_be_text(path)
        ]
        if other is not None:
            entries = [entry for entry in entries if entry.path not in other.files]
        chosen = [
            entry
            for entry in sorted(entries, key=lambda entry: entry.size)[:1000]
            if budget.take(entry.size, access.local)
        ]
        try:
            contents = await access.read(chosen)
        except KittuiError as error:
            opened.fail(error)
            continue
        for path, content in contents.items():
            sides = (content, None) if side == 0 else (None, content)
            text = await in_thread(compare_contents, path, sides[0], sides[1], opened.rules)
            if text is not None:
                opened.texts[path] = text


async def read_large_texts(opened: Opened, budget: Allowance, tell: Tell) -> None:
    """Compare large texts that are local on both sides, within the budget; note the others."""
    pair = opened.pair
    if pair is None:
        return
    local = pair[0].local and pair[1].local
    for old, new in sorted(opened.common_files(), key=_effort):
        if max(old.size, new.size) <= TEXT_LIMIT or opened.is_compared(new.path) or not may_be_text(new.path):
            continue
        if new.path in opened.tensors or new.path in opened.texts:
            continue
        if not local or not budget.take(old.size + new.size, local=True):
            if old.size != new.size:
                opened.notes[new.path] = "too large to compare its lines automatically"
            continue
        try:
            views = await pair[0].view(old), await pair[1].view(new)
            zeros = table_suffix(new.path) is not None
            if any([sniff(await view.read(0, SNIFFED), zeros=zeros) is None for view in views]):
                continue
            if await _same(*views):
                opened.settle(new.path, equal=True)
                continue
            opened.settle(new.path, equal=False)
            await compare_large(opened, new.path, views, None, tell)
        except KittuiError as error:
            opened.fail(error, new.path)


async def _same(a: View, b: View) -> bool:
    """Whether two files hold the same bytes."""
    if a.size != b.size:
        return False
    for start in range(0, a.size, _PIECE):
        old, new = await together(a.read(start, _PIECE), b.read(start, _PIECE))
        if old != new:
            return False
    return True


async def compare_large(
    opened: Opened, path: str, views: tuple[View, View], lines: tuple[int, int] | None, tell: Tell
) -> None:
    """Compare two large texts that differ, row by row or line by line; counts and columns are published first.

    `lines` are each side's line counts, if known.
    """
    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    def side(view: View) -> Side:
        def read(offset: int, length: int) -> bytes:
            if stopped.is_set():
                return b""
            return asyncio.run_coroutine_threadsafe(view.read(offset, length), loop).result()

        return Side(view.size, read)

    sides = side(views[0]), side(views[1])
    try:
        opened.texts[path] = await in_thread(schema, path, *sides, lines)
        tell.publish(now=True)
        opened.texts[path] = await in_thread(compare_streams, path, *sides)
    except EOFError:
        opened.fail(Malformed("a file ended before its size was reached"), path)
    except KittuiError as error:
        opened.fail(error, path)


def _compare_all(a: dict[str, bytes], b: dict[str, bytes], rules: LineRules) -> dict[str, TextChange]:
    found: dict[str, TextChange] = {}
    for path, content in a.items():
        text = compare_contents(path, content, b[path], rules)
        if text is not None:
            found[path] = text
    return found


def _effort(pair: tuple[FileEntry, FileEntry]) -> int:
    return pair[0].size + pair[1].size

"""Decoders written in C, each look in a process of its own with a bound on its memory, its processor time and its end.

A library that is handed foreign bytes may hold Python's lock for minutes, fill the memory, or crash. There it harms
nothing but the process `worker.py` runs in. What comes back is plain JSON and bytes, never an object.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Final, TypeVar, cast

from kittui.errors import KittuiError, Malformed, TooLarge, Unsupported
from kittui.tasks import aside
from kittui.terminal import clean, size_text

MEMORY: Final = 1536 * 1024 * 1024
"""Bytes of address space that a decoder may take; the libraries themselves are a third of it."""
SECONDS: Final = 10
"""Seconds of the processor that it may take."""
PATIENCE: Final = 60.0
"""Seconds in which it must say something: it is killed otherwise."""
ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of an answer that are read."""
READ: Final = struct.Struct("<cQQ")
"""What a worker says: `R`, offset and length of bytes it wants; or `A`, bytes of JSON and of what follows it."""
NO_MEMORY: Final = 12
"""What a worker ends with that was refused memory."""
LENGTH: Final = struct.Struct("<Q")
"""What it is told: how many bytes follow."""
_ERRORS: Final[dict[str, type[KittuiError]]] = {
    "Malformed": Malformed, "TooLarge": TooLarge, "Unsupported": Unsupported,
}  # fmt: skip

_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TZDIR")
_EXTRAS: Final = {"PIL": ("Pillow", "images"), "pyarrow": ("pyarrow", "parquet")}

T = TypeVar("T")
ReadAt = Callable[[int, int], Awaitable[bytes]]


async def confined(
    decoder: str, what: str, size: int, read: ReadAt, arguments: Any, parse: Callable[[Any, bytes], T], *, needs: str
) -> T:
    """What `parse` makes of the answer of a decoder of `worker.py` to a file of `size` bytes: JSON, and bytes with it.

    `what` is named in messages ("the image"), `needs` the module that it works with. Raises Malformed and TooLarge as
    the decoder does and where it is stopped, Unsupported if the module or a process is missing, and what `read`
    raises.
    """
    if not _is_there(needs) or not sys.executable:
        package, extra = _EXTRAS[needs]
        raise Unsupported(f"{what} needs {package}", hint=f"Install kittui[{extra}].")
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # The same modules as here, and none from the folder that it happens to be run in.
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"}
    given = json.dumps({"size": size, "memory": MEMORY, "seconds": SECONDS, "arguments": arguments})
    command = (sys.executable, "-P", "-m", "kittui.usecases.inspect.viewers.worker", decoder, given)
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
        )
    except OSError as error:
        raise Unsupported(f"{what} can't be decoded: no process can be started: {error.strerror}") from None
    try:
        answer, length = await _talk(process, read)
    except (EOFError, ConnectionError, TimeoutError):
        raise await _stopped(process, what) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    def work() -> T:
        document = json.loads(answer[:length])
        if (name := document.get("error")) is not None:
            words = (clean(str(document.get(key) or ""), limit=400) for key in ("message", "hint"))
            message, hint = words
            raise _ERRORS.get(str(name), Malformed)(message, hint=hint or None)
        return parse(document, answer[length:])

    try:
        return await aside(work)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise Malformed(f"{what} can't be read: its decoder answered nonsense") from None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


async def _talk(process: Process, read: ReadAt) -> tuple[bytes, int]:
    """Give it the bytes it asks for until it answers: its answer, and how much of that is JSON."""
    stdin, stdout = cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)
    while True:
        said = await asyncio.wait_for(stdout.readexactly(READ.size), PATIENCE)
        kind, first, second = READ.unpack(said)
        if kind == b"A":
            if first + second > ANSWER_LIMIT:
                raise EOFError
            return await asyncio.wait_for(stdout.readexactly(first + second), PATIENCE), first
        content = await read(first, second)
        stdin.write(LENGTH.pack(len(content)) + content)
        await stdin.drain()


async def _stopped(process: Process, what: str) -> KittuiError:
    """Why there is no answer: which of the bounds it ran into."""
    if process.returncode is None:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1)
    status = process.returncode
    if status is None or status in (-9, -24):
        return TooLarge(f"too large to show: {what} takes more than {SECONDS} s to decode")
    if status == NO_MEMORY:
        return TooLarge(f"too large to show: {what} takes more than {size_text(MEMORY)} to decode")
    return Malformed(f"{what} can't be read: its decoder crashed (status {status})")

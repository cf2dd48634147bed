"""Runs decoders written in C in separate processes with limits on memory, processor time and duration.

A library that reads hostile bytes may hold Python's lock for minutes, fill the memory, or crash. Here it harms only the
process of `worker.py`. The result is plain JSON and bytes, never an object.
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
"""Maximum address space of a decoder in bytes; the libraries themselves take a third of it."""
SECONDS: Final = 10
"""Maximum processor time in seconds."""
PATIENCE: Final = 60.0
"""Seconds within which it must send something, or it is killed."""
ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Maximum bytes of an answer."""
READ: Final = struct.Struct("<cQQ")
"""A worker's messages: `R` with offset and length of wanted bytes.

Or `A` with the sizes of JSON and of the bytes after it.
"""
NO_MEMORY: Final = 12
"""The exit status of a worker that ran out of memory."""
LENGTH: Final = struct.Struct("<Q")
"""The header of a message to it: how many bytes follow."""
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
    """Run a decoder of `worker.py` on a file of `size` bytes, and `parse` its answer: JSON with bytes.

    `what` is the file's name in messages ("the image"), `needs` the required module. Raises Malformed and TooLarge as
    the decoder does and if it is stopped, Unsupported if the module or a process is missing, and what `read` raises.
    """
    if not _is_there(needs) or not sys.executable:
        package, extra = _EXTRAS[needs]
        raise Unsupported(f"{what} needs {package}", hint=f"Install kittui[{extra}].")
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Use the same modules as here, and none from the current folder.
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
    """Send the bytes that it requests until it answers; return the answer, and how much of it is JSON."""
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
    """The error for a missing answer: which limit was exceeded."""
    if process.returncode is None:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1)
    status = process.returncode
    if status is None or status in (-9, -24):
        return TooLarge(f"too large to show: {what} takes more than {SECONDS} s to decode")
    if status == NO_MEMORY:
        return TooLarge(f"too large to show: {what} takes more than {size_text(MEMORY)} to decode")
    return Malformed(f"{what} can't be read: its decoder crashed (status {status})")

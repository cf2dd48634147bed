"""The process in which `confined.py` decodes hostile bytes: it requests bytes on stdout, then answers."""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, BinaryIO

from kittui.errors import KittuiError
from kittui.formats.files import RangeFile
from kittui.usecases.inspect.viewers.confined import LENGTH, NO_MEMORY, READ


def main() -> None:
    """Decode as the arguments say; failures are answers, too."""
    decoder, told = sys.argv[1], json.loads(sys.argv[2])
    size, arguments = told["size"], told["arguments"]
    _limit(told["memory"], told["seconds"])
    answers, given = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    # Discard whatever a library prints.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    raw = b""
    try:
        document, raw = _decode(decoder, RangeFile(size, _reader(answers, given)), arguments)
    except KittuiError as error:
        document = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    except MemoryError:
        os._exit(NO_MEMORY)
    text = json.dumps(document).encode()
    answers.write(READ.pack(b"A", len(text), len(raw)) + text + raw)
    answers.flush()
    # Exit without running a library's exit handlers.
    os._exit(0)


def _decode(decoder: str, source: RangeFile, arguments: Any) -> tuple[Any, bytes]:
    if decoder == "picture":
        from kittui.usecases.inspect.viewers.pictures import picture_answer

        return picture_answer(source.read(), **arguments)
    if decoder == "pictures":
        from kittui.usecases.inspect.viewers.pictures import pair_answer

        return pair_answer(source.read(), **arguments)
    from kittui.usecases.inspect.viewers.parquet import parquet_answer

    return parquet_answer(source), b""


def _reader(answers: BinaryIO, given: BinaryIO) -> Any:
    def read_at(offset: int, length: int) -> bytes:
        if not length:
            return b""
        answers.write(READ.pack(b"R", offset, length))
        answers.flush()
        head = given.read(LENGTH.size)
        if len(head) < LENGTH.size:
            os._exit(3)
        return given.read(LENGTH.unpack(head)[0])

    return read_at


def _limit(memory: int, seconds: int) -> None:
    bounds = {
        resource.RLIMIT_AS: memory, resource.RLIMIT_CPU: seconds, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0,
    }  # fmt: skip
    for what, most in bounds.items():
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


if __name__ == "__main__":
    main()

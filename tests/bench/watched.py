"""The program, with a watch on its event loop: how long it ever was before it came around again.

`python tests/bench/watched.py FILE WORDS...` writes three numbers into FILE: when the loop last came around, for how
long at most it did not while this process was at work, and for how long at all. Into FILE.where goes what the threads
did half a second into each freeze.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import struct
import sys
import time
from pathlib import Path

PULSE = 0.02
FORM = struct.Struct("<ddd")


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Loops that are watched."""

    def __init__(self, file: int, where: str) -> None:
        super().__init__()
        self._file = file
        self._where = where

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        last, worked = time.monotonic(), time.process_time()
        where = Path(self._where).open("w")  # noqa: SIM115 - as long as the loop

        def beat() -> None:
            nonlocal last, worked
            now, work = time.monotonic(), time.process_time()
            _, most, longest = FORM.unpack(os.pread(self._file, FORM.size, 0))
            # What others do on the machine meanwhile is not a freeze of this program.
            stall = min(now - last, work - worked)
            os.pwrite(self._file, FORM.pack(now, max(most, stall), max(longest, now - last)), 0)
            last, worked = now, work
            faulthandler.dump_traceback_later(0.5, file=where)
            loop.call_later(PULSE, beat)

        loop.call_soon(beat)
        return loop


def main() -> None:
    """Run the program with what follows the file's name."""
    file = os.open(sys.argv[1], os.O_RDWR)
    asyncio.set_event_loop_policy(_Policy(file, f"{sys.argv[1]}.where"))
    sys.argv[1:] = sys.argv[2:]
    from kittui.__main__ import main as program

    program()


if __name__ == "__main__":
    main()

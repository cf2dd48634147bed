"""A program on a pseudo-terminal: what it paints, when, how many bytes and how much processor it takes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType


class Timeout(Exception):
    """The program did not paint what was waited for."""


class Terminal:
    """Runs a program; all times are seconds of the monotonic clock, `painted` is all it has sent."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 160, lines: int = 45
    ) -> None:
        self.painted = bytearray()
        self._status: int | None = None
        self.started = time.perf_counter()
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            try:
                os.execvpe(command[0], list(command), dict(environment))
            finally:
                os._exit(127)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sent in (signal.SIGTERM, signal.SIGKILL):
            if self._status is None:
                os.kill(self.pid, sent)
                with contextlib.suppress(Timeout):
                    self.ended(3)
        os.close(self._file)

    def send(self, keys: bytes) -> None:
        """Send keys."""
        os.write(self._file, keys)

    def ended(self, timeout: float) -> int:
        """Read until the program has ended; returns its exit status."""
        limit = time.perf_counter() + timeout
        while self._status is None:
            if time.perf_counter() > limit:
                raise Timeout(f"still running after {timeout:.0f} s: {bytes(self.painted[-300:])!r}")
            self._read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._read(0.02):
                    pass
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait_for(self, *texts: bytes, timeout: float = 20) -> float:
        """Read until all texts have been painted; returns the seconds since the start."""
        limit = time.perf_counter() + timeout
        while not all(text in self.painted for text in texts):
            if time.perf_counter() > limit:
                raise Timeout(f"{texts} not painted in {timeout:.0f} s: {bytes(self.painted[-300:])!r}")
            self._read(0.5)
        return time.perf_counter() - self.started

    def settle(self, quiet: float = 0.5, timeout: float = 30) -> int:
        """Read until nothing has come for a while; returns how many bytes came."""
        before, limit = len(self.painted), time.perf_counter() + timeout
        while self._read(quiet) and time.perf_counter() < limit:
            pass
        return len(self.painted) - before

    def press(self, keys: bytes, gap: float = 0.02) -> tuple[float, int]:
        """Send keys; returns the seconds until the answer was painted whole, and its bytes.

        The answer is over when nothing has come for `gap` seconds, which are not counted.
        """
        before, pressed = len(self.painted), time.perf_counter()
        self.send(keys)
        done = pressed
        wait = 2.0
        while self._read(wait):
            done, wait = time.perf_counter(), gap
        return done - pressed, len(self.painted) - before

    def processor(self) -> float:
        """Seconds of processor time the program has taken, its threads included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self, timeout: float) -> bool:
        if not select.select([self._file], [], [], timeout)[0]:
            return False
        try:
            read = os.read(self._file, 1 << 16)
        except OSError:
            return False
        self.painted += read
        return bool(read)

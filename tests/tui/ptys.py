"""Running a program in a pseudo-terminal and reading the very bytes it writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

HERE = Path(__file__).parent


class Program:
    """A Python program of this folder in a terminal of its own; `output` is all that it wrote."""

    def __init__(self, *arguments: str, size: tuple[int, int] = (160, 45), **environ: str) -> None:
        self.output = b""
        width, height = size
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", **environ})
            for name in ("NO_COLOR", "TMUX", "COLUMNS", "LINES"):
                os.environ.pop(name, None)
            os.environ["PYTHONPATH"] = str(HERE.parents[1])
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                # Where the tests run in the background these are ignored, and what a shell left behind never ends.
                signal.signal(number, signal.SIG_DFL)
            os.execv(sys.executable, [sys.executable, *arguments])

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, seconds: float) -> bytes:
        """Read for a time, or until the program ends; returns what came in it."""
        start = len(self.output)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                break
            if not piece:
                break
            self.output += piece
        return self.output[start:]

    def until(self, text: str, seconds: float = 20) -> None:
        """Read until a text was written since the last call."""
        start = len(self.output)
        end = time.monotonic() + seconds
        while text.encode() not in self.output[start:]:
            assert time.monotonic() < end, f"{text!r} was never written; the end of it: {self.output[-600:]!r}"
            self.read(0.05)

    def settle(self, quiet: float = 0.4, seconds: float = 15) -> bytes:
        """Read until nothing has come for a while; returns what came."""
        start = len(self.output)
        end = time.monotonic() + seconds
        while self.read(quiet) and time.monotonic() < end:
            pass
        return self.output[start:]

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.fd, keys.encode())

    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

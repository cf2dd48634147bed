"""Kittui, loaded once and forked for each run, so that thousands of runs of the whole program are cheap.

`python -m tests.faults.worker` reads an order a line (JSON), and answers with the run's process id and its exit status.
An order: argv, env, folder, stdin, and `moment`: the crash point, counted from 1 over all of them, at which the process
gets `signal`. Waits are shortened: what a user waits a minute for is over in seconds here.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

FASTER = 20
READ, STALL = 3.0, 3.0


@dataclass(frozen=True)
class Order:
    """One run of the program in a folder; what goes in and comes out is kept in files of the folder `files`."""

    argv: list[str]
    env: Mapping[str, str]
    folder: str
    files: str
    stdin: str = ""
    moment: int = 0
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Outcome:
    """What a run left behind; `status` is negative for a signal that ended it, None where it had to be killed."""

    status: int | None
    out: str
    err: str
    reached: str = field(default="", compare=False)


class Worker:
    """The process that forks runs, for one run after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Worker:
        command = (sys.executable, "-m", "tests.faults.worker")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20)
        return cls(process)

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def run(self, order: Order, started: Callable[[int], None] = lambda _: None, patience: float = 60) -> Outcome:
        """Run it; `started` is told the process id. What lasts longer than `patience` seconds is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await self._process.stdin.drain()
        pid = int(await self._process.stdout.readline())
        started(pid)
        late = False
        answer = asyncio.ensure_future(self._process.stdout.readline())
        try:
            await asyncio.wait_for(asyncio.shield(answer), patience)
        except TimeoutError:
            late = True
            os.kill(pid, signal.SIGKILL)
        status = int(await answer)
        folder = Path(order.files)
        texts = [(folder / name).read_text(errors="replace") for name in ("out", "err", "reached")]
        return Outcome(None if late else status, *texts)


class _Points(dict[str, Callable[[], None]]):
    """Stands in for the actions of crash points: counts them, and sends the signal at the one that was ordered."""

    def __init__(self, moment: int, number: int, reached: Path) -> None:
        super().__init__()
        self._left, self._number, self._reached = moment, number, reached

    def get(self, name: str, _: Any = None) -> Any:
        self._left -= 1
        if self._left == 0:
            self._reached.write_text(name)
            os.kill(os.getpid(), self._number)
        return None


def _shorten() -> None:
    """Have every wait end sooner; before kittui is imported, which keeps asyncio.sleep as a default."""
    wait = asyncio.sleep

    async def sleep(seconds: float, result: Any = None) -> Any:
        return await wait(seconds / FASTER, result)

    asyncio.sleep = sleep  # type: ignore[assignment]
    from kittui.registry.access import Patience

    names = list(Patience.__dataclass_fields__)
    shorter = {**asdict(Patience()), "read": READ, "stall": STALL, "longest_wait": 2.0}
    Patience.__init__.__defaults__ = tuple(shorter[name] for name in names)


def _child(order: dict[str, Any]) -> None:
    """Become the program."""
    import kittui.crashpoints
    from kittui.__main__ import main

    folder = Path(order["files"])
    folder.mkdir(exist_ok=True)
    (folder / "in").write_text(order["stdin"])
    (folder / "reached").write_text("")
    for number, name, mode in ((0, "in", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
        os.dup2(os.open(folder / name, mode | os.O_CREAT | (os.O_TRUNC if number else 0), 0o600), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the program's own
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["folder"])
    kittui.crashpoints._actions = _Points(order["moment"], order["signal"], folder / "reached")
    sys.argv = ["kittui", *order["argv"]]
    main()


def serve() -> None:
    """Fork a run for every line until the input ends."""
    _shorten()
    import click

    from kittui.cli.app import COMMANDS, program

    for module in ("cli.compose", "layout", "registry", "store"):
        import_module(f"kittui.{module}")
    for name in COMMANDS:
        program.get_command(click.Context(program), name)

    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    for line in orders:
        pid = os.fork()
        if pid == 0:
            orders.close()
            answers.close()
            status = 70
            try:
                _child(json.loads(line))
                status = 0
            except SystemExit as leaving:
                status = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        answers.write(f"{pid}\n".encode())
        _, ended = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(ended)}\n".encode())


if __name__ == "__main__":
    serve()

"""Work that dies half way, in a process of its own.

The process is forked from one that has loaded kittui and runs no thread: forked from the tests' own, it would wait for
ever for a lock that one of their threads held.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from unittest import mock

from kittui import crashpoints

PRELOADED = ["kittui.cli.compose", "kittui.registry", "tests.change.test_every_command", "tests.disk.test_crashes"]
_forking = get_context("forkserver")
_forking.set_forkserver_preload(PRELOADED)


def run_until(point: str, work: Callable[..., object], *arguments: object) -> int:
    """Run in a process that dies at a crash point; its exit status."""
    process = _forking.Process(target=_run, args=(point, work, arguments))
    process.start()
    process.join()
    status = process.exitcode
    process.close()
    assert status is not None
    return status


def _run(point: str, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    with (
        mock.patch.dict("os.environ", {crashpoints.VARIABLE: point}),
        mock.patch("kittui.store.neighbours.kit_at_work", return_value=False),
    ):
        work(*arguments)

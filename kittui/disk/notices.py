"""Notices about this machine's disks: a log whose records the front end shows as warnings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOG = logging.getLogger("kittui.notices")
_said: set[tuple[str, int]] = set()


def notice(text: str) -> None:
    """Show the user a warning."""
    _LOG.warning("%s", text)


def notice_of_disk(lacks: str, path: Path, text: str) -> None:
    """Warn the user, once per file system, about what the one of a path `lacks`."""
    try:
        about = (lacks, path.stat().st_dev)
    except OSError:
        about = (lacks, -1)
    if about not in _said:
        _said.add(about)
        notice(text)


@contextmanager
def notices_to(show: Callable[[str], None]) -> Iterator[None]:
    """Pass every notice to a function while the block runs; it may be called from any thread."""
    handler = _Handler(show)
    _LOG.addHandler(handler)
    try:
        yield
    finally:
        _LOG.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(record.getMessage())

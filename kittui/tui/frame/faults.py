"""Logs and words faults in kittui itself."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Final, NamedTuple

REPORT: Final = "Please report it, with what --log-file FILE writes down about it."
_logger = logging.getLogger("kittui.tui")


class Fault(NamedTuple):
    """The message on a fault, and where it occurred."""

    said: str
    place: str


def log_fault(cause: BaseException) -> Fault:
    """Log a fault with its traceback, and name it without: a traceback may show what nobody should see."""
    _logger.error("a fault in kittui", exc_info=cause)
    where = traceback.extract_tb(cause.__traceback__)[-1:]
    place = f" ({Path(where[0].filename).name}:{where[0].lineno})" if where else ""
    return Fault(f"A fault in kittui: {type(cause).__name__}", place)

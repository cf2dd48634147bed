"""Internal errors: what is logged, and what the user is told."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Final, NamedTuple

REPORT: Final = "Please report it, with what --log-file FILE writes down about it."
_logger = logging.getLogger("kittui.tui")


class Fault(NamedTuple):
    """What is said of a fault, and where it came up."""

    said: str
    place: str


def log_fault(cause: BaseException) -> Fault:
    """Log a fault with its traceback, and name it without: a traceback may show what nobody should see."""
    _logger.error("an internal error in kittui", exc_info=cause)
    where = traceback.extract_tb(cause.__traceback__)[-1:]
    place = f" ({Path(where[0].filename).name}:{where[0].lineno})" if where else ""
    return Fault(f"Internal error in kittui: {type(cause).__name__}", place)

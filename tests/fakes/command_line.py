"""What a run of the command line left behind, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ran:
    """What a run of kittui left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result; the run must have been fine."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a run with --json."""
        assert self.out == ""
        *_, last = self.err.splitlines()
        found = json.loads(last)["error"]
        assert isinstance(found, dict)
        return found


Run = Callable[..., Ran]

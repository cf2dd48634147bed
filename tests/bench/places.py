"""A clean place to run kittui in: a home of its own, with a store in it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures"
COMPILED = Path(tempfile.gettempdir()) / f"kittui-bench-compiled-{os.getuid()}"
"""Compiled modules, kept from one run to the next as an installed program's are."""
KITTUI = (sys.executable, "-m", "kittui")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that goes away, and the environment that keeps a program in it."""

    folder: Path
    environment: dict[str, str]


@contextmanager
def fresh() -> Iterator[Place]:
    """An empty home whose store holds the ModelKits of the fixtures; nothing of the caller's settings is seen."""
    with tempfile.TemporaryDirectory(prefix="kittui-bench-") as name:
        folder = Path(name)
        shutil.copytree(FIXTURES / "kithome", folder / "store")
        (folder / "store" / "disable-update-notifications").touch()
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        environment = {
            **kept,
            "HOME": name,
            "KITOPS_HOME": str(folder / "store"),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONPYCACHEPREFIX": str(COMPILED),
            "PYTHONPATH": os.pathsep.join(sys.path[:1]),
        }
        yield Place(folder, environment)

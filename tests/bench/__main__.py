"""Run the benches named, or all, and print the table; `faults`, `operators` and `siege` take options of their own."""

from __future__ import annotations

import platform
import sys
from importlib import import_module

import kittui
from tests.bench.rows import Row, render
from tests.bench.terminal import Timeout

BENCHES = ("startup", "keys", "asking", "moving", "changing", "looking", "comparing", "boards")


def main(names: list[str]) -> int:
    """Print each row as it comes, then the table; returns 1 where a target was missed."""
    if names and names[0] in ("faults", "operators", "siege"):
        status: int = import_module(f"tests.bench.{names[0]}").main(names[1:])
        return status
    rows: list[Row] = []
    for name in names or BENCHES:
        try:
            for row in import_module(f"tests.bench.{name}").run():
                sys.stderr.write(f"{row.what}: {row.measured} {row.verdict}\n")
                rows.append(row)
        except Timeout as error:
            rows.append(Row(name, "-", verdict="MISSED", note=str(error)[:200]))
    print(f"kittui {kittui.__version__}, Python {platform.python_version()}, {platform.machine()}\n")
    print(render(rows))
    return int(any(row.verdict == "MISSED" for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

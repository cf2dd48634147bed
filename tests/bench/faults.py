"""The long run of the fault lab: `python -m tests.bench faults --minutes 30 [--server zot] [--seed N]`.

One seed after the other, from the clock or from --seed, until the time is up. A seed that breaks a promise is printed
with the operations that led there, and --seed alone repeats its round.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.fakes.peers import SERVERS, running
from tests.faults.checks import Broken
from tests.faults.lab import HTPASSWD, Lab, open_lab

OPERATIONS = 12
ENOUGH = 20
"""Broken rounds after which a run ends."""


def main(arguments: list[str]) -> int:
    """Run it and print the counts; returns 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench faults", description=__doc__)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--server", choices=sorted({*SERVERS} - {"olareg"}), default="Distribution 2.8")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(options.server, folder / "server", htpasswd=HTPASSWD) as server:
            lab = asyncio.run(_rounds(server.host, folder / "lab", options))
    counts = {**lab.tally.counts, **{f"  {name}": number for name, number in sorted(lab.tally.operations.items())}}
    print(options.server)
    for what, number in counts.items():
        print(f"{number:8}  {what}")
    print(f"{len(lab.tally.points):8}  crash points at which a signal came")
    print(f"{len(lab.tally.broken):8}  rounds that broke a promise")
    return int(bool(lab.tally.broken))


async def _rounds(host: str, folder: Path, options: argparse.Namespace) -> Lab:
    first = options.seed if options.seed is not None else int(time.time())
    minutes = options.minutes if options.minutes is not None else 0.0 if options.seed is not None else 1.0
    until = time.monotonic() + minutes * 60
    async with open_lab(host, folder, untags=options.server != "Distribution 2.8") as lab:
        seed = first
        while True:
            try:
                await lab.round(seed, OPERATIONS)
            except Broken as error:
                lab.tally.broken.append(str(seed))
                sys.stderr.write(f"seed {seed} breaks a promise: {error}\n  " + "\n  ".join(lab.log) + "\n")
            seed += 1
            if time.monotonic() > until or len(lab.tally.broken) >= ENOUGH:
                return lab

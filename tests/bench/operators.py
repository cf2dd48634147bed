"""Two operators at once: `python -m tests.bench operators --rounds 50 [--server zot]`.

Each round two processes promote to the same tag in the same instant, then two that wait for each other right before
they move it, then two sign one ModelKit. What was not true afterwards is printed, and how often each outcome was seen.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.fakes.peers import SERVERS, running
from tests.faults.operators import Operators


def main(arguments: list[str]) -> int:
    """Run it and print the counts; returns 1 where something was not true."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench operators", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--server", choices=sorted({*SERVERS} - {"olareg"}), default="Distribution 2.8")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, running(options.server, Path(name) / "server") as server:
        operators = Operators(Path(name), server)
        asyncio.run(_rounds(operators, options.rounds))
    tally = operators.tally
    print(f"{options.server}, {options.rounds} rounds")
    for what, number in sorted(tally.seen.items()):
        print(f"{number:8}  {what}")
    print(f"{len(tally.broken):8}  not true", *tally.broken, sep="\n")
    return int(bool(tally.broken))


async def _rounds(operators: Operators, rounds: int) -> None:
    for number in range(rounds):
        await operators.promote_round(f"race{number}")
        await operators.promote_round(f"cross{number}", cross=True)
        await operators.sign_round(f"sign{number}")

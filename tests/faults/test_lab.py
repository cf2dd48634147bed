"""Two rounds of the fault lab with all tests; `python -m tests.bench faults --minutes 30` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.docker_registry import StartRegistry
from tests.faults.checks import Broken
from tests.faults.lab import HTPASSWD, open_lab

SEEDS, OPERATIONS = (11, 12), 8


@pytest.mark.real
async def test_what_was_promised_holds_whatever_goes_wrong(docker_registry: StartRegistry, tmp_path: Path) -> None:
    server = docker_registry(htpasswd=HTPASSWD)
    async with open_lab(server.host, tmp_path / "lab", untags=False) as lab:
        for seed in SEEDS:
            try:
                await lab.round(seed, OPERATIONS)
            except Broken as error:
                pytest.fail(f"{error}\nAgain: python -m tests.bench faults --seed {seed}\n" + "\n".join(lab.log))
    assert lab.tally.counts["operations"] == len(SEEDS) * OPERATIONS
    assert lab.tally.counts["faults"] > 0
    assert lab.tally.counts["signals"] > 0

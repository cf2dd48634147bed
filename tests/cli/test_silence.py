"""What is waited for is said on stderr, where it is not a terminal as well."""

from __future__ import annotations

import asyncio

import pytest

from kittui.cli.options import Options
from kittui.cli.run import Call, run
from kittui.registry import Wait


def test_silence_is_said_in_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    async def work(call: Call) -> None:
        call.composition.on_wait(Wait("registry.test", "no answer yet (to list the tags of fraud)"))
        await asyncio.sleep(0)

    assert run(Options(), work) == 0
    assert "registry.test: no answer yet (to list the tags of fraud)" in capsys.readouterr().err

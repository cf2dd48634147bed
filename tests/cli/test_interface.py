"""What the composition hands to the interface."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.cli.compose import Composition
from kittui.cli.interface import build_ports
from kittui.errors import NotFound
from kittui.oci.reference import LOCAL, Place

REGISTRY = Place("remote", "127.0.0.1:5055")


async def test_a_reference_is_found_in_the_store_first(home: Path) -> None:
    """As the commands that read do it; a prefix says where, and nothing is asked of a registry."""
    async with Composition() as composition:
        ports = await build_ports(composition)
        found = await ports.find("127.0.0.1:5055/fraud:champion")
        assert found == (LOCAL, "127.0.0.1:5055/fraud", "champion")
        assert (await ports.find("127.0.0.1:5055/fraud"))[0] == LOCAL
        assert await ports.find("127.0.0.1:5055/fraud:never") == (REGISTRY, "fraud", "never")
        assert await ports.find("127.0.0.1:5055/other") == (REGISTRY, "other", None)
        assert (await ports.find("remote://127.0.0.1:5055/fraud:champion"))[0] == REGISTRY
        assert await ports.find("127.0.0.1:5055") == (REGISTRY, "", None)
        assert await ports.find("local://") == (LOCAL, "", None)
        with pytest.raises(NotFound):
            await ports.find("nobody:v1")

"""Why a connection failed, in words: by the system's own numbers, whatever the texts of an error say."""

from __future__ import annotations

import errno
import os
import socket

import httpx
import pytest

from kittui.errors import Unreachable
from kittui.registry.transport.faults import transport_problem
from tests.fakes.docker_registry import free_port

MAC = socket.gaierror(8, "nodename nor servname provided, or not known")
REFUSED, NO_ROUTE = (OSError(number, "said otherwise") for number in (errno.ECONNREFUSED, errno.ENETUNREACH))
BOTH = ", ".join(os.strerror(number).lower() for number in (errno.ECONNREFUSED, errno.ENETUNREACH))


def failed(*causes: Exception) -> httpx.ConnectError:
    """As the libraries below raise it: their own words first, what the system said behind them."""
    error = httpx.ConnectError(f"All attempts failed: {', '.join(map(str, causes))}")
    error.__cause__ = middle = OSError("All attempts failed")
    middle.__cause__ = causes[0] if len(causes) == 1 else ExceptionGroup("several", causes)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (failed(MAC), "x.example can't be reached: nodename nor servname provided, or not known"),
        (failed(REFUSED), "x.example refused the connection"),
        (failed(REFUSED, REFUSED), "x.example refused the connection"),
        (failed(NO_ROUTE), f"x.example can't be reached: {os.strerror(errno.ENETUNREACH).lower()}"),
        (failed(REFUSED, NO_ROUTE), f"x.example can't be reached: {BOTH}"),
        (httpx.ConnectError("[Errno 8] odd"), "x.example can't be reached: [Errno 8] odd"),
    ],
)
def test_the_reason_is_the_system_s(error: httpx.ConnectError, said: str) -> None:
    found = transport_problem(error, "x.example", secure=True)
    assert isinstance(found, Unreachable)
    assert found.message == said


async def test_a_port_where_nobody_listens_refuses_the_pool_s_connection_too() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get(f"http://127.0.0.1:{free_port()}/v2/")
    assert transport_problem(caught.value, "x.example", secure=False).message == "x.example refused the connection"

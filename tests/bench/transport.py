"""kittui without its own transport for blobs: the same requests go through httpcore; `moving` compares the two."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from kittui.__main__ import main
from kittui.registry.transport.router import Router
from kittui.registry.transport.wire import Body, Waiting


def without() -> None:
    """Have every request of this process go through httpcore."""

    async def send(
        self: Router,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: bytes | Body | None = None,
        *,
        blob: bool = False,
        longer: float = 0.0,
        waiting: Waiting,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) or body is None else body()
        request = httpx.Request(method, url, headers={"Accept-Encoding": "identity", **headers}, content=content)
        response = await self._pools.send(request, None, multiplexed=not blob, seconds=30 + longer, waiting=waiting)
        response.request = request
        return response

    setattr(Router, "send", send)  # noqa: B010 - the checker takes a replaced method for an error


if __name__ == "__main__":
    without()
    main()

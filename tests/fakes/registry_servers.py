"""The two registries that each client test runs against: the scripted fake, and a real docker-registry."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from kittui.registry import Patience, RegistrySource
from tests.fakes.docker_registry import StartRegistry
from tests.fakes.scripted_registry import MANIFEST, ScriptedRegistry, digest_of, manifest_of

QUICK = Patience(connect=5, read=5, stall=60, tries=5, backoff=0.01)


@dataclass
class Server:
    """A registry under test, spoken to without kittui."""

    host: str
    real: bool

    async def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        def ask() -> tuple[int, dict[str, str], bytes]:
            name, _, port = self.host.rpartition(":")
            connection = http.client.HTTPConnection(name, int(port), timeout=20)
            try:
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
                return response.status, dict(response.getheaders()), response.read()
            finally:
                connection.close()

        return await asyncio.to_thread(ask)

    async def add_blob(self, repository: str, content: bytes) -> str:
        _, headers, _ = await self.request("POST", f"/v2/{repository}/blobs/uploads/")
        location = headers["Location"].removeprefix(f"http://{self.host}")
        mark = "&" if "?" in location else "?"
        status, _, body = await self.request("PUT", f"{location}{mark}digest={digest_of(content)}", content)
        assert status == 201, body
        return digest_of(content)

    async def add_manifest(self, repository: str, raw: bytes, *tags: str, media_type: str = MANIFEST) -> str:
        for target in tags or (digest_of(raw),):
            status, _, body = await self.request(
                "PUT", f"/v2/{repository}/manifests/{target}", raw, {"Content-Type": media_type}
            )
            assert status == 201, body
        return digest_of(raw)

    async def add_kit(
        self, repository: str, *tags: str, layers: list[bytes], config: bytes = b"{}", **more: object
    ) -> str:
        for content in (config, *layers):
            await self.add_blob(repository, content)
        return await self.add_manifest(repository, manifest_of(layers, config, **more), *tags)

    async def tags(self, repository: str) -> list[str]:
        _, _, body = await self.request("GET", f"/v2/{repository}/tags/list")
        return sorted(json.loads(body).get("tags") or [])

    async def digest(self, repository: str, tag: str) -> str | None:
        status, headers, _ = await self.request(
            "HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFEST}
        )
        return headers["Docker-Content-Digest"] if status == 200 else None


@pytest.fixture(params=["scripted", pytest.param("docker", marks=pytest.mark.real)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """An empty registry: the scripted one (made like Distribution 2.8), then the real one."""
    if request.param == "scripted":
        async with ScriptedRegistry(untag=False, referrers_api=False) as registry:
            yield Server(registry.host, real=False)
    else:
        start: StartRegistry = request.getfixturevalue("docker_registry")
        yield Server(start().host, real=True)


def connect(host: str, **options: Any) -> RegistrySource:
    """A source with quick retries and an empty environment."""
    options.setdefault("patience", QUICK)
    options.setdefault("environ", {})
    return RegistrySource(host, **options)

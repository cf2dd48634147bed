"""Real registry servers for tests: docker-registry (Distribution 2.8) on a free loopback port, started in 0.1 s.

A pytest plugin: `docker_registry` gives a factory, `kit_registry` a server with a copy of tests/fixtures/registry.
Tests that use either are skipped where there is no docker-registry, and fail instead in CI.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

FIXTURES = Path(__file__).parent.parent / "fixtures"


@dataclass
class DockerRegistry:
    """A running server; `host` is HOST:PORT as references write it, `storage` the folder it keeps everything in."""

    host: str
    storage: Path
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        """Ask it without kittui: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class StartRegistry(Protocol):
    def __call__(
        self,
        storage: Path | None = None,
        *,
        delete: bool = True,
        htpasswd: str = "",
        cert: Path | None = None,
        key: Path | None = None,
    ) -> DockerRegistry: ...


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def require_docker_registry() -> str:
    """The program's path; skips the test where there is none, or fails it in CI."""
    program = shutil.which("docker-registry")
    if program is None:
        message = "docker-registry is not installed (Debian: docker-registry)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program


def start_registry(
    folder: Path,
    storage: Path,
    *,
    delete: bool = True,
    htpasswd: str = "",
    cert: Path | None = None,
    key: Path | None = None,
) -> DockerRegistry:
    """Start one. `htpasswd` is the text of such a file (bcrypt lines): Basic authentication."""
    program = require_docker_registry()
    folder.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        config = distribution(storage, port, delete=delete)
        if cert is not None:
            config["http"]["tls"] = {"certificate": str(cert), "key": str(key)}
        if htpasswd:
            users = folder / "htpasswd"
            users.write_text(htpasswd)
            config["auth"] = {"htpasswd": {"realm": "kittui tests", "path": str(users)}}
        return [program, "serve", written(folder / f"config-{port}.yml", config)]

    return launch(folder, command, storage)


def distribution(storage: Path, port: int, *, delete: bool = True) -> dict[str, Any]:
    """The configuration of a Distribution, 2.8 or 3."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage)},
            "delete": {"enabled": delete},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"127.0.0.1:{port}"},
    }


def written(path: Path, config: object) -> str:
    """A file of configuration as JSON, which is YAML too; its path."""
    path.write_text(json.dumps(config))
    return str(path)


def launch(folder: Path, command: Callable[[int], list[str]], storage: Path | None = None) -> DockerRegistry:
    """Start the server that `command` gives for a port, on one that is free; its log and its home are in the folder.

    GOGC has it collect garbage seldom, which else takes a third of its processor time.
    """
    for _ in range(5):
        port = free_port()
        log = folder / f"registry-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(port), stdout=output, stderr=output, cwd=folder, env={"HOME": str(folder), "GOGC": "1000"}
            )
        if _answers(port, process):
            return DockerRegistry(f"127.0.0.1:{port}", storage or folder / "storage", log, process)
    raise RuntimeError(f"the registry did not start: {log.read_text()[-2000:]}")


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


@pytest.fixture
def docker_registry(tmp_path: Path) -> Iterator[StartRegistry]:
    """Start registries: docker_registry(storage=None, delete=True, htpasswd="", cert=None, key=None)."""
    started: list[DockerRegistry] = []

    def start(storage: Path | None = None, **options: Any) -> DockerRegistry:
        folder = tmp_path / f"docker-registry-{len(started)}"
        server = start_registry(folder, storage or folder / "storage", **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def kit_registry(docker_registry: StartRegistry, tmp_path: Path) -> DockerRegistry:
    """A registry with the kits of tests/fixtures/registry, a copy of its own: tests may change it."""
    require_docker_registry()
    storage = tmp_path / "kit-registry"
    shutil.copytree(FIXTURES / "registry", storage)
    return docker_registry(storage)


@pytest.fixture(scope="session")
def shared_kit_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """The same for tests that only read: one server for the whole run."""
    require_docker_registry()
    folder = tmp_path_factory.mktemp("shared-kit-registry")
    shutil.copytree(FIXTURES / "registry", folder / "storage")
    server = start_registry(folder, folder / "storage", delete=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def signed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """The registry of tests/fixtures/signed, for tests that only read: one server for the whole run."""
    require_docker_registry()
    folder = tmp_path_factory.mktemp("signed")
    with tarfile.open(FIXTURES / "signed" / "registry.tar.xz") as archive:
        # Python before 3.11.4 knows no filters, and from 3.12 on warns where none is set.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder / "storage" / "docker")
    server = start_registry(folder, folder / "storage", delete=False)
    yield server
    server.stop()
    shutil.rmtree(folder)

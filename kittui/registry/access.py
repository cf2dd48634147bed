"""Settings for reaching one registry: host and scheme, TLS checks, time limits."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kittui.oci.protocols import AT_ONCE
from kittui.retry import Pace

DOCKER_HUB = "docker.io"
_DOCKER_API = "registry-1.docker.io"
DOCKER_NAMES = frozenset({DOCKER_HUB, "index.docker.io", _DOCKER_API})

CERTIFICATE_VARIABLE = "KITOPS_CLIENT_CERT"
KEY_VARIABLE = "KITOPS_CLIENT_KEY"


@dataclass(frozen=True, slots=True)
class Access:
    """The user's settings for one registry.

    `plain_http`: use HTTP, so credentials cross the network unencrypted. `tls_verify` False accepts
    any certificate. `ca_cert`: PEM file of authorities trusted besides the system's. `cert` and `key`: PEM files of a
    client certificate (also from $KITOPS_CLIENT_CERT and $KITOPS_CLIENT_KEY, as in kit). `realms`: hosts, with port
    unless it is 443, that may receive the registry's credentials in exchange for a token. `at_once`: maximum concurrent
    requests.
    """

    plain_http: bool = False
    tls_verify: bool = True
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    realms: frozenset[str] = frozenset()
    at_once: int = AT_ONCE

    def completed(self, environ: Mapping[str, str]) -> Access:
        """The same settings, with the client certificate from kit's environment variables unless one is set."""
        cert, key = environ.get(CERTIFICATE_VARIABLE), environ.get(KEY_VARIABLE)
        if self.cert is not None or not cert:
            return self
        return replace(self, cert=Path(cert), key=Path(key) if key else None)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    `connect` bounds name lookup and connecting, `read` the head of an answer and each wait for bytes, and `whole` an
    answer that is read in one go. A transfer below `stall_rate` bytes per second over `stall` seconds is given up.
    Silence of `silence` seconds is reported. The last four are those of kittui.retry.Pace.
    """

    connect: float = 10.0
    read: float = 30.0
    whole: float = 300.0
    silence: float = 2.0
    stall: float = 60.0
    stall_rate: float = 1024.0
    longest_wait: float = 60.0
    tries: int = 5
    backoff: float = 0.25
    budget: float = 60.0

    @property
    def pace(self) -> Pace:
        """How often and how long to retry."""
        return Pace(tries=self.tries, first=self.backoff, asked=self.longest_wait, budget=self.budget)


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for a registry: its reason and its seconds (None: until it answers)."""

    host: str
    reason: str
    seconds: float | None = None

    def __str__(self) -> str:
        again = "" if self.seconds is None else f"; trying again in {self.seconds:.0f} s"
        return f"{self.host}: {self.reason}{again}"


OnWait = Callable[[Wait], None]
OnWaited = Callable[[str], None]
"""Is called with a host that answered or was given up."""
OnWarning = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Receives waits, their ends, and the registry's own warnings.

    All of it is raw text: clean it before showing it on a terminal.
    """

    on_wait: OnWait = field(default=lambda _: None)
    on_waited: OnWaited = field(default=lambda _: None)
    on_warning: OnWarning = field(default=lambda _: None)


def api_host(host: str) -> str:
    """The API host of a registry: Docker Hub's API has a host of its own."""
    return _DOCKER_API if host in DOCKER_NAMES else host


def split_host(host: str) -> tuple[str, int | None]:
    """Name (brackets of IPv6 removed, lower case) and port of HOST[:PORT]."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    return name.lower(), int(port) if port.isdigit() else None


def is_loopback(host: str) -> bool:
    """Whether HOST[:PORT] names this machine: `localhost` or a loopback address."""
    name = split_host(host)[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

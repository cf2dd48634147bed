"""Chooses the proxy for a request from the environment, if any."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

import httpx

from kittui.errors import ConfigError
from kittui.registry.access import is_loopback

_SCHEMES: Final = {"http": "http", "https": "https", "socks": "socks5", "socks5": "socks5", "socks5h": "socks5"}
"""Schemes as written, and their meaning: GNOME writes `socks`, and a SOCKS proxy always looks up names itself."""
_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and the variable it comes from. `scheme` is http, https or socks5."""

    variable: str
    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"the proxy {host}:{self.port} (from ${self.variable})"

    @property
    def auth(self) -> tuple[bytes, bytes] | None:
        """Name and password, if any."""
        return (self.username.encode(), self.password.encode()) if self.username or self.password else None

    @classmethod
    def parse(cls, variable: str, value: str) -> Proxy:
        """Parse a variable's value; raises a ConfigError that names the variable, and never shows a password."""
        scheme, _, rest = value.strip().rpartition("://")
        scheme = scheme.lower() or "http"
        if scheme not in _SCHEMES:
            raise _unusable(variable, f"{scheme[:20]} is a kind of proxy that kittui does not know")
        # The last @ ends the password, which may be unescaped, as in other programs.
        user, _, address = rest.lstrip("/").rpartition("@")
        address = re.split(r"[/?#]", address, maxsplit=1)[0]
        try:
            host = httpx.URL(f"http://{address}").raw_host.decode("ascii").strip("[]")
        except (httpx.InvalidURL, ValueError) as error:
            raise _unusable(variable, "it has no host, or a port that is not a number") from error
        if not host or re.search(r"\s", address):
            raise _unusable(variable, "it has no host")
        scheme = _SCHEMES[scheme]
        username, _, password = user.partition(":")
        port = _written_port(address) or _PORTS[scheme]
        return cls(variable, scheme, host, port, unquote(username), unquote(password))

    def url(self) -> str:
        """The address for the connection."""
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe=".-_")
        return f"{self.scheme}://{host}:{self.port}"


class Proxies:
    """The proxies of an environment: lower-case variables before upper-case ones, then $ALL_PROXY."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._named: dict[str, tuple[str, str]] = {}
        for kind in ("http", "https", "all", "no"):
            for variable in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
                value = environ.get(variable, "").strip()
                if value:
                    self._named.setdefault(kind, (variable, value))

    def way(self, url: httpx.URL) -> Proxy | None:
        """The proxy for an address; None for loopback. Raises ConfigError for an unusable one."""
        variable, value = self._named.get(url.scheme) or self._named.get("all") or ("", "")
        if not value or is_loopback(url.netloc.decode("ascii").rpartition("@")[2]):
            return None
        port = url.port or (443 if url.scheme == "https" else 80)
        if bypasses(url.host, port, self._named.get("no", ("", ""))[1]):
            return None
        return Proxy.parse(variable, value)


def bypasses(name: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY names the host: `*`, a name with all below it, an address or network, each with or without port.

    Entries are separated by commas or spaces.
    """
    name = name.lower().strip("[]").rstrip(".")
    for entry in re.split(r"[\s,]+", exceptions.lower()):
        written = _written_port(entry)
        if written is not None and written != port:
            continue
        bare = entry if written is None else entry.rpartition(":")[0]
        bare = bare.strip("[]")
        if bare == "*" or (bare.strip("*.") and (name == bare or name.endswith("." + bare.lstrip("*.").rstrip(".")))):
            return True
        try:
            if ipaddress.ip_address(name) in ipaddress.ip_network(bare, strict=False):
                return True
        except ValueError:
            continue
    return False


def _written_port(address: str) -> int | None:
    """The port at the end of HOST:PORT or [IPV6]:PORT."""
    match = re.fullmatch(r"(?:\[[^\]]*\]|[^:]*):(\d{1,5})", address)
    return int(match[1]) if match else None


def _unusable(variable: str, reason: str) -> ConfigError:
    return ConfigError(
        f"${variable} does not name a proxy that can be used: {reason}",
        hint="Write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, with NAME:PASSWORD@ before the host "
        "where the proxy wants a login; or unset it, or name the registry in $NO_PROXY.",
    )

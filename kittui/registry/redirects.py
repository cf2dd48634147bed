"""Follows a registry's redirects, and reports what has moved permanently."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import httpx

from kittui.errors import KittuiError, NotFound, RegistryError, Unauthorized
from kittui.registry.calls import Call, address, origin

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FOR_GOOD: Final = frozenset({301, 308})
_MOST: Final = 5
_REPOSITORY: Final = re.compile(r"/v2/(.+?)/(?:manifests|blobs|tags|referrers)/")


class Hops:
    """The redirects of one request to the registry `host`, whose own addresses begin with `base`."""

    def __init__(self, host: str, call: Call, base: httpx.URL, url: httpx.URL) -> None:
        self._host = host
        self._call = call
        self._base = base
        self._old = _name(url, host)
        self._count = 0
        self.new: httpx.URL | None = None
        """The target of the last permanent redirect; redirects to blob storage don't count."""

    def next(self, url: httpx.URL, status: int, location: str | None) -> httpx.URL:
        """Return where to continue.

        Raises RegistryError for what is not followed, with the new address if it has moved.
        """
        self._count += 1
        if location is None or self._count > _MOST:
            reason = "nowhere" if location is None else f"on more than {_MOST} times"
            raise RegistryError(f"could not {self._call.doing}: {self._host} redirects {reason}", status=status)
        reads = self._call.method in ("GET", "HEAD")
        target = join(self._host, url, location)
        at_home = self._is_home(target)
        if status in _FOR_GOOD and not self._call.blob:
            self.new = target
        # Only 307 and 308 keep the method and the body; credentials stay on the registry.
        if not reads and not (at_home and status in (307, 308)):
            raise self._moved(target, status)
        return target

    def moved(self, response: httpx.Response) -> KittuiError:
        """The error for a useless answer from the address that something has moved to."""
        return self._moved(response.request.url, response.status_code)

    def report_move(self, warn: Callable[[str], None]) -> None:
        """Report a permanent move of something that was found."""
        if self.new is not None and _name(self.new, self._host if self._is_home(self.new) else "") != self._old:
            warn(f"{self._old} has moved: use the name {_name(self.new)} for it")

    def check(self, response: httpx.Response, body: bytes) -> None:
        """Raise RegistryError for an answer that is meant for a browser."""
        if "text/html" not in response.headers.get("Content-Type", "") or not body.lstrip().startswith(b"<"):
            return
        if response.is_success:
            where = address(response.request.url)
            raise RegistryError(
                f"could not {self._call.doing}: {where} answers with a web page",
                hint="Check the host: a registry often has a name or port of its own (registry.gitlab.com, HOST:5000). "
                "A proxy or a login page in between answers like that, too.",
            )

    def _is_home(self, url: httpx.URL) -> bool:
        return origin(url) == origin(self._base)

    def _moved(self, target: httpx.URL, status: int) -> KittuiError:
        if target.host == self._base.host and self._base.scheme == "http" and target.scheme == "https":
            return RegistryError(
                f"could not {self._call.doing}: {self._host} sends from plain HTTP to TLS",
                status=status,
                hint="Leave out --plain-http, and plain_http for it in config.yaml.",
            )
        new = _name(target)
        message = f"could not {self._call.doing}: {self._old} has moved to {new}"
        hint = f"Use the name {new} instead"
        if status == 401:
            return Unauthorized(f"{message}, which wants a login", hint=f"{hint} (kittui login {address(target)})")
        if status == 404:
            return NotFound(f"{message}, and not found there", hint=f"{hint}; check the repository, tag or digest.")
        return RegistryError(message, status=status, hint=hint)


def join(host: str, url: httpx.URL, location: str, *, upgrade: bool = False) -> httpx.URL:
    """The absolute form of a Location; raises RegistryError for other schemes and for https turned into http.

    `upgrade`: an http address on a host that was asked over https counts as https, since registries behind a TLS proxy
    write http.
    """
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise RegistryError(f"{host} sends to an address that can't be used") from error
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise RegistryError(f"{host} sends to an address that can't be used")
    if upgrade and url.scheme == "https" and target.scheme == "http" and target.host == url.host:
        target = target.copy_with(scheme="https", port=url.port)
    if url.scheme == "https" and target.scheme == "http":
        raise RegistryError(f"{host} sends from https to plain http on {target.host}", hint="That is never followed.")
    return target


def _name(url: httpx.URL, host: str = "") -> str:
    """HOST[/REPOSITORY] of an address of the API."""
    match = _REPOSITORY.match(url.path)
    return f"{host or address(url)}/{match[1]}" if match else host or address(url)

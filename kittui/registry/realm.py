"""Decides which token realms may be asked, and which may see credentials: a registry may name any (CVE-2026-48978)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from kittui.errors import Denied
from kittui.registry.access import split_host

_DEFAULT_PORTS = {"http": 80, "https": 443}

_PAIRS = frozenset(
    {
        ("docker.io", "auth.docker.io"),
        ("index.docker.io", "auth.docker.io"),
        ("registry-1.docker.io", "auth.docker.io"),
        ("registry.gitlab.com", "gitlab.com"),
        ("nvcr.io", "authn.nvidia.com"),
        ("registry.redhat.io", "sso.redhat.com"),
        ("registry.suse.com", "scc.suse.com"),
        ("registry.digitalocean.com", "api.digitalocean.com"),
    }
)
"""Registries with the realms that they are known to use."""

_SHARED = frozenset(
    {"azurecr.io", "jfrog.io", "pkg.dev", "scw.cloud", "ocir.io", "icr.io", "aliyuncs.com", "myhuaweicloud.com"}
)
"""Domains shared by registries of different owners, which the public suffix list lacks."""


class UntrustedRealm(Denied):
    """A registry wants its credentials sent to a host that is not trusted with them; `realm` is HOST[:PORT]."""

    def __init__(self, message: str, *, realm: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.realm = realm


@dataclass(frozen=True, slots=True)
class Realm:
    """The token service: an absolute URL, its origin, and whether credentials may go there."""

    url: str
    host: str
    trusted: bool
    same_host: bool

    @property
    def secure(self) -> bool:
        """Whether it is asked over TLS."""
        return self.url.lower().startswith("https:")


def accepting(registry: str, realm: str) -> str:
    """How to accept a realm that is legitimate; the last part can be pasted into config.yaml."""
    quoted = realm.replace("'", "''")
    return f"If that is right, accept it in config.yaml: registries: [{{host: '{registry}', realms: ['{quoted}']}}]"


def judge_realm(text: str, registry: str, *, secure: bool, accepted: frozenset[str], known_as: str = "") -> Realm:
    """Assess a challenge's realm for a registry HOST[:PORT] that is spoken to over TLS (`secure`) or plain HTTP.

    Trusted with credentials are the registry's own host and port, hosts of its site on the default port, known pairs
    and `accepted`; `known_as` is how users write the registry.

    Raises Denied for what is not even asked anonymously: realms that are not an http(s) URL, plain HTTP
    for a registry with TLS, and private, link-local or loopback addresses that aren't the registry's own host.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        name = (parts.hostname or "").lower()
    except ValueError:
        name, port, parts = "", 0, urlsplit("")
    if not name or parts.scheme not in _DEFAULT_PORTS or parts.username is not None or not text.isprintable():
        raise Denied(f"{registry} names a token realm that is not a usable address", hint="Nothing was sent there.")
    bracketed = f"[{name}]" if ":" in name else name
    host = bracketed if port == _DEFAULT_PORTS["https"] and parts.scheme == "https" else f"{bracketed}:{port}"
    if parts.scheme == "http" and secure:
        raise Denied(
            f"{registry} wants tokens to be fetched over plain HTTP from {host}",
            hint="Nothing was sent there: a registry with TLS must have a token realm with TLS.",
        )
    registry_name, registry_port = split_host(registry)
    registry_port = registry_port or _DEFAULT_PORTS["https" if secure else "http"]
    same_host = name == registry_name
    if not same_host and _is_inside(name) and host not in accepted:
        raise Denied(
            f"{registry} names a token realm inside this network: {host}",
            hint=f"Nothing was sent there. {accepting(known_as or registry, host)}",
        )
    if same_host:
        trusted = port == registry_port or (parts.scheme == "https" and port == 443)
    else:
        pair = (registry_name, name) in _PAIRS or _same_site(registry_name, name)
        trusted = pair and parts.scheme == "https" and port == 443
    return Realm(text.partition("#")[0], host, trusted or host in accepted, same_host)


async def check_addresses(realm: Realm, registry: str, known_as: str = "") -> None:
    """Raise Denied if a foreign realm resolves to this machine or network (unless it is trusted)."""
    if realm.same_host or realm.trusted:
        return
    name, port = split_host(realm.host)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return
    if any(_is_inside(str(address[4][0]).partition("%")[0]) for address in found):
        raise Denied(
            f"{registry} names a token realm that leads into this network: {realm.host}",
            hint=f"Nothing was sent there. {accepting(known_as or registry, realm.host)}",
        )


def _is_inside(name: str) -> bool:
    """Whether a host is on this machine or in a private network, by its name."""
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2].isdigit() or name.startswith("0x")
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def _same_site(one: str, other: str) -> bool:
    """Whether two names share a domain that one owner registered (public suffix list)."""
    if one == other:
        return True
    try:
        ipaddress.ip_address(one)
        return False
    except ValueError:
        site = _site(one)
    return site is not None and site not in _SHARED and site == _site(other)


@cache
def _site(name: str) -> str | None:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False).privatesuffix(name)

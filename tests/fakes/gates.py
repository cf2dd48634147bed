"""Gates for the faulty proxy: tokens and signed addresses that run out while something is being transferred."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from tests.fakes.faulty_proxy import Fault, FaultyProxy, Seen


@dataclass
class TokenGate:
    """A token service on the proxy's own host, and the 401 of whoever has no token that is still good.

    A token is good until `every` more bytes of bodies have been moved, whatever `lifetime` (seconds) says, or for
    `uses` bodies of blobs that are sent.
    """

    every: int = 0
    uses: int = 0
    lifetime: int = 300
    given: dict[str, int] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Paths of the requests that were refused with a token that had run out."""

    def __call__(self, proxy: FaultyProxy, seen: Seen) -> Fault | None:
        moved = sum(each.sent + each.received for each in proxy.requests)
        if seen.path.startswith("/token"):
            token = f"token-{len(self.given)}"
            self.given[token] = moved
            body = json.dumps({"token": token, "expires_in": self.lifetime}).encode()
            return Fault(status=200, headers={"Content-Type": "application/json"}, body=body)
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.given:
            self.used[token] = self.used.get(token, 0) + (seen.method in ("PUT", "PATCH") and "/uploads/" in seen.path)
            old = bool(self.every) and moved - self.given[token] >= self.every
            spent = bool(self.uses) and self.used[token] > self.uses
            if not old and not spent:
                return None
            self.refused.append(seen.path)
        name = match[1] if (match := re.match(r"/v2/(.+)/(?:blobs|manifests|tags)/", seen.path)) else ""
        scope = f',scope="repository:{name}:pull"' if name else ""
        challenge = f'Bearer realm="http://{proxy.host}/token",service="fake"{scope},error="invalid_token"'
        return Fault(status=401, headers={"WWW-Authenticate": challenge}, body=b'{"errors":[{"code":"UNAUTHORIZED"}]}')


@dataclass
class SignedStorage:
    """A registry that sends to object storage for blobs: addresses are good until `every` more bytes came from there.

    `front` is the gate of the registry's proxy, `back` of the storage's.
    """

    storage: FaultyProxy
    every: int
    signed: dict[str, int] = field(default_factory=dict)
    refused: int = 0

    def front(self, _: FaultyProxy, seen: Seen) -> Fault | None:
        """Blobs are elsewhere."""
        if seen.method != "GET" or "/blobs/sha256" not in seen.path:
            return None
        signature = f"s{len(self.signed)}"
        self.signed[signature] = self.storage.body_bytes()
        return Fault(status=307, headers={"Location": f"http://{self.storage.host}{seen.path}?signature={signature}"})

    def back(self, proxy: FaultyProxy, seen: Seen) -> Fault | None:
        """Only by an address that is still good, and without credentials."""
        assert "authorization" not in seen.headers
        signature = seen.path.partition("?signature=")[2]
        if signature in self.signed and proxy.body_bytes() - self.signed[signature] < self.every:
            return None
        self.refused += 1
        return Fault(status=403, headers={"Content-Type": "application/xml"}, body=b"<Error>expired</Error>")

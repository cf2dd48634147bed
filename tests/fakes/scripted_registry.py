"""A registry in dicts that speaks the distribution-spec over asyncio, with every answer open to being scripted.

async with ScriptedRegistry(auth="bearer", users={"ann": "secret"}) as registry:
    kit = registry.add_kit("team/fraud", "v1", layers=[b"..."])
    registry.script("GET", r"/tags/list", Reply(429, {"Retry-After": "1"}))
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs

from tests.fakes.faulty_proxy import body_of, parse_head, render_head
from tests.fakes.registry_api import (
    INDEX,
    KIT_CONFIG,
    KIT_LAYER,
    MANIFEST,
    Handler,
    RegistryApi,
    Reply,
    Request,
    digest_of,
    manifest_of,
)

__all__ = [
    "INDEX",
    "KIT_CONFIG",
    "KIT_LAYER",
    "MANIFEST",
    "Handler",
    "Reply",
    "Request",
    "ScriptedRegistry",
    "digest_of",
    "manifest_of",
    "serving",
]


@dataclass
class Script:
    method: str
    path: str
    reply: Reply | Handler
    times: int = 1


class ScriptedRegistry(RegistryApi):
    """A server with the habits given (fakes.habits); `anonymous` gives tokens to everybody.

    `host` is where it listens, `storage` where it sends those who read blobs if it redirects.
    """

    def __init__(
        self,
        *,
        users: dict[str, str] | None = None,
        anonymous: bool = True,
        tls: ssl.SSLContext | None = None,
        **habits: object,
    ) -> None:
        super().__init__(**habits)
        self.users, self.anonymous, self.tls = users or {}, anonymous, tls
        self.connections = 0
        self.requests: list[Request] = []
        self.scripts: list[Script] = []
        self.tokens: set[str] = set()
        self.refresh_token = ""
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ScriptedRegistry:
        self.host, self.storage = await self._listen(self._reply, self.tls), await self._listen(self.stored, None)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, answer: Handler, tls: ssl.SSLContext | None) -> str:
        server = await asyncio.start_server(partial(self._accept, answer), "127.0.0.1", 0, limit=1 << 20, ssl=tls)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def script(self, method: str, path: str, reply: Reply | Handler, times: int = 1) -> None:
        """Answer requests that fit (path and query searched as a regular expression) so, `times` times (-1: always)."""
        self.scripts.append(Script(method, path, reply, times))

    def count(self, method: str = "", path: str = "") -> int:
        return len(self.seen(method, path))

    def seen(self, method: str = "", path: str = "") -> list[Request]:
        return [each for each in self.requests if method in ("", each.method) and re.search(path, each.target)]

    def _accept(self, answer: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(answer, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before it begins closes nothing itself.
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, answer: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await self._one(answer, reader, writer):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, answer: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may carry another."""
        first = await reader.read(1)
        if first in (b"", b"\x16"):
            return False  # the end, or a TLS handshake, which is not spoken here
        line, fields = parse_head(first + await reader.readuntil(b"\r\n\r\n"))
        method, target, _ = line.split(" ", 2)
        body = b"".join([piece async for piece in body_of(reader, fields)])
        request = Request(method, target, {name.lower(): value for name, value in fields}, body)
        self.requests.append(request)
        reply = answer(request)
        fields = [*reply.headers.items(), *reply.lists]
        if reply.framed and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields):
            fields.append(("Content-Length", str(len(reply.body))))
        writer.write(render_head(f"HTTP/1.1 {reply.status} Answer", fields))
        writer.write(b"" if method == "HEAD" else reply.body)
        await writer.drain()
        return not reply.close

    def _reply(self, request: Request) -> Reply:
        for script in self.scripts:
            if script.times and script.method in ("", request.method) and re.search(script.path, request.target):
                script.times -= 1
                return script.reply(request) if callable(script.reply) else script.reply
        if request.path == "/token":
            return self._token(request)
        if not self._authorized(request):
            return self.challenge()
        return self.route(request)

    def challenge(self) -> Reply:
        """The 401 of this registry."""
        realm = self.realm or f"http://{self.host}/token"
        value = 'Basic realm="here"' if self.auth == "basic" else f'Bearer realm="{realm}",service="fake"'
        return Reply(401, {"WWW-Authenticate": value}, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}')

    def _user(self, request: Request) -> str | None:
        value = request.headers.get("authorization", "")
        if value.startswith("Basic "):
            name, _, password = base64.b64decode(value[6:]).decode().partition(":")
            return name if self.users.get(name) == password else ""
        return None

    def _authorized(self, request: Request) -> bool:
        if self.auth == "basic":
            return bool(self._user(request))
        return self.auth != "bearer" or request.headers.get("authorization", "")[7:] in self.tokens

    def _token(self, request: Request) -> Reply:
        if request.method == "POST":
            form = parse_qs(request.body.decode())
            good = bool(self.refresh_token) and form.get("refresh_token") == [self.refresh_token]
        else:
            user = self._user(request)
            good = bool(user) or (user is None and self.anonymous)
        if not good:
            return Reply(401, {}, b'{"details":"no"}')
        token = f"token-{len(self.tokens)}-{self.host}"
        self.tokens.add(token)
        key = "access_token" if request.method == "POST" else "token"
        return Reply(200, {}, json.dumps({key: token, "expires_in": self.lifetime}).encode())


@contextlib.contextmanager
def serving(registry: ScriptedRegistry) -> Iterator[ScriptedRegistry]:
    """Run it in a thread of its own, for those who call kittui as a program does."""
    loop, opened, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with registry:
            opened.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), name="scripted-registry")
    thread.start()
    try:
        assert opened.wait(10)
        yield registry
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()

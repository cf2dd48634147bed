"""A registry in dicts that speaks the distribution-spec over asyncio, with every answer open to being scripted.

async with ScriptedRegistry(auth="bearer", users={"ann": "secret"}) as registry:
    kit = registry.add_kit("team/fraud", "v1", layers=[b"..."])
    registry.script("GET", r"/tags/list", Reply(429, {"Retry-After": "1"}))
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from fakes.faulty_proxy import body_of, parse_head, render_head

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
KIT_LAYER = "application/vnd.kitops.modelkit.model.v1.tar"
KIT_CONFIG = "application/vnd.kitops.modelkit.config.v1+json"


@dataclass
class Reply:
    """An answer; `lists` are fields that occur several times, `close` ends the connection behind it.

    Without `framed` no Content-Length is added.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    lists: list[tuple[str, str]] = field(default_factory=list)
    close: bool = False
    framed: bool = True


@dataclass
class Request:
    """What arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


Handler = Callable[[Request], Reply]


@dataclass
class Script:
    method: str
    path: str
    reply: Reply | Handler
    times: int = 1


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def manifest_of(layers: list[bytes], config: bytes = b"{}", **more: object) -> bytes:
    """The bytes of a manifest over these layers."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": KIT_CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [
                {
                    "mediaType": "application/vnd.kitops.modelkit.model.v1.tar",
                    "digest": digest_of(each),
                    "size": len(each),
                }
                for each in layers
            ],
            **more,
        }
    ).encode()


class ScriptedRegistry:
    """`auth` is "", "basic" or "bearer"; `anonymous` gives tokens to everybody. `page` entries per list page.

    `realm` replaces the token realm; `untag`, `delete`, `ranges`, `referrers_api`, `mounts`, `catalog` are its powers.
    """

    def __init__(
        self,
        *,
        auth: str = "",
        users: dict[str, str] | None = None,
        anonymous: bool = True,
        page: int = 0,
        untag: bool = True,
        delete: bool = True,
        ranges: bool = True,
        referrers_api: bool = True,
        mounts: bool = True,
        catalog: bool = True,
        realm: str = "",
        lifetime: int = 300,
        link: str = '<{target}>; rel="next"',
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.auth, self.users, self.anonymous, self.page = auth, users or {}, anonymous, page
        self.untag, self.delete, self.ranges, self.referrers_api = untag, delete, ranges, referrers_api
        self.mounts, self.catalog, self.realm, self.lifetime, self.link = mounts, catalog, realm, lifetime, link
        self.tls = tls
        self.connections = 0
        self.requests: list[Request] = []
        self.scripts: list[Script] = []
        self.blobs: dict[str, bytes] = {}
        self.owners: set[tuple[str, str]] = set()
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.tokens: set[str] = set()
        self.refresh_token = ""
        self.host = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ScriptedRegistry:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20, ssl=self.tls)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def script(self, method: str, path: str, reply: Reply | Handler, times: int = 1) -> None:
        """Answer requests that fit (path and query searched as a regular expression) so, `times` times (-1: always)."""
        self.scripts.append(Script(method, path, reply, times))

    def count(self, method: str = "", path: str = "") -> int:
        return len(self.seen(method, path))

    def seen(self, method: str = "", path: str = "") -> list[Request]:
        return [each for each in self.requests if method in ("", each.method) and re.search(path, each.target)]

    def add_blob(self, repository: str, content: bytes) -> str:
        digest = digest_of(content)
        self.blobs[digest] = content
        self.owners.add((repository, digest))
        return digest

    def add_manifest(self, repository: str, raw: bytes, *tags: str, media_type: str = MANIFEST) -> str:
        digest = digest_of(raw)
        self.manifests[repository, digest] = (media_type, raw)
        self.tags.setdefault(repository, {}).update(dict.fromkeys(tags, digest))
        return digest

    def add_kit(self, repository: str, *tags: str, layers: list[bytes], config: bytes = b"{}", **more: object) -> str:
        """Blobs and manifest; the manifest's digest."""
        for content in (config, *layers):
            self.add_blob(repository, content)
        return self.add_manifest(repository, manifest_of(layers, config, **more), *tags)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may carry another."""
        first = await reader.read(1)
        if first in (b"", b"\x16"):
            return False  # the end, or a TLS handshake, which is not spoken here
        line, fields = parse_head(first + await reader.readuntil(b"\r\n\r\n"))
        method, target, _ = line.split(" ", 2)
        body = b"".join([piece async for piece in body_of(reader, fields)])
        request = Request(method, target, {name.lower(): value for name, value in fields}, body)
        self.requests.append(request)
        reply = self._reply(request)
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
        return self._route(request)

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

    def _route(self, request: Request) -> Reply:
        path = request.path.removeprefix("/v2/")
        if path in ("", "/v2"):
            return Reply(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
        if path == "_catalog":
            names = sorted({*self.tags, *(name for name, _ in self.owners)})
            return self._list(request, "repositories", names) if self.catalog else _error(404, "UNSUPPORTED")
        for pattern, handler in (
            (r"(.+)/tags/list", self._tags),
            (r"(.+)/manifests/([^/]+)", self._manifest),
            (r"(.+)/blobs/uploads/(.*)", self._upload),
            (r"(.+)/blobs/([^/]+)", self._blob),
            (r"(.+)/referrers/([^/]+)", self._referrers),
        ):
            if match := re.fullmatch(pattern, path):
                return handler(request, *match.groups())
        return Reply(404, {}, b"404 page not found\n")

    def _list(self, request: Request, key: str, names: list[str]) -> Reply:
        last = request.query.get("last", [""])[0]
        size = self.page or len(names) or 1
        after = [name for name in names if name > last] if last else names
        shown, rest = after[:size], after[size:]
        headers = {}
        if rest:
            headers["Link"] = self.link.format(target=f"{request.path}?n={size}&last={shown[-1]}", host=self.host)
        return Reply(200, headers, json.dumps({"name": "x", key: shown or None}).encode())

    def _tags(self, request: Request, name: str) -> Reply:
        return (
            self._list(request, "tags", sorted(self.tags[name])) if name in self.tags else _error(404, "NAME_UNKNOWN")
        )

    def _manifest(self, request: Request, name: str, target: str) -> Reply:
        if request.method == "PUT":
            digest = self.add_manifest(
                name, request.body, *([] if ":" in target else [target]), media_type=request.headers["content-type"]
            )
            headers = {"Docker-Content-Digest": digest}
            subject = json.loads(request.body).get("subject")
            if subject and self.referrers_api:
                headers["OCI-Subject"] = subject["digest"]
            return Reply(201, headers)
        digest = target if ":" in target else self.tags.get(name, {}).get(target, "")
        if request.method == "DELETE":
            if not self.delete or (":" not in target and not self.untag):
                return _error(405 if not self.delete else 400, "UNSUPPORTED" if not self.delete else "DIGEST_INVALID")
            if (name, digest) not in self.manifests:
                return _error(404, "MANIFEST_UNKNOWN")
            held = self.tags.get(name, {})
            for tag in [tag for tag in held if (tag == target if ":" not in target else held[tag] == digest)]:
                del held[tag]
            if ":" in target:
                del self.manifests[name, digest]
            return Reply(202)
        found = self.manifests.get((name, digest))
        if found is None or found[0] not in request.headers.get("accept", ""):
            return _error(404, "MANIFEST_UNKNOWN")
        return Reply(200, {
            "Content-Type": found[0], "Docker-Content-Digest": digest, "Content-Length": str(len(found[1]))
        }, found[1])  # fmt: skip

    def _blob(self, request: Request, name: str, digest: str) -> Reply:
        if (name, digest) not in self.owners:
            return _error(404, "BLOB_UNKNOWN")
        content = self.blobs[digest]
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if match and self.ranges:
            start, end = int(match[1]), int(match[2] or len(content) - 1)
            part = content[start : end + 1]
            return Reply(206, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"}, part)
        return Reply(200, {"Content-Length": str(len(content))}, content)

    def _upload(self, request: Request, name: str, session: str) -> Reply:
        query = request.query
        if request.method == "POST":
            origin, digest = query.get("from", [""])[0], query.get("mount", [""])[0]
            if self.mounts and (origin, digest) in self.owners:
                self.owners.add((name, digest))
                return Reply(201, {"Location": f"/v2/{name}/blobs/{digest}"})
            session = f"upload-{len(self.uploads)}-{len(self.requests)}"
            self.uploads[session] = bytearray()
            return Reply(202, {"Location": f"/v2/{name}/blobs/uploads/{session}?state=a%2Bb"})
        held = self.uploads.get(session)
        if held is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[session]
            return Reply(204)
        location = {"Location": f"/v2/{name}/blobs/uploads/{session}?state={len(held)}"}
        if request.method == "PATCH":
            start = int(request.headers.get("content-range", f"{len(held)}-").partition("-")[0])
            if start != len(held):
                return Reply(416, {**location, "Range": f"0-{max(0, len(held) - 1)}"})
            held += request.body
            return Reply(202, {**location, "Range": f"0-{max(0, len(held) - 1)}"})
        if request.method == "GET":
            return Reply(204, {**location, "Range": f"0-{max(0, len(held) - 1)}"})
        content = bytes(held) + request.body
        if digest_of(content) != query["digest"][0]:
            return _error(400, "DIGEST_INVALID")
        del self.uploads[session]
        self.add_blob(name, content)
        return Reply(201, {"Location": f"/v2/{name}/blobs/{digest_of(content)}"})

    def _referrers(self, request: Request, name: str, digest: str) -> Reply:
        if not self.referrers_api:
            return Reply(404, {}, b"404 page not found\n")
        found = []
        for (owner, own), (media_type, raw) in self.manifests.items():
            document = json.loads(raw)
            if owner == name and (document.get("subject") or {}).get("digest") == digest:
                kind = document.get("artifactType") or document["config"]["mediaType"]
                found.append({"mediaType": media_type, "digest": own, "size": len(raw), "artifactType": kind})
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found}
        return Reply(200, {"Content-Type": INDEX}, json.dumps(document).encode())


def _error(status: int, code: str) -> Reply:
    return Reply(status, {}, json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode())

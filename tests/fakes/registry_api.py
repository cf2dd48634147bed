"""The distribution-spec over dicts: what a scripted registry holds, and how it answers for it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

from tests.fakes.habits import Habits

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
KIT_LAYER = "application/vnd.kitops.modelkit.model.v1.tar"
KIT_CONFIG = "application/vnd.kitops.modelkit.config.v1+json"
CODES = {
    400: "DIGEST_INVALID",
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "MANIFEST_UNKNOWN",
    405: "UNSUPPORTED",
    412: "PRECONDITION",
}


@dataclass
class Reply:
    """An answer; `lists` are fields that occur several times, `close` ends the connection after it.

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


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def manifest_of(layers: list[bytes], config: bytes = b"{}", **more: object) -> bytes:
    """The bytes of a manifest over these layers."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": KIT_CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": KIT_LAYER, "digest": digest_of(each), "size": len(each)} for each in layers],
            **more,
        }
    ).encode()


def error(status: int, code: str = "", message: str = "") -> Reply:
    """An error as the spec has it."""
    code = code or CODES.get(status, "UNKNOWN")
    return Reply(status, {}, json.dumps({"errors": [{"code": code, "message": message or code.lower()}]}).encode())


class RegistryApi(Habits):
    """Blobs, manifests and tags in dicts, and the answer to every request that is allowed to ask."""

    def __init__(self, **habits: object) -> None:
        super().__init__(**habits)  # type: ignore[arg-type]
        self.host = self.storage = ""
        self.blobs: dict[str, bytes] = {}
        self.owners: set[tuple[str, str]] = set()
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.uploads: dict[str, list[bytes]] = {}
        self._opened = 0
        self._stale: dict[tuple[str, str], tuple[int, str]] = {}

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

    def route(self, request: Request) -> Reply:
        """The answer to a request that is allowed."""
        path = request.path.removeprefix("/v2/")
        if path in ("", "/v2"):
            return Reply(200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
        if self.read_only and request.method not in ("GET", "HEAD"):
            return error(self.read_only, "UNSUPPORTED", "The operation is unsupported.")
        if path == "_catalog":
            names = sorted({*self.tags, *(name for name, _ in self.owners)})
            return self._list(request, "repositories", names) if self.catalog else error(self.catalog_refused)
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

    def stored(self, request: Request) -> Reply:
        """The answer of the host that blobs are redirected to: it signed a GET, and takes no other credentials."""
        if "authorization" in request.headers or "cookie" in request.headers:
            return Reply(400, {}, b"<Error><Code>InvalidArgument</Code></Error>")
        if request.method != "GET":
            return Reply(403, {}, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        return self._content(request, self.blobs[request.path.removeprefix("/storage/")])

    def _list(self, request: Request, key: str, names: list[str]) -> Reply:
        if self.most_listed and int(request.query.get("n", ["0"])[0]) > self.most_listed:
            return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
        last = request.query.get("last", [""])[0]
        if self.next_token:
            last = base64.b64decode(request.query.get("next_page", [""])[0]).decode()
        after = names[names.index(last) + 1 :] if last in names else names
        size = self.page or len(names) or 1
        shown, rest = after[:size], after[size:]
        headers = {}
        if rest:
            mark = (
                f"next_page={quote(base64.b64encode(shown[-1].encode()))}" if self.next_token else f"last={shown[-1]}"
            )
            target = f"{request.path}?{mark}&n={size}" if self.next_token else f"{request.path}?n={size}&{mark}"
            headers["Link"] = self.link.format(target=target, host=self.host)
        return Reply(200, headers, json.dumps({"name": "x", key: shown or None}).encode())

    def _tags(self, request: Request, name: str) -> Reply:
        if name not in self.tags:
            if self.unknown_repository == 200:
                return Reply(200, {}, json.dumps({"name": name, "tags": []}).encode())
            return error(self.unknown_repository, "NAME_UNKNOWN")
        return self._list(request, "tags", sorted(self.tags[name]) if self.ordered else list(self.tags[name])[::-1])

    def _manifest(self, request: Request, name: str, target: str) -> Reply:
        if request.method == "PUT":
            return self._put_manifest(request, name, target)
        if request.method == "DELETE":
            return self._delete(name, target)
        digest = target if ":" in target else self._tagged(name, target)
        found = self.manifests.get((name, digest))
        if request.method == "HEAD" and self.head != 200:
            return error(self.head)
        if found is None or found[0] not in request.headers.get("accept", ""):
            return error(404, "MANIFEST_UNKNOWN")
        headers = {"Content-Type": found[0], "Content-Length": str(len(found[1]))}
        if request.method == "GET" or self.head_digest:
            headers["Docker-Content-Digest"] = digest
        return Reply(200, headers, found[1])

    def _put_manifest(self, request: Request, name: str, target: str) -> Reply:
        held, tag = self.tags.get(name, {}), "" if ":" in target else target
        digest = digest_of(request.body)
        if self.immutable and re.fullmatch(self.immutable, tag) and held.get(tag, digest) != digest:
            return error(412, "PRECONDITION", f"the tag {tag} is configured as immutable, it can not be updated")
        if tag:
            self._wrote(name, tag)
        self.add_manifest(name, request.body, *([tag] if tag else []), media_type=request.headers["content-type"])
        headers = {"Docker-Content-Digest": digest}
        subject = json.loads(request.body).get("subject")
        if subject and self.referrers_api:
            headers["OCI-Subject"] = subject["digest"]
        return Reply(201, headers)

    def _delete(self, name: str, target: str) -> Reply:
        held = self.tags.get(name, {})
        if not self.delete:
            return error(self.delete_refused)
        if ":" not in target:
            if not self.untag:
                return error(self.untag_refused)
            if target not in held:
                return error(404, "MANIFEST_UNKNOWN")
            self._wrote(name, target)
            del held[target]
            return Reply(202)
        if (name, target) not in self.manifests:
            return error(404, "MANIFEST_UNKNOWN")
        tags = [tag for tag, digest in held.items() if digest == target]
        if tags and not self.delete_tagged:
            return error(400, "GOOGLE_MANIFEST_DANGLING_TAG", f"Manifest is still referenced by tag: {tags[0]}")
        for tag in tags:
            self._wrote(name, tag)
            del held[tag]
        del self.manifests[name, target]
        return Reply(202)

    def _wrote(self, name: str, tag: str) -> None:
        """A tag is about to change: the next reads still see what it was."""
        if self.lag:
            self._stale[name, tag] = (self.lag, self.tags.get(name, {}).get(tag, ""))

    def _tagged(self, name: str, tag: str) -> str:
        left, was = self._stale.get((name, tag), (0, ""))
        if not left:
            return self.tags.get(name, {}).get(tag, "")
        self._stale[name, tag] = (left - 1, was)
        return was

    def _blob(self, request: Request, name: str, digest: str) -> Reply:
        if request.method == "HEAD" and self.blob_head != 200:
            return error(self.blob_head)
        if (name, digest) not in self.owners:
            return error(404, "BLOB_UNKNOWN")
        if self.redirect and (request.method == "GET" or self.redirect_head):
            return Reply(self.redirect, {"Location": f"http://{self.storage}/storage/{digest}?signature=s%2Fx"})
        return self._content(request, self.blobs[digest])

    def _content(self, request: Request, content: bytes) -> Reply:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if match and self.ranges:
            start, end = int(match[1]), int(match[2] or len(content) - 1)
            part = content[start : end + 1]
            return Reply(206, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"}, part)
        return Reply(200, {"Content-Length": str(len(content))}, content)

    def _upload(self, request: Request, name: str, session: str) -> Reply:
        if self.most_sent and len(request.body) > self.most_sent:
            page = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
            return Reply(413, {"Content-Type": "text/html"}, page, close=True)
        if request.method == "POST":
            return self._begin(request, name)
        chunks = self.uploads.get(session)
        if chunks is None:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[session]
            return Reply(204)
        if request.method == "PATCH":
            return self._chunk(request, name, session, chunks)
        if request.method == "GET":
            return Reply(204, self._at(name, session, sum(map(len, chunks))))
        if any(len(chunk) < self.least_chunk for chunk in chunks[:-1]):
            return error(400, "BLOB_UPLOAD_INVALID", "a chunk is too small")
        content = b"".join(chunks[:1] if self.only_first_chunk else chunks) + request.body
        if digest_of(content) != request.query["digest"][0]:
            return error(400, "DIGEST_INVALID")
        del self.uploads[session]
        self.add_blob(name, content)
        return Reply(201, {"Location": f"/v2/{name}/blobs/{digest_of(content)}"})

    def _begin(self, request: Request, name: str) -> Reply:
        origin, digest = request.query.get("from", [""])[0], request.query.get("mount", [""])[0]
        if self.create_first and name not in self.tags:
            return error(404, "NAME_UNKNOWN", f"The repository with name '{name}' does not exist in the registry")
        if self.mounts and (origin, digest) in self.owners:
            self.owners.add((name, digest))
            return Reply(201, {"Location": f"/v2/{name}/blobs/{digest}"})
        self._opened += 1
        session = f"upload-{self._opened}"
        self.uploads[session] = []
        stated = {"OCI-Chunk-Min-Length": str(self.least_chunk)} if self.least_chunk else {}
        return Reply(202, {**stated, "Location": self._location(f"/v2/{name}/blobs/uploads/{session}?state=a%2Bb")})

    def _chunk(self, request: Request, name: str, session: str, chunks: list[bytes]) -> Reply:
        if self.patch >= 300:
            return error(self.patch, "UNSUPPORTED", "chunked uploads are not supported")
        if self.most_chunk and len(request.body) > self.most_chunk:
            return error(416, "SIZE_INVALID", f"the request body is over the limit of {self.most_chunk} bytes")
        held = sum(map(len, chunks))
        start = int(request.headers.get("content-range", f"{held}-").partition("-")[0])
        if start != held:
            return Reply(416, self._at(name, session, held))
        chunks.append(request.body)
        reached = self._at(name, session, len(chunks[0]) if self.chunk_range == "first" else held + len(request.body))
        if self.chunk_range == "none":
            del reached["Range"]
        return Reply(self.patch, reached)

    def _at(self, name: str, session: str, held: int) -> dict[str, str]:
        path = f"/v2/{name}/blobs/uploads/{session}?state={held}"
        return {"Location": self._location(path), "Range": f"0-{max(0, held - 1)}"}

    def _location(self, path: str) -> str:
        return self.location.format(path=path, host=self.host)

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

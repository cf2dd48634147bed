"""A registry of one repository with very many tags, in a process of its own, that counts what it is asked.

`python -m tests.bench.registry TAGS DELAY` prints its port. Each tag is a ModelKit of its own, made when asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST
from tests.demo.pack import pack

REPOSITORY = "bench/many"
PAGE = 1000


class Registry(ThreadingHTTPServer):
    """`tags` names of one length, so that they sort as they count; `delay` seconds before each answer."""

    daemon_threads = True

    def __init__(self, tags: int, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tags = [f"v{number:06d}" for number in range(tags)]
        self.delay = delay
        self.counts: Counter[str] = Counter()
        self.asked: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}

    def handle_error(self, *_: object) -> None:
        """A client that goes away is nothing new."""

    def manifest(self, target: str) -> bytes | None:
        """The manifest of a tag or of a digest that a tag led to."""
        if ":" in target:
            return self.manifests.get(target)
        if not target.startswith("v"):
            return None
        kitfile = {"manifestVersion": "1.0.0", "package": {"name": "bench", "version": target}}
        made = pack(kitfile, {}, version="bench")
        self.blobs.update({str(digest): content for digest, content in made.blobs.items()})
        self.manifests[str(made.descriptor.digest)] = made.manifest
        return made.manifest


class Handler(BaseHTTPRequestHandler):
    """The read side of the distribution API."""

    protocol_version = "HTTP/1.1"
    server: Registry

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        """Answer what was asked for, and count it by its kind."""
        url = urlsplit(self.path)
        if url.path == "/counts":
            self.answer(json.dumps(self.server.counts).encode())
            self.server.counts.clear()
            self.server.asked.clear()
            return
        time.sleep(self.server.delay)
        parts = url.path.removeprefix("/v2/").removeprefix(REPOSITORY + "/").split("/")
        kind, target = parts[0] or "ping", parts[-1]
        if kind in ("manifests", "blobs"):
            asked = f"{self.command} {self.path}"
            self.server.counts["twice"] += asked in self.server.asked
            self.server.asked.add(asked)
        attached = kind == "manifests" and target.startswith("sha256-")
        self.server.counts["signatures" if attached else "HEAD" if self.command == "HEAD" else kind] += 1
        match kind:
            case "ping":
                self.answer(b"{}")
            case "_catalog":
                self.answer(json.dumps({"repositories": [REPOSITORY]}).encode())
            case "tags":
                query = parse_qs(url.query)
                start = self.server.tags.index(query["last"][0]) + 1 if "last" in query else 0
                page = self.server.tags[start : start + PAGE]
                more = {"Link": f'</v2/{REPOSITORY}/tags/list?n={PAGE}&last={page[-1]}>; rel="next"'}
                last = start + PAGE >= len(self.server.tags)
                self.answer(json.dumps({"name": REPOSITORY, "tags": page}).encode(), {} if last else more)
            case "manifests" if raw := self.server.manifest(target):
                self.answer(raw, {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": Digest.of(raw)})
            case "blobs" if target in self.server.blobs:
                self.answer(self.server.blobs[target], {"Content-Type": "application/octet-stream"})
            case _:
                self.answer(b'{"errors":[{"code":"NOT_FOUND"}]}', status=404)

    def answer(self, body: bytes, headers: dict[str, str] | None = None, status: int = 200) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Asked:
    """The running registry, seen from the bench."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"

    def counts(self) -> Counter[str]:
        """What was asked since the last call: ping, _catalog, tags, manifests, blobs, HEAD, signatures; and `twice`."""
        with urllib.request.urlopen(f"http://{self.host}/counts", timeout=10) as answer:
            return Counter(json.load(answer))


@contextmanager
def serving(tags: int, delay: float = 0.0) -> Iterator[Asked]:
    """Run the registry in another process for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.bench.registry", str(tags), str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield Asked(int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(5)


if __name__ == "__main__":
    running = Registry(int(sys.argv[1]), float(sys.argv[2]))
    print(running.server_port, flush=True)
    running.serve_forever()

"""A real server seen from behind, over its own API and without kittui."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping

from tests.demo.pack import Packed
from tests.fakes.scripted_registry import INDEX, MANIFEST, digest_of

ACCEPT = {"Accept": f"{MANIFEST}, {INDEX}"}


class Real:
    """A `Registry` of tests.field.world over HTTP, for a user with a password where one is needed."""

    def __init__(self, host: str, user: tuple[str, str] | None = None) -> None:
        self._host = host
        self._own: dict[str, str] = {}
        self._connection: http.client.HTTPConnection | None = None
        if user is not None:
            self._own["Authorization"] = f"Basic {base64.b64encode(':'.join(user).encode()).decode()}"

    @property
    def host(self) -> str:
        return self._host

    def add(self, repository: str, packed: Packed, *tags: str) -> None:
        for content in packed.blobs.values():
            self._put_blob(repository, content)
        for target in tags or (digest_of(packed.manifest),):
            self._put_manifest(repository, packed.manifest, target, MANIFEST)

    def attach(self, repository: str, raw: bytes, tag: str | None = None, *, media_type: str = MANIFEST) -> None:
        self._put_blob(repository, b"{}")
        self._put_manifest(repository, raw, tag or digest_of(raw), media_type)

    def retag(self, repository: str, raw: bytes, tag: str) -> None:
        """Point a tag at a manifest that is there, or bring it there."""
        self._put_manifest(repository, raw, tag, MANIFEST)

    def tags_of(self, repository: str) -> dict[str, str]:
        status, _, body = self._ask("GET", f"/v2/{repository}/tags/list?n=1000")
        names = json.loads(body)["tags"] or [] if status == 200 else []
        found = {name: self._ask("HEAD", f"/v2/{repository}/manifests/{name}", headers=ACCEPT) for name in names}
        return {name: headers["docker-content-digest"] for name, (status, headers, _) in found.items() if status == 200}

    def manifest_of(self, repository: str, digest: str) -> bytes | None:
        status, _, body = self._ask("GET", f"/v2/{repository}/manifests/{digest}", headers=ACCEPT)
        return body if status == 200 else None

    def blob_of(self, repository: str, digest: str) -> bytes | None:
        status, _, body = self._ask("GET", f"/v2/{repository}/blobs/{digest}")
        return body if status == 200 else None

    def _put_blob(self, repository: str, content: bytes) -> None:
        _, headers, _ = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        location = headers["location"].removeprefix(f"http://{self._host}")
        mark = "&" if "?" in location else "?"
        octets = {"Content-Type": "application/octet-stream"}
        status, _, body = self._ask("PUT", f"{location}{mark}digest={digest_of(content)}", content, octets)
        assert status == 201, body

    def _put_manifest(self, repository: str, raw: bytes, target: str, media_type: str) -> None:
        path = f"/v2/{repository}/manifests/{target}"
        status, _, body = self._ask("PUT", path, raw, {"Content-Type": media_type})
        assert status == 201, body

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        for last in (False, True):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._host, timeout=20)
            try:
                self._connection.request(method, path, body, {**self._own, **(headers or {})})
                answer = self._connection.getresponse()
                return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            except (http.client.HTTPException, OSError):
                self.close()
                if last:
                    raise
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

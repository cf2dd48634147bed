"""What the operations run in: kits, a registry that holds them, and kittui as a program over it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from unittest import mock

from kittui.cli.app import main
from tests.demo.pack import File, Packed, pack
from tests.fakes.command_line import Ran
from tests.fakes.habits import Habits
from tests.fakes.scripted_registry import INDEX, MANIFEST, ScriptedRegistry, digest_of

REPOSITORY = "team/fraud"
USER, PASSWORD = "ann", "s3cret"
KIB = 1024


def kit(version: str, size: int, seed: int) -> Packed:
    """A ModelKit of a model of so many bytes that no other has, and code that all share."""
    kitfile = {
        "manifestVersion": "1.0.0",
        "package": {"name": "fraud", "version": version},
        "model": {"name": "fraud", "path": "model.bin"},
        "code": [{"path": "src"}],
    }
    tree = {"model.bin": File(random.Random(seed).randbytes(size)), "src/train.py": File(b"print('train')\n")}
    return pack(kitfile, tree, version="1.7.0")


OLD, MIDDLE, NEW = kit("0.9.0", 40 * KIB, 1), kit("1.0.0", 300 * KIB, 2), kit("1.1.0", 40 * KIB, 3)
LARGE = kit("2.0.0", 2600 * KIB, 4)
TAGS = {
    **{tag: digest_of(OLD.manifest) for tag in ("v0.9", "rollback", *(f"build-{n:02}" for n in range(9)))},
    **{tag: digest_of(MIDDLE.manifest) for tag in ("v1.0", "champion")},
    **{tag: digest_of(NEW.manifest) for tag in ("v1.1", "challenger", "extra")},
}


class Registry(Protocol):
    """A registry seen from behind: what it holds, whatever it answers."""

    @property
    def host(self) -> str: ...

    def add(self, repository: str, packed: Packed, *tags: str) -> None: ...

    def attach(self, repository: str, raw: bytes, tag: str | None = None, *, media_type: str = MANIFEST) -> None: ...

    def tags_of(self, repository: str) -> dict[str, str]: ...

    def manifest_of(self, repository: str, digest: str) -> bytes | None: ...

    def blob_of(self, repository: str, digest: str) -> bytes | None: ...


class Scripted:
    """The scripted registry."""

    def __init__(self, server: ScriptedRegistry) -> None:
        self.server = server

    @property
    def host(self) -> str:
        return self.server.host

    def add(self, repository: str, packed: Packed, *tags: str) -> None:
        for content in packed.blobs.values():
            self.server.add_blob(repository, content)
        self.server.add_manifest(repository, packed.manifest, *tags)

    def attach(self, repository: str, raw: bytes, tag: str | None = None, *, media_type: str = MANIFEST) -> None:
        self.server.add_blob(repository, b"{}")
        self.server.add_manifest(repository, raw, *([tag] if tag else []), media_type=media_type)

    def tags_of(self, repository: str) -> dict[str, str]:
        return dict(self.server.tags.get(repository, {}))

    def manifest_of(self, repository: str, digest: str) -> bytes | None:
        return self.server.manifests.get((repository, digest), ("", None))[1]

    def blob_of(self, repository: str, digest: str) -> bytes | None:
        return self.server.blobs[digest] if (repository, digest) in self.server.owners else None


@dataclass
class World:
    """Kittui with a home of its own, before a registry with habits that holds the kits above."""

    habits: Habits
    registry: Registry
    other: Registry
    home: Path

    @property
    def repository(self) -> str:
        """The reference of the repository with the kits."""
        return f"remote://{self.registry.host}/{REPOSITORY}"

    @property
    def tags(self) -> dict[str, str]:
        """Where its tags really are; those that list what is attached to a manifest aside."""
        return {tag: to for tag, to in self.registry.tags_of(REPOSITORY).items() if not tag.startswith("sha256-")}

    def kittui(self, *words: str, stdin: str = "") -> Ran:
        """Run it with --json, as a script would."""
        out, err = io.StringIO(), io.StringIO()
        folders = {name: str(self.home / name.lower()) for name in FOLDERS}
        with (
            mock.patch.dict(os.environ, {**folders, "HOME": str(self.home)}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
        ):
            for name in UNSET:
                os.environ.pop(name, None)
            status = main([*words, "--json"])
        assert "internal error in kittui" not in err.getvalue()
        assert "Traceback" not in err.getvalue()
        return Ran(status, out.getvalue(), err.getvalue())

    def stored(self, digest: str) -> bytes:
        """A blob as it is in the local store."""
        return (self.home / "kitops_home/storage/blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()

    def keep(self, packed: Packed, tag: str) -> str:
        """Put a ModelKit into the local store, by way of a registry without habits; its reference there."""
        self.other.add("kept/fraud", packed, tag)
        assert self.kittui("pull", f"{self.other.host}/kept/fraud:{tag}").status == 0
        return f"local://{self.other.host}/kept/fraud:{tag}"

    def sign(self, packed: Packed) -> list[str]:
        """Attach two signatures, one as a referrer and one by its tag; their digests."""
        digest = digest_of(packed.manifest)
        subject = {"mediaType": MANIFEST, "digest": digest, "size": len(packed.manifest)}
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
        kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty]}
        referrer = json.dumps({**document, "artifactType": kind, "subject": subject}).encode()
        by_tag = json.dumps({**document, "annotations": {"n": "1"}}).encode()
        self.registry.attach(REPOSITORY, referrer)
        if not self.habits.referrers_api:
            entry = {"mediaType": MANIFEST, "digest": digest_of(referrer), "size": len(referrer), "artifactType": kind}
            listed = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
            self.registry.attach(REPOSITORY, listed, digest.replace(":", "-"), media_type=INDEX)
        self.registry.attach(REPOSITORY, by_tag, f"{digest.replace(':', '-')}.sig")
        return [digest_of(referrer), digest_of(by_tag)]


FOLDERS = ("KITOPS_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
UNSET = ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "KITTUI_CONFIG", "KITTUI_READ_ONLY", "HTTP_PROXY", "ALL_PROXY")


def fill(registry: Registry) -> None:
    """Put the three versions in, in the order of their tags."""
    for packed in (OLD, MIDDLE, NEW):
        digest = digest_of(packed.manifest)
        registry.add(REPOSITORY, packed, *[tag for tag, to in TAGS.items() if to == digest])


def complete(registry: Registry, repository: str, packed: Packed) -> bool:
    """Whether a registry really has all of a ModelKit, byte for byte."""
    manifest = registry.manifest_of(repository, digest_of(packed.manifest))
    return manifest == packed.manifest and all(
        registry.blob_of(repository, digest) == content for digest, content in packed.blobs.items()
    )


def sizes(packed: Packed) -> Iterator[tuple[str, int]]:
    """Digest and size of each layer, in order."""
    for layer in json.loads(packed.manifest)["layers"]:
        yield layer["digest"], layer["size"]

"""A ModelKit with a layer of 48 MiB in a real registry, and pulling it through a proxy."""

from __future__ import annotations

import hashlib
import json

from kittui.oci.digest import Digest
from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.registry import RegistrySource
from kittui.registry.access import Patience, Wait
from kittui.retry import Pace
from kittui.store.repository import LocalRepository
from kittui.transfer.fetch import Tuning
from kittui.transfer.progress import Progress
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.transfer import Moved, apply_move, plan_move
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.faulty_proxy import FaultyProxy

MIB = 1024 * 1024
MODEL = "application/vnd.kitops.modelkit.model.v1.tar"
SIZE = 48 * MIB
BLOBS = r"/blobs/sha256"
QUICK = Tuning(connections=4, pace=Pace(tries=7, first=0.02))
IMPATIENT = Patience(backoff=0.02)


def put_kit(registry: DockerRegistry, name: str, *layers: bytes, **kitfile: object) -> Digest:
    """Put a ModelKit into the registry as NAME:v1 without kittui; its manifest's digest."""
    config = json.dumps({"manifestVersion": "1.0.0", "package": {"name": name}, **kitfile}).encode()
    described = []
    for media_type, blob in ((KIT_CONFIG, config), *((MODEL, layer) for layer in layers)):
        digest = Digest.of(blob)
        _, headers, _ = registry.request("POST", f"/v2/{name}/blobs/uploads/")
        location = headers["Location"][headers["Location"].index("/v2/") :]
        status, _, _ = registry.request("PUT", f"{location}&digest={digest}", blob)
        assert status == 201
        described.append({"mediaType": media_type, "digest": digest, "size": len(blob)})
    raw = json.dumps({"schemaVersion": 2, "config": described[0], "layers": described[1:]}).encode()
    status, _, _ = registry.request("PUT", f"/v2/{name}/manifests/v1", raw, {"Content-Type": OCI_MANIFEST})
    assert status == 201
    return Digest.of(raw)


def fill(registry: DockerRegistry, content: bytes) -> None:
    """A ModelKit with one big layer and two small ones as big:v1."""
    put_kit(registry, "big", content, b"small one", b"small two", model={"path": "big"})


async def pull(
    proxy: FaultyProxy,
    store: LocalRepository,
    ledger: Ledger,
    *,
    progress: Progress | None = None,
    patience: Patience = IMPATIENT,
    waits: list[Wait] | None = None,
) -> Moved:
    heard = waits if waits is not None else []
    async with RegistrySource(proxy.host, patience=patience, on_wait=heard.append) as source:
        plan = await plan_move("pull", source.repository("big"), Tag("v1"), store, Tag("v1"))
        return await apply_move(plan, ledger, Policy(), progress=progress, tuning=QUICK)


def whole(store: LocalRepository, content: bytes) -> bool:
    assert store.files is not None
    path = store.files.path(Digest.of(content))
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()


def leftovers(store: LocalRepository) -> list[str]:
    assert store.files is not None
    folder = store.files.partial(Digest.of(b"")).parent
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

"""ModelKits in a docker-registry whose layers are sparse files: gigabytes in no time, for counting what is read."""

from __future__ import annotations

import hashlib
import json
import struct
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.docker_registry import DockerRegistry

MODEL = "application/vnd.kitops.modelkit.model.v1.tar"
CODE = "application/vnd.kitops.modelkit.code.v1.tar"
_WHOLE = 1 << 24
"""Bytes of a layer up to which its digest is the true one."""

SMALL = [(f"src/pkg/module_{number:03}.py", b"print('%03d')\n" % number * (number % 36 + 1)) for number in range(200)]
"""200 files of less than 512 bytes."""
Pieces = list[tuple[int, bytes]]
"""What a sparse file holds, at which offsets."""


def tar_header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def tar_of(files: list[tuple[str, bytes]]) -> bytes:
    """An archive without its end."""
    return b"".join(tar_header(name, len(body)) + body + bytes(-len(body) % 512) for name, body in files)


def safetensors_header(size: int, tensors: int) -> bytes:
    """The first bytes of a safetensors file of `size` bytes."""
    step = (size - (1 << 20)) // tensors // 4096 * 4096
    header = {
        f"model.layers.{n}.weight": {"dtype": "F32", "shape": [step // 4], "data_offsets": [n * step, (n + 1) * step]}
        for n in range(tensors)
    }
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw


@dataclass
class SparseKits:
    """Puts ModelKits of repository `big` into a registry's storage; `size` is bytes of their model file."""

    registry: DockerRegistry
    size: int
    tensors: int = 300

    @property
    def header(self) -> bytes:
        return safetensors_header(self.size, self.tensors)

    def put_all(self) -> None:
        """`two-layers`: a model and 200 small files beside it; `one-layer`: small files before and behind the model."""
        head = tar_header("model/model.safetensors", self.size) + self.header
        tail = tar_of([("model/config.json", b"{}\n" * 100)])
        small = tar_of(SMALL)
        end = 512 + self.size
        config: dict[str, object] = {
            "manifestVersion": "1.0.0",
            "package": {},
            "model": {"path": "model"},
            "code": [{"path": "src"}],
        }
        model_layer = (MODEL, end + len(tail) + 1024, [(0, head), (end, tail)])
        self.put("two-layers", config, [model_layer, (CODE, len(small) + 1024, [(0, small)])])
        one = small[: len(small) // 2 // 1024 * 1024]
        mixed = [(0, one), (len(one), head), (len(one) + end, small)]
        self.put(
            "one-layer",
            {"manifestVersion": "1.0.0", "package": {}, "model": {"path": "."}},
            [(MODEL, len(one) + end + len(small) + 1024, mixed)],
        )

    def put(self, tag: str, config: dict[str, object], layers: list[tuple[str, int, Pieces]]) -> None:
        """A ModelKit of layers, each with its media type, size and content."""
        descriptors = [self._layer(*layer) for layer in layers]
        entries = [part for key in ("model", "code") if key in config for part in _listed(config[key])]
        for entry, descriptor in zip(entries, descriptors, strict=True):
            entry["digest"] = descriptor["digest"]
        raw = json.dumps(config).encode()
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        status, headers, _ = self.registry.request("POST", "/v2/big/blobs/uploads/")
        place = headers["Location"].partition(self.registry.host)[2] or headers["Location"]
        status, _, _ = self.registry.request("PUT", f"{place}&digest={digest}", raw)
        assert status == 201
        described = {
            "mediaType": "application/vnd.kitops.modelkit.config.v1+json",
            "digest": digest,
            "size": len(raw),
        }
        manifest = {"schemaVersion": 2, "config": described, "layers": descriptors}
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        status, _, body = self.registry.request("PUT", f"/v2/big/manifests/{tag}", json.dumps(manifest).encode(), kind)
        assert status == 201, body

    def _layer(self, media_type: str, size: int, pieces: Pieces) -> dict[str, object]:
        whole = hashlib.sha256()
        if size < _WHOLE:
            content = bytearray(size)
            for offset, piece in pieces:
                content[offset : offset + len(piece)] = piece
            whole.update(content)
        else:
            whole.update(repr((size, len(pieces))).encode())
        hexa = whole.hexdigest()
        root = self.registry.storage / "docker/registry/v2"
        blob = root / f"blobs/sha256/{hexa[:2]}/{hexa}/data"
        link = root / f"repositories/big/_layers/sha256/{hexa}/link"
        for file in (blob, link):
            file.parent.mkdir(parents=True, exist_ok=True)
        link.write_text(f"sha256:{hexa}")
        with blob.open("wb") as stored:
            stored.truncate(size)
            for offset, piece in pieces:
                stored.seek(offset)
                stored.write(piece)
        return {"mediaType": media_type, "digest": f"sha256:{hexa}", "size": size}


def _listed(part: object) -> list[dict[str, object]]:
    found = part if isinstance(part, list) else [part]
    return [entry for entry in found if isinstance(entry, dict)]

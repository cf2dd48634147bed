"""Layers of every tool's model artifacts have their role, their name and their packing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kittui.modelkit import ModelKit
from kittui.modelkit.roles import TABLE, packaging
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import DOCKER_CONFIG, DOCKER_MANIFEST

PACK = "application/vnd.cncf.model."
CNAI = "application/vnd.cnai.model."
DOCKER = "application/vnd.docker.ai."
OLLAMA = "application/vnd.ollama.image."


def parsed(config_type: str, config: Any, layers: list[tuple[str, dict[str, str]]], **fields: Any) -> ModelKit:
    raw_config = json.dumps(config).encode()
    described = [
        {"mediaType": kind, "digest": Digest.of(bytes([number])), "size": 1, "annotations": notes}
        for number, (kind, notes) in enumerate(layers)
    ]
    document = {
        "schemaVersion": 2,
        "config": {"mediaType": config_type, "digest": Digest.of(raw_config), "size": len(raw_config)},
        "layers": described,
        **fields,
    }
    return ModelKit.parse(Manifest.parse(json.dumps(document).encode()), raw_config)


def seen(kit: ModelKit) -> list[tuple[str, str, str | None, str, str]]:
    return [(one.type, one.role, one.path, one.format, one.compression) for one in kit.layers]


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (PACK + "weight.v1.raw", ("model", "weights", "raw", "none")),
        (PACK + "weight.v1.tar+zstd", ("model", "weights", "tar", "zstd")),
        (PACK + "weight.v1.gguf", ("model", "weights", "raw", "none")),
        (PACK + "weight.v1.safetensors", ("model", "weights", "raw", "none")),
        (PACK + "weight.config.v1.tar+gzip", ("modelpart", "parameters", "tar", "gzip")),
        (PACK + "weight.v1.tar+br", ("model", "weights", "tar", "other")),
        (CNAI + "doc.v1.tar", ("docs", "docs", "tar", "none")),
        (CNAI + "layer.v1.tar+gzip", ("model", "weights", "tar", "gzip")),
        (DOCKER + "vllm.config.tar", ("modelpart", "parameters", "tar", "none")),
        (DOCKER + "mmproj", ("modelpart", "projector", "raw", "none")),
        (OLLAMA + "adapter", ("modelpart", "adapter", "raw", "none")),
        ("application/vnd.kitops.modelkit.docs.v1.raw+zstd", ("docs", "docs", "raw", "zstd")),
        ("application/vnd.kitops.modelkit.widget.v1.tar", ("other", "", "tar", "none")),
        ("application/vnd.oci.image.layer.v1.tar+gzip", ("other", "", "tar", "gzip")),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", ("other", "", "tar", "gzip")),
        ("text/plain", ("other", "", "other", "none")),
    ],
)
def test_a_media_type_says_role_and_packing(media_type: str, expected: tuple[str, ...]) -> None:
    found = packaging(Descriptor(media_type, Digest.of(b"x"), 1))
    assert (found.type, found.role, found.format, found.compression) == expected


def test_no_type_is_in_the_table_twice() -> None:
    types = [row.media_type for row in TABLE]
    assert len(set(types)) == len(types)


def test_docker_model() -> None:
    config = {
        "config": {"format": "gguf", "quantization": "Q4_0", "parameters": "1.1 B", "architecture": "llama"},
        "descriptor": {"created": "2026-01-02T03:04:05Z"},
        "rootfs": {"type": "rootfs", "diff_ids": []},
    }
    layers = [
        (DOCKER + "gguf.v3", {}),
        (DOCKER + "license", {}),
        (DOCKER + "mmproj", {"org.cncf.model.filepath": "vision.gguf"}),
        (DOCKER + "chat.template.jinja", {}),
    ]
    kit = parsed(DOCKER + "model.config.v0.1+json", config, layers)
    assert (kit.kind, kit.label, kit.is_modelkit, kit.problems) == ("docker-model", "Docker model", True, ())
    assert kit.created == "2026-01-02T03:04:05Z"
    assert seen(kit) == [
        ("model", "weights", "model.gguf", "raw", "none"),
        ("docs", "license", "LICENSE", "raw", "none"),
        ("modelpart", "projector", "vision.gguf", "raw", "none"),
        ("modelpart", "template", "chat_template.jinja", "raw", "none"),
    ]
    assert [one.part for one in kit.layers] == ["model", "license", "projector", "template"]
    assert kit.kitfile["model"]["path"] == "model.gguf"
    assert kit.kitfile["model"]["parameters"]["quantization"] == "Q4_0"


def test_ollama_model_whose_licenses_have_one_name_each() -> None:
    layers: list[tuple[str, dict[str, str]]] = [
        (OLLAMA + kind, {}) for kind in ("model", "license", "license", "template", "params", "messages")
    ]
    config = {"model_format": "gguf", "model_family": "llama", "model_type": "8.0B", "file_type": "Q4_0"}
    kit = parsed(DOCKER_CONFIG, config, layers, mediaType=DOCKER_MANIFEST)
    assert kit.kind == "ollama-model"
    assert [one.path for one in kit.layers] == [
        "model.gguf", "LICENSE", "LICENSE-2", "template.txt", "params.json", "messages.json",
    ]  # fmt: skip
    assert kit.kitfile["model"]["format"] == "gguf"
    assert kit.kitfile["model"]["parameters"]["file_type"] == "Q4_0"


def test_a_container_image_stays_one() -> None:
    kit = parsed(DOCKER_CONFIG, {}, [("application/vnd.docker.image.rootfs.diff.tar.gzip", {})])
    assert kit.kind == "image"


def test_modelpack_by_its_old_name_with_the_recorded_mode() -> None:
    recorded = json.dumps({"name": "run.sh", "mode": 0o755, "size": 1})
    layers = [
        (CNAI + "weight.v1.raw", {"org.cnai.model.filepath": "w/model.safetensors"}),
        (CNAI + "code.v1.raw", {"org.cncf.model.file.metadata+json": recorded}),
    ]
    kit = parsed(CNAI + "config.v1+json", {"descriptor": {"name": "old"}}, layers)
    assert (kit.kind, kit.name) == ("modelpack", "old")
    assert [(one.path, one.mode) for one in kit.layers] == [("w/model.safetensors", 0o644), ("run.sh", 0o755)]


@pytest.mark.parametrize("text", ["[", "[]", '{"mode": "x"}', '{"mode": -1}', '{"mode": true}', "[" * 100_000])
def test_recorded_metadata_of_any_shape_is_taken_or_left(text: str) -> None:
    kit = parsed(
        PACK + "config.v1+json",
        {},
        [(PACK + "weight.v1.gguf", {"org.cncf.model.file.metadata+json": text})],
    )
    assert [(one.path, one.mode) for one in kit.layers] == [("model.gguf", 0o644)]

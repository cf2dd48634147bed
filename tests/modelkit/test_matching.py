"""Layers find their Kitfile entries in every format there is, and what does not fit is marked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kittui.modelkit import ModelKit
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_CONFIG, KIT_INDEX, OCI_CONFIG

KIT = "application/vnd.kitops.modelkit."


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def layer(media_type: str, content: str, **annotations: str) -> dict[str, Any]:
    described: dict[str, Any] = {"mediaType": KIT + media_type, "digest": digest(content), "size": len(content)}
    return {**described, "annotations": annotations} if annotations else described


def kit(kitfile: Any, *layers: dict[str, Any], **fields: Any) -> ModelKit:
    config = kitfile if isinstance(kitfile, bytes) else json.dumps(kitfile).encode()
    described = {"mediaType": KIT_CONFIG, "digest": Digest.of(config), "size": len(config)}
    raw = json.dumps({"schemaVersion": 2, "config": described, "layers": list(layers), **fields}).encode()
    return ModelKit.parse(Manifest.parse(raw), config)


def matched(found: ModelKit) -> list[tuple[str, str | None, str, str]]:
    return [(one.type, one.path, one.format, one.compression) for one in found.layers]


def test_by_position_per_type_whatever_the_order() -> None:
    found = kit(
        {
            "model": {"path": "m", "digest": digest("m"), "parts": [{"path": "p", "digest": digest("p")}]},
            "code": [{"path": "a", "digest": digest("same")}, {"path": "./a", "digest": digest("same")}],
        },
        layer("code.v1.tar", "same"),
        layer("modelpart.v1.tar+gzip", "p"),
        layer("model.v1.tar+zstd", "m"),
        layer("code.v1.tar", "same"),
    )
    assert matched(found) == [
        ("code", "a", "tar", "none"),
        ("modelpart", "p", "tar", "gzip"),
        ("model", "m", "tar", "zstd"),
        ("code", "./a", "tar", "none"),
    ]
    assert found.problems == ()
    assert [one.diff_id for one in found.layers] == [digest("same"), None, None, digest("same")]


def test_datasets_that_are_elsewhere_have_no_layer() -> None:
    found = kit(
        {"datasets": [{"path": "s3", "remotePath": "s3://x"}, {"path": "here", "digest": digest("d")}]},
        layer("dataset.v1.tar", "d"),
    )
    assert matched(found) == [("datasets", "here", "tar", "none")]
    assert found.problems == ()


def test_prompts_are_no_code() -> None:
    subtype = {"ml.kitops.modelkit.layer-subtype": "prompt"}
    found = kit(
        {"code": [{"path": "src", "digest": digest("c")}], "prompts": [{"path": "p.md", "digest": digest("p")}]},
        layer("code.v1.tar", "c"),
        layer("code.v1.tar", "p", **subtype),
    )
    assert [(one.type, one.path, one.problem) for one in found.layers] == [
        ("code", "src", None),
        ("prompts", "p.md", None),
    ]


def test_servers_and_bare_files() -> None:
    found = kit(
        {"mcpServers": [{"name": "s", "path": "s.mcpb", "digest": digest("s")}], "docs": []},
        layer("mcpb.v1.raw", "s"),
        layer("docs.v1.raw+gzip", "d", **{"org.cncf.model.filepath": "README.md"}),
    )
    assert matched(found) == [("mcpServers", "s.mcpb", "raw", "none"), ("docs", "README.md", "raw", "gzip")]
    assert found.layers[1].problem


def test_without_digests_every_entry_has_a_layer() -> None:
    found = kit({"code": [{"path": "a"}, {"path": "b"}]}, layer("code.v1.tar", "x"), layer("code.v1.tar", "y"))
    assert [(one.path, one.legacy, one.problem) for one in found.layers] == [("a", True, None), ("b", True, None)]


def test_a_model_that_is_a_reference_has_no_layer() -> None:
    found = kit(
        {"model": {"path": "r.dev/base:v1", "parts": [{"path": "p", "digest": digest("p")}]}},
        layer("modelpart.v1.tar", "p"),
    )
    assert str(found.model_reference) == "r.dev/base:v1"
    assert matched(found) == [("modelpart", "p", "tar", "none")]
    assert found.problems == ()


def test_what_does_not_fit_is_marked() -> None:
    found = kit(
        {"code": [{"path": "a", "digest": digest("other")}], "docs": [{"path": "gone", "digest": digest("gone")}]},
        layer("code.v1.tar", "x"),
        layer("code.v1.tar", "y"),
        layer("widget.v1.tar", "z"),
    )
    assert ["another digest" in (one.problem or "") for one in found.layers] == [True, False, False]
    assert all(one.problem for one in found.layers)
    assert found.problems == ("no layer for the Kitfile's docs gone",)


@pytest.mark.parametrize("config", [b"", b"[]", b"{", b'{"code": 1, "model": [], "docs": [1]}'])
def test_a_broken_config_still_lists_the_layers(config: bytes) -> None:
    found = kit(config, layer("code.v1.tar", "x"))
    assert found.kind == "modelkit"
    assert found.problems
    assert [one.type for one in found.layers] == ["code"]


@pytest.mark.parametrize(
    ("document", "kind", "label"),
    [
        ({"manifests": []}, "index", "index"),
        ({"manifests": [], "artifactType": KIT_INDEX}, "modelkit-index", "ModelKit index"),
        ({"config": {"mediaType": OCI_CONFIG}}, "image", "container image"),
        ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "chart", "Helm chart"),
        ({"layers": [], "artifactType": "application/vnd.acme"}, "artifact", "artifact (application/vnd.acme)"),
        ({"layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}]}, "signature", "signature"),
        ({"layers": [{"mediaType": "application/vnd.dsse.envelope.v1+json"}]}, "attestation", "attestation"),
        ({"layers": [{"mediaType": "text/spdx"}]}, "sbom", "SBOM"),
        ({"layers": [], "artifactType": "application/vnd.cncf.notary.signature"}, "signature", "signature"),
    ],
)
def test_what_is_no_modelkit_is_labelled(document: dict[str, Any], kind: str, label: str) -> None:
    for described in (document.get("config"), *document.get("layers", [])):
        if described:
            described.update(digest=digest("x"), size=1)
    found = ModelKit.parse(Manifest.parse(json.dumps(document).encode()), b"")
    assert (found.kind, found.label) == (kind, label)

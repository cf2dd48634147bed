"""Filters mean what they mean to kit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kittui.errors import UsageError
from kittui.modelkit import Layer, parse_filters, select
from kittui.modelkit.roles import LayerType
from kittui.oci.digest import Digest


def layer(layer_type: LayerType, path: str, name: str = "") -> Layer:
    entry = {"path": path, **({"name": name} if name else {})}
    digest = Digest.of(path.encode())
    return Layer(0, layer_type, path or None, name or None, "x", digest, None, 1, "none", "tar", entry)


LAYERS = (
    layer("model", "./model/x", "net"),
    layer("modelpart", "part", "lora"),
    layer("code", "src"),
    layer("datasets", "data/train", "training"),
    layer("datasets", "data/valid", "validation"),
    layer("datasets", "data/unnamed"),
    layer("docs", "README.md"),
    layer("prompts", "p.md"),
    layer("mcpServers", "s.mcpb", "search"),
)


def chosen(filters: Sequence[str]) -> list[str]:
    return [found.path or "" for found in select(LAYERS, parse_filters(filters)).layers]


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        (["model"], ["./model/x", "part"]),
        (["model:lora"], ["part"]),
        (["model:./model/x"], ["./model/x"]),
        (["model:model/x"], []),
        (["datasets:validation"], ["data/valid"]),
        (["datasets:data/valid,training"], ["data/train", "data/valid"]),
        (["datasets:"], ["data/unnamed"]),
        (["code,docs"], ["src", "README.md"]),
        (["code:src", "docs:nothing"], ["src"]),
        (["code,datasets:src"], ["src"]),
        (["kitfile"], []),
        (["prompts"], ["p.md"]),
        (["mcpServers:search"], ["s.mcpb"]),
    ],
)
def test_selects(filters: list[str], paths: list[str]) -> None:
    assert chosen(filters) == paths


def test_the_kitfile_is_left_out_unless_asked_for() -> None:
    assert select(LAYERS, ()).kitfile
    assert not select(LAYERS, parse_filters(["model"])).kitfile
    assert select(LAYERS, parse_filters(["model", "kitfile:whatever"])).kitfile
    assert len(select(LAYERS, ()).layers) == len(LAYERS)


@pytest.mark.parametrize("text", ["dataset", "modelpart", "", "model, code", " model", "model:a:b", "Model", "code,"])
def test_refuses(text: str) -> None:
    with pytest.raises(UsageError):
        parse_filters([text])

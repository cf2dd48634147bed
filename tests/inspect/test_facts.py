"""What is known of a model beside its tensors, whatever shape its config.json has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kittui.errors import KittuiError
from kittui.formats.weights import Weights
from kittui.usecases.inspect import facts
from kittui.usecases.inspect.facts import gathered
from tests.fakes.layers import layer_of

EMPTY = Weights("safetensors", (), {})
DEEP = "[" * 150 + "]" * 150
SHAPES = [
    "{}",
    '{"architectures": []}',
    '{"architectures": [1, null]}',
    '{"architectures": {"a": 1}}',
    '{"architectures": "Bert"}',
    '{"type": "x", "count": "many", "first": [1]}',
    '{"x": {"type": "f32", "count": "many", "first": [1]}}',
    '{"x": {"type": null, "count": 5, "first": [{"a": 1}]}}',
    '{"num_hidden_layers": [1, 2], "hidden_size": {"a": 1}, "vocab_size": true, "n_ctx": null}',
    '{"x": ' + DEEP + "}",
    '{"": "", "\\u001b[31m": "\\u202e", "x": "\\ud800"}',
    '{"x": ' + "9" * 5000 + "}",
    '{"x": NaN, "y": -Infinity, "z": 1e999}',
    '{"x": 1, "x": 2}',
]


@pytest.mark.parametrize("text", SHAPES, ids=range(len(SHAPES)))
def test_a_config_of_any_shape_is_shown(text: str) -> None:
    found = gathered(facts._loaded(text.encode()), EMPTY, None, layer_of(b""))
    said = json.dumps([section.pairs for section in found.sections], ensure_ascii=False)
    assert "\x1b" not in said
    assert len(said) < 100_000


@pytest.mark.parametrize("raw", [b"", b"[]", b"5", b"null", b"{", b"\x00\x01", b"[" * 5000, b"\xff\xfe{\x00"])
def test_what_is_no_config_is_one_error(raw: bytes) -> None:
    with pytest.raises(KittuiError):
        facts._loaded(raw)


def test_numbers_are_those_of_the_file() -> None:
    config: dict[str, Any] = facts._loaded(b'{"hidden_size": 9007199254740993, "eps": 1.0e-05, "theta": 1000000.00}')
    (section,) = gathered(config, EMPTY, None, layer_of(b"")).sections
    assert section.pairs == (("hidden_size", "9007199254740993"), ("eps", "1.0e-05"), ("theta", "1000000.00"))

"""Indexes of variants: labels as they are written, choosing by them, and changes that keep every other byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.errors import KittuiError, Malformed, NotFound, Refused, UsageError
from kittui.modelkit.variants import choose, empty_index, parse_labels, variants_of, with_variant, without_variant
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_INDEX, OCI_MANIFEST

A, B, C = (Digest.of(word) for word in (b"a", b"b", b"c"))
INDEX = f"""{{
  "schemaVersion": 2, "mediaType": "{OCI_INDEX}",
  "futureField": {{"pi": 3.1400, "big": 12345678901234567890123, "text": "\\u00e9\\/"}},
  "manifests": [
    {{"mediaType": "{OCI_MANIFEST}", "digest": "{A}", "size": 10, "unknown": [1.0, 2e3],
     "annotations": {{"x": "y"}},
     "modelMetadata": {{"quantization": "q4_0", "vram": 6.50, "gpuArchs": ["sm_80",  "sm_90"], "q": "a\\"b"}}}},
    {{"mediaType": "{OCI_MANIFEST}", "digest": "{B}", "size": 11,
     "modelMetadata": {{"quantization": "q8_0", "vram": 6.50}}}},
    {{"mediaType": "{OCI_MANIFEST}", "digest": "{C}", "size": 12, "modelMetadata": "none"}}
  ],
  "zz": null
}}
""".encode()


def test_labels_are_those_of_the_file() -> None:
    first, second, third = variants_of(Manifest.parse(INDEX))
    assert first.labels == {"quantization": "q4_0", "vram": "6.50", "gpuArchs": '["sm_80","sm_90"]', "q": 'a"b'}
    assert (second.labels, third.labels) == ({"quantization": "q8_0", "vram": "6.50"}, {})
    assert first.descriptor.annotations == {"x": "y"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"quantization": "q4_0"}, A),
        ({"vram": "6.50", "quantization": "q8_0"}, B),
        ({"gpuArchs": '[ "sm_80", "sm_90" ]'}, A),
        ({"q": 'a"b'}, A),
        ({"vram": "6.50"}, Refused),
        ({}, Refused),
        ({"quantization": "q4"}, NotFound),
        ({"quantization": '"q4_0"'}, NotFound),
        ({"nothing": "x"}, NotFound),
    ],
)
def test_exactly_one_is_chosen(wanted: dict[str, str], found: Digest | type[KittuiError]) -> None:
    if isinstance(found, str):
        assert choose(Manifest.parse(INDEX), wanted, "REF").descriptor.digest == found
        return
    with pytest.raises(found) as raised:
        choose(Manifest.parse(INDEX), wanted, "REF")
    assert "quantization=q8_0" in (raised.value.hint or "")


def test_labels_are_typed_in_both_forms() -> None:
    assert parse_labels(["a=b=c", 'archs:=["x"]', "empty="]) == {"a": "b=c", "archs": '["x"]', "empty": ""}
    with pytest.raises(UsageError):
        parse_labels(["=x"])


def test_a_modelkit_has_no_variants() -> None:
    with pytest.raises(UsageError):
        choose(Manifest.parse(b'{"schemaVersion":2,"layers":[]}'), {"a": "b"}, "REF")


def test_a_label_is_merged_and_nothing_else_changes() -> None:
    raw = with_variant(INDEX, Descriptor(OCI_MANIFEST, B, 11), {"vram": '"8GB"', "new": "[1]"}, {"k": "v"}, ["nope"])
    assert json.loads(raw)["manifests"][1]["annotations"] == {"k": "v"}
    cut = raw.index(b'"digest": "' + B.encode())
    assert INDEX.startswith(raw[:cut])
    assert INDEX.endswith(raw[raw.index(b'"digest": "' + C.encode()) :])
    assert variants_of(Manifest.parse(raw))[1].labels == {"quantization": "q8_0", "vram": "8GB", "new": "[1]"}


def test_labels_are_taken_away() -> None:
    raw = with_variant(INDEX, Descriptor(OCI_MANIFEST, A, 10), {}, {}, ["quantization", "q"])
    assert variants_of(Manifest.parse(raw))[0].raw == {"vram": "6.50", "gpuArchs": '["sm_80","sm_90"]'}
    assert b'"unknown": [1.0, 2e3]' in raw


def test_variants_come_and_go() -> None:
    raw = empty_index({"a": "b"})
    assert variants_of(Manifest.parse(raw)) == ()
    for digest in (A, B, C):
        raw = with_variant(raw, Descriptor(OCI_MANIFEST, digest, 1), {"n": f'"{digest.short}"'}, {})
    assert [one.descriptor.digest for one in variants_of(Manifest.parse(raw))] == [A, B, C]
    for left, digest in (([A, C], B), ([C], A), ([], C)):
        raw = without_variant(raw, digest)
        assert [one.descriptor.digest for one in variants_of(Manifest.parse(raw))] == left
    assert raw == empty_index({"a": "b"})
    with pytest.raises(NotFound):
        without_variant(raw, A)


def test_taking_one_out_keeps_the_others_bytes() -> None:
    for digest in (A, B, C):
        raw = without_variant(INDEX, digest)
        before = [entry for entry in json.loads(INDEX)["manifests"] if entry["digest"] != digest]
        assert json.loads(raw)["manifests"] == before
        assert b'"futureField": {"pi": 3.1400, "big": 12345678901234567890123, "text": "\\u00e9\\/"}' in raw


def test_labels_that_are_not_a_map_are_not_written_over() -> None:
    with pytest.raises(Malformed):
        with_variant(INDEX, Descriptor(OCI_MANIFEST, C, 12), {"a": "1"}, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), max_size=3), st.sampled_from([None, 1, "\t"]))
def test_any_index_comes_back_from_adding_and_removing(
    extra: list[dict[str, object]], indent: int | str | None
) -> None:
    entries = [
        {**more, "mediaType": OCI_MANIFEST, "digest": Digest.of(bytes([n])), "size": n, "annotations": {}}
        for n, more in enumerate(extra)
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    raw = json.dumps(document, indent=indent).encode()
    added = with_variant(raw, Descriptor(OCI_MANIFEST, A, 1), {"l": "1"}, {})
    assert len(variants_of(Manifest.parse(added))) == len(entries) + 1
    assert json.loads(without_variant(added, A)) == document
    if entries:
        assert without_variant(added, A) == raw

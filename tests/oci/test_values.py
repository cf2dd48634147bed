"""References and manifests: kit's forms, and nothing hostile gets through."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.errors import BadReference, KittuiError, Malformed, TooLarge
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.reference import LOCAL, Place, Reference, parse_reference, parse_source

D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "target"),
    [
        ("fraud:v1", "localhost", "fraud", "v1"),
        ("fraud", "localhost", "fraud", None),
        ("localhost/foo:1", "localhost", "localhost/foo", "1"),
        ("foo.bar:1", "localhost", "foo.bar", "1"),
        ("r.dev/a/b:t", "r.dev", "a/b", "t"),
        ("localhost:5000/a", "localhost:5000", "a", None),
        (f"a:t@{D}", "localhost", "a", D),
        (D, "localhost", "_", D),
        ("localhost/_", "localhost", "_", None),
        ("remote://r.dev/a:t", "r.dev", "a", "t"),
        ("remote://localhost/a:t", "localhost", "a", "t"),
        ("local://r.dev/a:t", "r.dev", "a", "t"),
    ],
)
def test_references(text: str, registry: str, repository: str, target: str | None) -> None:
    found = parse_reference(text)
    assert (found.registry, found.repository, found.target) == (registry, repository, target)


REFUSED = (
    *(
        "",
        "A:1",
        "a:",
        "a@sha256:../../x",
        "a@md5:" + "a" * 32,
        "r.dev/../x",
        "a b",
        "a\x1b[m",
        "ftp://x/y",
        "remote://r",
    ),
    *("a:" + "t" * 129, "a@" + D.upper(), "x" * 5000, "a:t,u", "remote://r.dev/", "oci:", "r.dev/", "/a", "a//b"),
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(BadReference):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local://", LOCAL),
        ("remote://r.dev", Place("remote", "r.dev")),
        ("r.dev", Place("remote", "r.dev")),
        ("localhost:5000", Place("remote", "localhost:5000")),
        ("[::1]:5000", Place("remote", "[::1]:5000")),
        ("oci:dir", Place("oci", directory="dir")),
        ("ocidir://dir", Place("oci", directory="dir")),
    ],
)
def test_sources(text: str, place: Place) -> None:
    assert parse_source(text) == place
    assert parse_source(str(place)) == place


@pytest.mark.parametrize("prefix", ["oci:", "oci://", "ocidir://"])
@pytest.mark.parametrize(
    "rest",
    ["ghcr.io/acme/fraud:v1", "127.0.0.1:5000/acme/fraud", "localhost/fraud", "localhost:5000/fraud@" + D, "[::1]:5/x"],
)
def test_a_new_layout_that_looks_like_a_registry_is_refused_with_both_forms(prefix: str, rest: str) -> None:
    for parse in (parse_reference, parse_source):
        with pytest.raises(BadReference) as caught:
            parse(prefix + rest)
        assert caught.value.exit_status == 2
        assert f"Write {rest} for" in str(caught.value.hint)
        assert f"oci:./{rest} for" in str(caught.value.hint)


def test_a_registry_alone_is_not_taken_for_a_folder() -> None:
    for text in ("oci://ghcr.io", "oci://localhost:5000"):
        with pytest.raises(BadReference):
            parse_source(text)


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        ("oci:./ghcr.io/acme:v1", "ghcr.io/acme"),
        ("oci:///srv/ghcr.io/acme:v1", "/srv/ghcr.io/acme"),
        ("oci:model.oci:v1", "model.oci"),
        ("oci:../r.dev/x:v1", "../r.dev/x"),
        ("oci:kits/v1.0:v1", "kits/v1.0"),
    ],
)
def test_a_folder_is_still_a_folder(text: str, directory: str) -> None:
    found = parse_reference(text)
    assert (found.directory, found.tag) == (directory, "v1")
    assert parse_reference(str(found)) == found
    assert parse_source(str(found.place)) == found.place


def test_a_layout_that_is_there_is_read_whatever_its_folder_is_called() -> None:
    found = parse_reference("oci:ghcr.io/acme:v1", lambda folder: folder == "ghcr.io/acme")
    assert (found.directory, found.tag) == ("ghcr.io/acme", "v1")


@given(st.text(st.sampled_from("ab:/@.-_0[]%sha256locremti "), max_size=40) | st.text(max_size=30))
def test_any_text_is_a_reference_that_comes_back_or_is_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except BadReference:
        return
    assert parse_reference(str(found)) == found
    assert ".." not in found.repository.split("/")


@given(st.text(max_size=30))
def test_any_text_is_a_source_or_is_refused(text: str) -> None:
    with contextlib.suppress(BadReference):
        assert isinstance(parse_source(text), Place | Reference)


LAYER = {"mediaType": "x", "digest": D, "size": 1}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"config": LAYER, "layers": [], "manifests": []},
        {"layers": [{**LAYER, "size": -1}]},
        {"layers": [{**LAYER, "size": 1.5}]},
        {"layers": [{**LAYER, "size": True}]},
        {"layers": [{**LAYER, "digest": "sha256:../../x"}]},
        {"layers": [{**LAYER, "digest": None}]},
        {"layers": "x"},
        {"layers": [], "annotations": {"a": 1}},
        {"layers": [], "mediaType": "application/vnd.oci.image.index.v1+json"},
    ],
)
def test_what_is_no_manifest(document: Any) -> None:
    with pytest.raises(Malformed):
        Manifest.parse(json.dumps(document).encode())


def test_bounds() -> None:
    with pytest.raises(TooLarge):
        Manifest.parse(b" " * (8 * 1024 * 1024 + 1))
    with pytest.raises(TooLarge):
        Manifest.parse(json.dumps({"layers": [LAYER] * 10_001}).encode())
    with pytest.raises(Malformed):
        Manifest.parse(b'{"layers":' + b"[" * 200_000)


def test_null_layers_are_none() -> None:
    assert Manifest.parse(b'{"config": null, "layers": null}').layers == ()


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(D),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "digest", "size", "config", "layers", "manifests", "annotations", "subject"]),
            inner,
        )
    ),
)


@given(DOCUMENTS)
def test_any_document_is_read_or_refused(document: Any) -> None:
    from kittui.modelkit import ModelKit

    raw = json.dumps(document).encode()
    with contextlib.suppress(KittuiError):
        manifest = Manifest.parse(raw)
        assert manifest.digest == Digest.of(raw)
        assert ModelKit.parse(manifest, raw).digest == manifest.digest

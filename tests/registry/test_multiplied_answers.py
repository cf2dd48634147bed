"""What registries answer, multiplied: fields of headers by their length, lists by names, manifests by depth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kittui.errors import KittuiError
from kittui.modelkit import load_kitfile
from kittui.modelkit.kitfile import load_config
from kittui.oci.manifest import Manifest, load_object
from kittui.registry.headers import (
    next_link,
    parse_challenges,
    parse_content_range,
    parse_length,
    parse_retry_after,
    parse_upload_range,
    parse_warnings,
    stated_digest,
)
from kittui.registry.problems import Complaint
from kittui.trust.documents import load_document
from tests.fakes.bounds import MOST, SIZES, bounded, cut

HEADERS: dict[str, tuple[Callable[[Sequence[str]], object], Callable[[int, int], bytes]]] = {
    "Link": (next_link, lambda a, b: cut(b"<" + b"a" * a + b">; rel=x" + b"; a" * min(a, 900) + b",", b)),
    "Link, open": (next_link, lambda a, b: cut(b"<" * a + b">;rel=\"" + b"\\\\" * min(a, 900), b)),
    "WWW-Authenticate": (parse_challenges, lambda a, b: cut(b"Bearer " + b"a=b," * min(a, 900) + b"x" * a + b",", b)),
    "WWW-Authenticate, open": (parse_challenges, lambda a, b: cut(b'a=\\"' + b" " * a + b'="', b)),
    "token68": (parse_challenges, lambda a, b: cut(b"Basic " + b"x" * a + b"!" + b" " * a, b)),
    "Warning": (parse_warnings, lambda a, b: cut(b"299 " + b" " * a + b'x "' + b"\\a" * min(a, 900), b)),
    "Docker-Content-Digest": (stated_digest, lambda a, b: cut(b"sha256:" + b"a" * a + b",", b)),
    "Content-Range": (
        lambda v: [parse_content_range(one) for one in v],
        lambda a, b: b"bytes " + cut(b" " * a + b"1-", b),
    ),
    "Range": (lambda v: [parse_upload_range(one) for one in v], lambda a, b: b"0-" + cut(b"9" * a, b)),
    "Retry-After": (
        lambda v: [parse_retry_after(one, datetime(2026, 1, 1, tzinfo=UTC)) for one in v],
        lambda a, b: cut(b"9" * a + b" ", b),
    ),
    "Content-Length": (lambda v: [parse_length(one) for one in v], lambda a, b: cut(b"9" * a, b)),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
@given(SIZES, SIZES, SIZES)
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
def test_a_field_that_multiplies_is_read_in_time(name: str, a: int, b: int, count: int) -> None:
    parse, make = HEADERS[name]
    value = make(a, b).decode("latin-1")
    values = [value] * max(1, min(count, MOST // len(value)))
    with bounded():
        parse(values)


def nested(a: int, b: int) -> bytes:
    return cut(b'{"a":' + b"[" * min(a, 100_000) + b"]" * min(a, 100_000) + b"}", b)


def wide(a: int, b: int) -> bytes:
    return json.dumps({f"{n}" + "k" * min(a, 900): [{}] * 9 for n in range(min(b, 3_000))}).encode()


def manifest(a: int, b: int) -> bytes:
    one = {
        "mediaType": "m" * min(a, 900),
        "digest": "sha256:" + "0" * 64,
        "size": 1,
        "annotations": {"k" * min(a, 900): "v"},
    }
    return json.dumps({"schemaVersion": 2, "config": one, "layers": [one] * min(b, 400)}).encode()


def complaint(a: int, b: int) -> bytes:
    return json.dumps({"errors": [{"code": "c" * a, "message": "m" * a, "detail": [[]]}] * min(b, 2)}).encode()


def aliases(a: int, b: int) -> bytes:
    """Lists that hold the list before them many times: little text, and a value for each way through them."""
    lines = [b"l0: &l0 [" + b"x," * min(a, 9_000) + b"]"]
    lines += [b"l%d: &l%d [" % (n, n) + b",".join([b"*l%d" % (n - 1)] * 4) + b"]" for n in range(1, min(b, 24))]
    return b"\n".join(lines)


DOCUMENTS: dict[str, tuple[Callable[[bytes], Any], Callable[[int, int], bytes]]] = {
    "manifest": (Manifest.parse, manifest),
    "manifest of anything": (Manifest.parse, wide),
    "deep": (lambda raw: load_object(raw, "the list"), nested),
    "wide": (lambda raw: load_object(raw, "the list"), wide),
    "config": (load_config, wide),
    "deep config": (load_config, nested),
    "Kitfile": (load_kitfile, lambda a, b: cut(b"k" * min(a, 900) + b": [" + b"x," * min(a, 900) + b"]\n", b)[:20_000]),
    "aliases": (load_kitfile, aliases),
    "deep Kitfile": (load_kitfile, lambda a, b: cut(b"[" * min(a, 9_000), b)[:20_000]),
    "statement": (lambda raw: load_document(raw, "the statement"), wide),
    "deep statement": (lambda raw: load_document(raw, "the statement"), nested),
    "complaint": (Complaint.parse, complaint),
    "deep complaint": (Complaint.parse, nested),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
@given(SIZES, SIZES)
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_a_document_that_multiplies_is_read_or_refused_in_time(name: str, a: int, b: int) -> None:
    parse, make = DOCUMENTS[name]
    raw = make(a, b)
    with bounded():
        try:
            parse(raw)
        except KittuiError as error:
            assert error.message  # noqa: PT017 - whatever it refuses, it says so

"""Kitfiles and configs are taken to be hostile."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.errors import KittuiError, Malformed, TooLarge
from kittui.modelkit import load_kitfile, model_reference
from kittui.modelkit.kitfile import load_config


def test_reads_yaml_and_json() -> None:
    assert load_kitfile("manifestVersion: 1.0.0\ncode:\n- path: src\n")["code"] == [{"path": "src"}]
    assert load_kitfile('{"package": {"name": "x"}}') == {"package": {"name": "x"}}


def test_dates_stay_text() -> None:
    assert load_kitfile("model: {version: 2024-01-02}")["model"]["version"] == "2024-01-02"


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "[1, 2]",
        "",
        "a: !!python/object/apply:os.system ['true']",
        "1: x",
        "? [a]\n: b",
        "a: *b",
        "a: \x00",
        "a: !!binary aGk=",
        "a: " + "[" * 5000,
        "a: " + "{a: " * 5000,
    ],
)
def test_what_is_no_kitfile_is_malformed(text: str) -> None:
    with pytest.raises((Malformed, TooLarge)):
        load_kitfile(text)


def test_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises((Malformed, TooLarge)):
        load_kitfile("\n".join(lines))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a":' + b"[" * 100_000,
        b"\xff\xfe",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_config_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        load_config(raw)


def test_a_large_config_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        load_config(b" " * (4 * 1024 * 1024 + 1))


def test_bytes_that_are_no_utf8_stay_exact() -> None:
    path = load_config(b'{"code": [{"path": "a\xff"}]}')["code"][0]["path"]
    assert path.encode("utf-8", "surrogateescape") == b"a\xff"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("127.0.0.1:5055/fraud:v1.0.0", "127.0.0.1:5055/fraud:v1.0.0"),
        ("base:v1", "base:v1"),
        ("./model/x.bin", None),
        ("model", None),
        ("a:b:c", None),
        ("models/A:1", None),
        (7, None),
    ],
)
def test_a_model_path_may_be_a_reference(path: object, found: str | None) -> None:
    reference = model_reference({"model": {"path": path}})
    assert (str(reference) if reference else None) == found


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for read in (load_config, load_kitfile):
        with contextlib.suppress(KittuiError):
            assert isinstance(read(raw), dict)


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#, \n?<\t01.~"), max_size=60))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(KittuiError):
        assert isinstance(load_kitfile(text), dict)

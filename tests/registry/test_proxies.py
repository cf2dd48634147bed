"""Proxies of the environment: every form that others take leads through, any other is an error that names it."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from kittui.errors import ConfigError, Unreachable
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.registry import Access
from kittui.registry.transport.proxies import Proxies, Proxy, bypasses
from tests.fakes.certificates import make_certificates
from tests.fakes.raw_server import Passage, serve
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import Reply, ScriptedRegistry

CONTENT = os.urandom(300_000)
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://proxy:3128", Proxy("v", "http", "proxy", 3128)),
        ("proxy:3128", Proxy("v", "http", "proxy", 3128)),
        ("proxy", Proxy("v", "http", "proxy", 80)),
        ("//proxy:3128/", Proxy("v", "http", "proxy", 3128)),
        (" HTTP://Proxy:3128/ ", Proxy("v", "http", "proxy", 3128)),
        ("https://proxy", Proxy("v", "https", "proxy", 443)),
        ("socks5://proxy", Proxy("v", "socks5", "proxy", 1080)),
        ("socks5h://proxy:9", Proxy("v", "socks5", "proxy", 9)),
        ("socks://127.0.0.1:1080/", Proxy("v", "socks5", "127.0.0.1", 1080)),
        ("http://[::1]:3128", Proxy("v", "http", "::1", 3128)),
        ("http://ann:p%40ss%3A@proxy:1", Proxy("v", "http", "proxy", 1, "ann", "p@ss:")),
        ("http://ann:p@s/s?#@proxy:1", Proxy("v", "http", "proxy", 1, "ann", "p@s/s?#")),
        ("http://ann@proxy:1", Proxy("v", "http", "proxy", 1, "ann", "")),
    ],
)
def test_forms_of_a_proxy(value: str, expected: Proxy) -> None:
    assert Proxy.parse("v", value) == expected


@pytest.mark.parametrize(
    "value",
    ["socks4://proxy:1", "ftp://proxy", "proxy:notaport", "http://[::1", "http://", "http://:80", "http://a b", "x://"],
)
def test_an_unusable_proxy_names_its_variable_and_no_password(value: str) -> None:
    written = value.replace("://", "://ann:hunter2@") if value.startswith("http://a") else value
    with pytest.raises(ConfigError) as caught:
        Proxy.parse("ALL_PROXY", written)
    assert "$ALL_PROXY" in caught.value.message
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_the_variable_of_a_scheme_comes_before_the_one_for_all() -> None:
    proxies = Proxies(
        {"HTTPS_PROXY": "upper:1", "https_proxy": "http://lower:1", "NO_PROXY": "x", "ALL_PROXY": "socks5://all"}
    )
    assert proxies.way(httpx.URL("https://a.example.com")) == Proxy("https_proxy", "http", "lower", 1)
    assert proxies.way(httpx.URL("http://a.example.com")) == Proxy("ALL_PROXY", "socks5", "all", 1080)
    assert proxies.way(httpx.URL("https://x")) is None
    assert Proxies({"ALL_PROXY": ""}).way(httpx.URL("http://a.example.com")) is None


def test_an_unusable_proxy_harms_only_what_would_go_through_it() -> None:
    proxies = Proxies({"ALL_PROXY": "socks4://x", "NO_PROXY": "inside.test", "HTTP_PROXY": "http://p:1"})
    assert proxies.way(httpx.URL("http://outside.test")) == Proxy("HTTP_PROXY", "http", "p", 1)
    assert proxies.way(httpx.URL("https://inside.test")) is None
    assert proxies.way(httpx.URL("https://localhost:5000")) is None
    with pytest.raises(ConfigError):
        proxies.way(httpx.URL("https://outside.test"))


@pytest.mark.parametrize(
    ("name", "port", "exceptions", "bypassed"),
    [
        ("a.example.com", 5000, "example.com", True),
        ("a.example.com", 443, ".example.com", True),
        ("a.example.com", 443, "*.example.com", True),
        ("aexample.com", 443, "example.com", False),
        ("a.example.com", 443, "b.org, *", True),
        ("a.example.com", 443, "b.org example.com", True),
        ("A.Example.Com.", 443, "EXAMPLE.com", True),
        ("10.1.2.3", 5000, "10.0.0.0/8", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("a.example.com", 5000, "a.example.com:5000", True),
        ("a.example.com", 5001, "a.example.com:5000", False),
        ("a.example.com", 443, "a.example.com:443", True),
        ("fd00::1", 5000, "[fd00::1]:5000", True),
        ("fd00::1", 443, "fd00::/8", True),
        ("fd00::1", 443, "[fd00::1]", True),
        ("a.example.com", 443, "", False),
        ("a.example.com", 443, ",,", False),
    ],
)
def test_no_proxy(name: str, port: int, exceptions: str, bypassed: bool) -> None:
    assert bypasses(name, port, exceptions) is bypassed


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
async def test_a_registry_is_reached_through_socks(scheme: str) -> None:
    async with ScriptedRegistry() as registry, serve(passage := Passage(registry.host)) as proxy:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        environ = {"ALL_PROXY": f"{scheme}://{proxy}"}
        async with connect("registry.test:5000", access=Access(plain_http=True), environ=environ) as source:
            assert (await source.repository("fraud").manifest(Tag("v1"))).layers == (await layer_of(registry),)
            assert await source.repository("fraud").read_blob(LAYER, 1 << 20) == CONTENT
        assert set(passage.asked) == {"registry.test:5000"}  # the proxy looks names up


async def layer_of(registry: ScriptedRegistry) -> Descriptor:
    async with connect(registry.host) as source:
        return (await source.repository("fraud").manifest(Tag("v1"))).layers[0]


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_tls_and_a_login_go_through_a_proxy(scheme: str, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with ScriptedRegistry(tls=certificates.context()) as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        async with serve(Passage(registry.host, ("ann", "hunter2"))) as proxy:
            environ = {"https_proxy": f"{scheme}://ann:hunter2@{proxy}"}
            access = Access(ca_cert=certificates.authority)
            async with connect("registry.test", access=access, environ=environ) as source:
                assert (await source.ping()).startswith("https://registry.test answers")
                assert await source.repository("fraud").read_blob(LAYER, 1 << 20) == CONTENT


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_wants_a_login_is_named_with_its_variable(scheme: str) -> None:
    async with serve(Passage("127.0.0.1:1", ("ann", "hunter2"))) as proxy:
        environ = {"HTTPS_PROXY": f"{scheme}://{proxy}"}
        async with connect("registry.test", environ=environ) as source:
            with pytest.raises(Unreachable) as caught:
                await source.ping()
    assert proxy in caught.value.message
    assert "$HTTPS_PROXY" in f"{caught.value.message} {caught.value.hint}"
    assert "NAME:PASSWORD" in (caught.value.hint or "") or "auth" in caught.value.message.lower()


async def test_a_proxy_that_is_not_there_is_named_with_its_variable() -> None:
    async with ScriptedRegistry() as gone:
        proxy = gone.host
    async with connect("registry.test", environ={"all_proxy": f"socks5://{proxy}"}) as source:
        with pytest.raises(Unreachable, match=rf"{proxy} \(from \$all_proxy\)"):
            await source.ping()


async def test_a_proxy_for_plain_http_that_wants_a_login_is_said_to() -> None:
    async with ScriptedRegistry() as proxy:
        proxy.script("", "", Reply(407), times=-1)
        environ = {"http_proxy": f"http://{proxy.host}"}
        async with connect("registry.test", access=Access(plain_http=True), environ=environ) as source:
            with pytest.raises(Unreachable, match=r"proxy .* wants a login"):
                await source.ping()
        assert len(proxy.requests) == 1

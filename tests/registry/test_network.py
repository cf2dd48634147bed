"""How a registry is reached: TLS as the user wants it, client certificates, proxies, Docker Hub's other host."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from kittui import __version__
from kittui.errors import ConfigError, Denied, NetworkError, RegistryError, TlsError
from kittui.oci.content import BytesReader
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.registry import Access, Credential, FixedCredentials
from kittui.registry.access import api_host, is_loopback
from tests.fakes.certificates import Certificates, make_certificates
from tests.fakes.docker_registry import StartRegistry
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import MANIFEST, Reply, ScriptedRegistry, manifest_of

CONTENT = os.urandom(3_000_000)
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))


class Content:
    def open(self, offset: int = 0):  # type: ignore[no-untyped-def]
        return nullcontext(BytesReader(CONTENT[offset:], offset))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def test_a_certificate_is_checked_trusted_or_let_pass(certificates: Certificates) -> None:
    async with ScriptedRegistry(tls=certificates.context()) as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        async with connect(registry.host) as source:
            with pytest.raises(TlsError) as caught:
                await source.ping()
            assert "--ca-cert" in (caught.value.hint or "")
        assert registry.requests == []
        for access in (Access(ca_cert=certificates.authority), Access(tls_verify=False)):
            async with connect(registry.host, access=access) as source:
                assert await source.ping() == f"https://{registry.host} answers (registry/2.0)"
                assert source.secure is True
                assert await source.repository("fraud").read_blob(LAYER, 1 << 22) == CONTENT
                async with source.repository("fraud").open_blob(LAYER, 1000, 100_000) as reader:
                    buffer, content = memoryview(bytearray(1 << 20)), bytearray()
                    while count := await reader.readinto(buffer):
                        content += buffer[:count]
                assert content == CONTENT[1000:101_000]


@pytest.mark.real
async def test_a_real_registry_over_tls(docker_registry: StartRegistry, certificates: Certificates) -> None:
    server = docker_registry(cert=certificates.cert, key=certificates.key)
    async with connect(server.host, access=Access(ca_cert=certificates.authority)) as source:
        assert (await source.ping()).startswith("https://")
        assert [page async for page in source.repositories()] == [[]]
        repository = source.repository("fraud")
        await repository.put_blob(LAYER, Content())
        raw = manifest_of([CONTENT], config=CONTENT)
        await repository.put_manifest(raw, MANIFEST, Tag("v1"))
        manifests, blobs = await asyncio.gather(
            asyncio.gather(*(repository.manifest(Tag("v1")) for _ in range(30))),
            asyncio.gather(*(repository.read_blob(LAYER, 1 << 22) for _ in range(5))),
        )
        assert [each.raw for each in manifests] == [raw] * 30
        assert blobs == [CONTENT] * 5
    async with connect(server.host, access=Access(plain_http=True)) as source:
        with pytest.raises((NetworkError, RegistryError)):
            await source.ping()


async def test_a_client_certificate_is_shown(certificates: Certificates) -> None:
    environ = {"KITOPS_CLIENT_CERT": str(certificates.cert), "KITOPS_CLIENT_KEY": str(certificates.key)}
    ours = Access(ca_cert=certificates.authority, cert=certificates.cert, key=certificates.key)
    async with ScriptedRegistry(tls=certificates.context(want_client=True)) as registry:
        async with connect(registry.host, access=ours) as source:
            await source.ping()
        async with connect(registry.host, access=Access(ca_cert=certificates.authority), environ=environ) as source:
            await source.ping()
        async with connect(registry.host, access=Access(ca_cert=certificates.authority)) as source:
            with pytest.raises(NetworkError):
                await source.ping()


@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
async def test_unusable_certificate_files_name_themselves(
    certificates: Certificates, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "mine.pem"
    if content is not None:
        path.write_bytes(content)
    async with ScriptedRegistry(tls=certificates.context()) as registry:
        for access in (Access(ca_cert=path), Access(cert=path)):
            async with connect(registry.host, access=access) as source:
                with pytest.raises(ConfigError, match=r"mine\.pem"):
                    await source.ping()


async def test_check_08_an_http_realm_on_an_https_registry_gets_no_request(certificates: Certificates) -> None:
    credentials = FixedCredentials(Credential("ann", "pw"))
    async with (
        ScriptedRegistry() as trap,
        ScriptedRegistry(auth="bearer", tls=certificates.context(), realm=f"http://{trap.host}/token") as registry,
        connect(registry.host, access=Access(tls_verify=False), credentials=credentials) as source,
    ):
        with pytest.raises(Denied):
            await source.ping()
        assert trap.requests == []


async def test_https_is_never_redirected_to_http(certificates: Certificates) -> None:
    async with (
        ScriptedRegistry() as plain,
        ScriptedRegistry(tls=certificates.context()) as registry,
        connect(registry.host, access=Access(tls_verify=False)) as source,
    ):
        registry.script("GET", "/blobs/", Reply(307, {"Location": f"http://{plain.host}/blob"}), times=-1)
        with pytest.raises(RegistryError, match="plain http"):
            await source.repository("fraud").read_blob(LAYER, 1 << 22)
        assert plain.requests == []


async def test_an_upload_location_that_forgot_tls_is_taken_to_be_tls(certificates: Certificates) -> None:
    async with (
        ScriptedRegistry(tls=certificates.context()) as registry,
        connect(registry.host, access=Access(tls_verify=False)) as source,
    ):
        registry.uploads["here"] = []
        registry.script("POST", "", Reply(202, {"Location": f"http://{registry.host}/v2/fraud/blobs/uploads/here"}))
        await source.repository("fraud").put_blob(LAYER, Content())
        assert registry.blobs[LAYER.digest] == CONTENT


async def test_a_proxy_of_the_environment_is_used_and_loopback_is_not_proxied() -> None:
    """A fake registry is the proxy: it is asked with the whole URL of a host that doesn't exist."""
    async with ScriptedRegistry() as proxy, ScriptedRegistry() as registry:
        proxy.add_kit("fraud", "v1", layers=[CONTENT])
        environ = {"HTTP_PROXY": f"http://{proxy.host}", "NO_PROXY": "skipped.test"}
        async with connect("registry.invalid", access=Access(plain_http=True), environ=environ) as source:
            await source.ping()
            assert await source.repository("fraud").read_blob(LAYER, 1 << 22) == CONTENT
        assert proxy.requests[0].target == "http://registry.invalid/v2/"
        seen = len(proxy.requests)
        async with connect(registry.host, environ=environ) as source:
            await source.ping()
        assert len(proxy.requests) == seen


def test_docker_hub_has_an_api_host_of_its_own() -> None:
    assert api_host("docker.io") == "registry-1.docker.io"
    assert api_host("quay.io") == "quay.io"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.9:1", True),
        ("[::1]:5000", True),
        ("localhost.example.com", False),
        ("10.0.0.1:5000", False),
        ("registry.example.com", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


async def test_we_say_who_we_are() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        await source.ping()
        assert registry.requests[0].headers["user-agent"] == f"kittui/{__version__}"

"""TLS: whose certificates are trusted, what is shown, and why a handshake failed, said so that it can be helped."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from kittui.errors import ConfigError, NetworkError, TlsError, Unreachable
from kittui.oci.tag import Tag
from kittui.registry import Access
from kittui.registry.access import Access as Wanted
from kittui.registry.transport.tls import tls_context
from tests.fakes.certificates import Certificates, make_certificates
from tests.fakes.raw_server import serve
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import ScriptedRegistry


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def encrypted(certificates: Certificates, tmp_path: Path) -> Path:
    """The client's key, with a passphrase."""
    key = serialization.load_pem_private_key(certificates.key.read_bytes(), None)
    path = tmp_path / "my key.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
    )
    return path


def test_certificates_are_checked_as_every_python_and_other_programs_check_them() -> None:
    flags = tls_context(Wanted()).verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


async def test_a_server_certificate_that_is_named_itself_is_trusted(certificates: Certificates) -> None:
    """As Go and curl take it: without the authority that has signed it."""
    async with (
        ScriptedRegistry(tls=certificates.context()) as registry,
        connect(registry.host, access=Access(ca_cert=certificates.cert)) as source,
    ):
        await source.ping()


async def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(
    certificates: Certificates, encrypted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    both = encrypted.with_name("my both.pem")
    both.write_bytes(certificates.cert.read_bytes() + encrypted.read_bytes())
    async with ScriptedRegistry(tls=certificates.context()) as registry:
        for access in (Access(cert=certificates.cert, key=encrypted), Access(cert=both)):
            async with connect(registry.host, access=access) as source:
                with pytest.raises(ConfigError, match="encrypted") as caught:
                    await source.ping()
            assert "openssl pkey -in '" in (caught.value.hint or "")  # quoted: there is a space in the name
    assert capfd.readouterr() == ("", "")


async def test_a_certificate_without_its_key_says_where_to_name_it(certificates: Certificates) -> None:
    async with (
        ScriptedRegistry(tls=certificates.context()) as registry,
        connect(registry.host, access=Access(cert=certificates.cert)) as source,
    ):
        with pytest.raises(ConfigError, match="without a private key") as caught:
            await source.ping()
    assert "--key" in (caught.value.hint or "")


async def test_the_key_of_another_certificate_is_called_that(certificates: Certificates, tmp_path: Path) -> None:
    other = make_certificates(tmp_path)
    async with (
        ScriptedRegistry(tls=certificates.context()) as registry,
        connect(registry.host, access=Access(cert=certificates.cert, key=other.key)) as source,
    ):
        with pytest.raises(ConfigError, match="belongs to another certificate"):
            await source.ping()


@contextmanager
def guarded(context: ssl.SSLContext) -> Iterator[str]:
    """HOST:PORT of a server that speaks TLS as most do, with an alert for whom it lets not in; asyncio's sends none."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
                if wrapped.recv(4096):
                    wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def closed_door(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[str]:
    """A server that requires a client certificate of our authority."""
    context = certificates.context(want_client=True)
    context.minimum_version = context.maximum_version = request.param
    with guarded(context) as host:
        yield host


async def test_a_registry_that_wants_a_client_certificate_says_so(certificates: Certificates, closed_door: str) -> None:
    async with connect(closed_door, access=Access(ca_cert=certificates.authority)) as source:
        with pytest.raises(TlsError, match="requires a client certificate") as caught:
            await source.ping()
    assert "--cert" in (caught.value.hint or "")
    assert "plain" not in (caught.value.hint or "")
    ours = Access(ca_cert=certificates.authority, cert=certificates.cert, key=certificates.key)
    async with connect(closed_door, access=ours) as source:
        assert (await source.ping()).startswith("https://")


async def test_a_client_certificate_of_another_authority_is_refused(
    certificates: Certificates, closed_door: str, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path)
    access = Access(ca_cert=certificates.authority, cert=other.cert, key=other.key)
    async with connect(closed_door, access=access) as source:
        with pytest.raises(TlsError, match="refused the client certificate"):
            await source.ping()


async def hint_for(host: str, monkeypatch: pytest.MonkeyPatch) -> tuple[NetworkError, str]:
    """The error of a registry that is not called loopback, and its hint."""
    genuine = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **kwargs: genuine("127.0.0.1", *args, **kwargs))
    async with connect(f"registry.test:{host.rpartition(':')[2]}") as source:
        with pytest.raises(NetworkError) as caught:
            await source.ping()
    return caught.value, caught.value.hint or ""


async def test_plain_http_is_suggested_where_it_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedRegistry() as registry:
        error, hint = await hint_for(registry.host, monkeypatch)
        assert "speaks plain HTTP" in error.message
        assert "--plain-http" in hint


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"\x00\x01\x02 nonsense"])
async def test_plain_http_is_not_suggested_where_something_else_is_spoken(
    greeting: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        await reader.read(1)

    async with serve(greet) as host:
        _, hint = await hint_for(host, monkeypatch)
    assert "plain" not in hint


async def test_plain_http_is_not_suggested_for_a_certificate(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedRegistry(tls=certificates.context()) as registry:
        error, hint = await hint_for(registry.host, monkeypatch)
    assert isinstance(error, TlsError)
    assert "--ca-cert" in hint
    assert "--plain-http" not in hint


async def test_a_certificate_of_another_name_is_not_blamed_on_its_authority(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **kwargs: genuine("127.0.0.1", *args, **kwargs))
    async with ScriptedRegistry(tls=certificates.context()) as registry:
        host = f"other.test:{registry.host.rpartition(':')[2]}"
        async with connect(host, access=Access(ca_cert=certificates.authority)) as source:
            with pytest.raises(TlsError) as caught:
                await source.ping()
    assert "another name" in (caught.value.hint or "")


async def test_plain_http_where_tls_is_spoken_is_said(certificates: Certificates) -> None:
    async with (
        ScriptedRegistry(tls=certificates.context()) as registry,
        connect(registry.host, access=Access(plain_http=True)) as source,
    ):
        with pytest.raises(TlsError, match="speaks TLS") as caught:
            await source.ping()
    assert "Leave out --plain-http" in (caught.value.hint or "")


async def test_the_next_address_is_tried_while_one_keeps_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first leads to a listener that takes nobody: its queue is full, so that what is sent to it is dropped."""
    async with ScriptedRegistry() as registry:
        registry.add_kit("fraud", "v1", layers=[b"weights"])
        port = int(registry.host.rpartition(":")[2])
        with socket.socket() as dead:
            dead.bind(("127.0.0.2", port))
            dead.listen(0)
            fill = [socket.socket() for _ in range(3)]
            for each in fill:
                each.setblocking(False)
                each.connect_ex(("127.0.0.2", port))
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            try:
                async with connect(f"registry.test:{port}", access=Access(plain_http=True)) as source:
                    repository = source.repository("fraud")
                    layer = (await repository.manifest(Tag("v1"))).layers[0]
                    assert await repository.read_blob(layer, 100) == b"weights"
            finally:
                for each in fill:
                    each.close()


async def test_a_name_that_is_nowhere_is_not_asked_for_again() -> None:
    async with connect("registry.invalid") as source:
        with pytest.raises(Unreachable) as caught:
            await source.ping()
    assert caught.value.passing is False
    assert "registry.invalid" in caught.value.message


async def test_a_server_that_reads_tls_as_http_is_asked_in_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go's and nginx' way: they answer a handshake with 400."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first != b"\x16":
            await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with serve(answer) as host:
        error, hint = await hint_for(host, monkeypatch)
    assert "speaks plain HTTP" in error.message
    assert "--plain-http" in hint

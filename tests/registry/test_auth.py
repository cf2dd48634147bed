"""Proving who we are: tokens asked for once, renewed in time, and credentials sent to nobody who may not see them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from kittui.errors import Denied, RegistryError, Unauthorized
from kittui.oci.tag import Tag
from kittui.oci.traffic import metered
from kittui.registry import Access, Credential, CredentialStore, FixedCredentials, UntrustedRealm
from kittui.registry.auth import Authenticator, TokenRequest
from kittui.registry.credentials import ANONYMOUS
from kittui.registry.headers import Challenge
from kittui.registry.realm import Realm, check_addresses, judge_realm
from kittui.registry.scopes import repository_scope
from tests.fakes.docker_registry import StartRegistry
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import Reply, Request, ScriptedRegistry

ANN = FixedCredentials(Credential("ann", "s3cret"))
HTPASSWD = "ann:$2b$04$8JzJcTtgNZ91pYf5vDxyGehm.6IU8vg33mBmNhkPHfAT0yp1Rmbve\n"


async def test_check_05_twenty_parallel_reads_ask_for_one_token() -> None:
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        repository = source.repository("fraud")
        with metered() as traffic:
            await asyncio.gather(*(repository.manifest(Tag("v1")) for _ in range(20)))
        assert registry.count("GET", "^/token") == 1
        assert traffic.requests == len(registry.requests) == 20 + 1 + 1  # the first 401, the token


async def test_a_token_is_asked_for_with_service_and_scope() -> None:
    async with ScriptedRegistry(auth="bearer", users={"ann": "s3cret"}, anonymous=False) as registry:
        registry.add_kit("team/fraud", "v1", layers=[])
        async with connect(registry.host, credentials=ANN) as source:
            await source.repository("team/fraud").resolve(Tag("v1"))
            await source.repository("team/fraud").put_manifest(
                (await source.repository("team/fraud").manifest(Tag("v1"))).raw,
                "application/vnd.oci.image.manifest.v1+json",
            )
            await source.repository("team/fraud").resolve(Tag("v1"))
        pull, push = registry.seen("GET", "^/token")
        assert pull.query == {"service": ["fake"], "scope": ["repository:team/fraud:pull"], "account": ["ann"]}
        assert push.query["scope"] == ["repository:team/fraud:pull,push"]


@pytest.mark.parametrize("scope", ["repository:fraud:pull", "aws", "repository:fraud:pull repository:base:pull"])
@pytest.mark.parametrize("strict", [False, True])
async def test_the_scope_that_a_challenge_names_is_asked_for_too(scope: str, strict: bool) -> None:
    """A gateway maps the name, or the scope is an opaque word; a strict service refuses ours beside it."""
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.add_kit("docker-local/fraud", "v1", layers=[])

        def challenge(request: Request) -> Reply:
            value = f'Bearer realm="http://{registry.host}/token",service="fake",scope="{scope}"'
            return Reply(401, {"WWW-Authenticate": value})

        def token(request: Request) -> Reply:
            asked = request.query["scope"]
            if strict and len(asked) > len(scope.split()):
                return Reply(403)
            good = set(scope.split()) <= set(asked)
            return Reply(200, {}, b'{"token": "good"}' if good else b'{"token": "useless"}')

        def refused(request: Request) -> Reply:
            if request.headers.get("authorization") == "Bearer good":
                return registry.route(request)
            return challenge(request)

        registry.script("GET", "^/token", token, times=-1)
        registry.script("", "^/v2/", refused, times=-1)
        assert (await source.repository("docker-local/fraud").manifest(Tag("v1"))).raw
        asked = registry.seen("GET", "^/token")
        assert asked[0].query["scope"] == [*scope.split(), "repository:docker-local/fraud:pull"]
        assert len(asked) == (2 if strict else 1)


async def test_the_usual_scope_is_asked_for_once() -> None:
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        value = f'Bearer realm="http://{registry.host}/token",service="fake",scope="repository:fraud:pull"'
        registry.script("GET", "/manifests/", Reply(401, {"WWW-Authenticate": value}))
        await source.repository("fraud").manifest(Tag("v1"))
        assert [each.query["scope"] for each in registry.seen("GET", "^/token")] == [["repository:fraud:pull"]]


async def test_a_registry_token_is_sent_as_it_is() -> None:
    async with ScriptedRegistry(auth="bearer", anonymous=False) as registry:
        registry.tokens.add("mine")
        async with connect(registry.host, credentials=FixedCredentials(Credential(registry_token="mine"))) as source:
            await source.ping()
        assert registry.count("", "^/token") == 0


@pytest.mark.parametrize("auth", ["bearer", "basic"])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_says_where_the_credentials_came_from(auth: str, status: int, tmp_path: Path) -> None:
    docker = tmp_path / ".docker" / "config.json"
    docker.parent.mkdir()
    async with ScriptedRegistry(auth=auth, users={"ann": "new"}) as registry:
        entry = {"username": "ann", "password": "expired" if status == 401 else "new"}
        docker.write_text(json.dumps({"auths": {registry.host: entry}}))
        docker.chmod(0o600)
        if status == 403:
            registry.script("GET", "/tags/list", Reply(403), times=-1)
        store = CredentialStore(tmp_path / "kit", {"HOME": str(tmp_path)})
        async with connect(registry.host, credentials=store) as source:
            with pytest.raises(Denied) as caught:
                _ = [page async for page in source.repository("fraud").tags()]
        assert f"the credentials of ann from {docker}" in caught.value.message
        if status == 401:
            assert f"docker logout {registry.host}" in (caught.value.hint or "")


async def test_an_identity_token_is_posted() -> None:
    credentials = FixedCredentials(Credential(identity_token="refresh"))
    async with ScriptedRegistry(auth="bearer", anonymous=False) as registry:
        registry.refresh_token = "refresh"
        registry.add_kit("fraud", "v1", layers=[])
        async with connect(registry.host, credentials=credentials) as source:
            await source.repository("fraud").resolve(Tag("v1"))
        (request,) = registry.seen("POST", "^/token")
        assert b"grant_type=refresh_token" in request.body
        assert b"refresh" not in request.target.encode()


async def test_no_login_and_a_wrong_one_are_told_apart() -> None:
    wrong = FixedCredentials(Credential("ann", "wrong"))
    for auth in ("bearer", "basic"):
        async with ScriptedRegistry(auth=auth, users={"ann": "s3cret"}, anonymous=False) as registry:
            async with connect(registry.host) as source:
                with pytest.raises(Unauthorized) as caught:
                    await source.ping()
                assert caught.value.hint == f"Run: kittui login {registry.host}"
            async with connect(registry.host, credentials=wrong) as source:
                with pytest.raises(Denied):
                    await source.ping()
            async with connect(registry.host, credentials=ANN) as source:
                await source.ping()


@pytest.mark.real
async def test_basic_against_a_real_registry(docker_registry: StartRegistry) -> None:
    server = docker_registry(htpasswd=HTPASSWD)
    async with connect(server.host) as source:
        with pytest.raises(Unauthorized):
            await source.ping()
        with pytest.raises(Unauthorized):
            _ = [page async for page in source.repositories()]
    async with connect(server.host, credentials=FixedCredentials(Credential("ann", "wrong"))) as source:
        with pytest.raises(Denied):
            await source.ping()
    async with connect(server.host, credentials=ANN) as source:
        assert "answers" in await source.ping()
        assert [page async for page in source.repositories()] == [[]]


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"token": 5}', b'{"token": "a\\nb"}', b"{}"])
async def test_an_unusable_token_is_an_error(answer: bytes) -> None:
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.script("GET", "^/token", Reply(200, {}, answer), times=-1)
        with pytest.raises(RegistryError, match="no usable token"):
            await source.ping()


async def test_the_token_service_is_tried_again_when_it_is_in_trouble() -> None:
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.script("GET", "^/token", Reply(503), times=2)
        await source.ping()
        assert registry.count("GET", "^/token") == 3


@pytest.mark.parametrize("code", [301, 307])
async def test_a_realm_that_redirects_is_not_followed(code: int) -> None:
    async with ScriptedRegistry() as trap, ScriptedRegistry(auth="bearer", users={"ann": "s3cret"}) as registry:
        registry.script("GET", "^/token", Reply(code, {"Location": f"http://{trap.host}/token"}), times=-1)
        async with connect(registry.host, credentials=ANN) as source:
            with pytest.raises(RegistryError):
                await source.ping()
        assert trap.requests == []


async def test_credentials_do_not_go_to_another_port() -> None:
    """CVE-2026-48978: a registry names a realm on another port of its host."""
    async with (
        ScriptedRegistry(users={"ann": "s3cret"}) as trap,
        ScriptedRegistry(auth="bearer", realm=f"http://{trap.host}/token") as registry,
    ):
        async with connect(registry.host, credentials=ANN) as source:
            with pytest.raises(UntrustedRealm) as caught:
                await source.ping()
        assert caught.value.realm == trap.host
        pasted = yaml.safe_load((caught.value.hint or "").partition("config.yaml: ")[2])
        assert pasted == {"registries": [{"host": registry.host, "realms": [trap.host]}]}
        assert trap.requests == []
        registry.script("GET", "/v2/$", lambda request: _let_in(registry, trap, request.headers), times=-1)
        access = Access(realms=frozenset({trap.host}))
        async with connect(registry.host, credentials=ANN, access=access) as source:
            await source.ping()
        assert trap.count("GET", "^/token") == 1


def _let_in(registry: ScriptedRegistry, trap: ScriptedRegistry, headers: dict[str, str]) -> Reply:
    return Reply(200) if headers.get("authorization", "")[7:] in trap.tokens else registry.challenge()


async def test_check_08_an_http_realm_of_an_https_registry_is_not_asked() -> None:
    """The authenticator of a registry with TLS: no request leaves, with credentials or without."""
    sent: list[TokenRequest] = []

    async def send(request: TokenRequest) -> tuple[int, bytes]:
        sent.append(request)
        return 200, b'{"token": "t"}'

    for credentials in (ANN, ANONYMOUS):
        auth = Authenticator("registry.example", "registry.example", credentials, send)
        with pytest.raises(Denied, match="plain HTTP"):
            await auth.answer(
                [Challenge("bearer", {"realm": "http://registry.example/token"})],
                frozenset({repository_scope("fraud", "pull")}),
                None,
            )
    assert sent == []


@pytest.mark.parametrize(
    ("realm", "registry", "trusted"),
    [
        ("https://registry.example.com/token", "registry.example.com", True),
        ("https://registry.example.com:8443/token", "registry.example.com:8443", True),
        ("https://registry.example.com/token", "registry.example.com:8443", True),
        ("https://registry.example.com:9000/token", "registry.example.com", False),
        ("https://auth.example.com/token", "registry.example.com", True),
        ("https://auth.example.com:444/token", "registry.example.com", False),
        ("https://auth.docker.io/token", "registry-1.docker.io", True),
        ("https://gitlab.com/jwt/auth", "registry.gitlab.com", True),
        ("https://evil.example/token", "registry.example.com", False),
        ("https://evil.azurecr.io/token", "mine.azurecr.io", False),
        ("https://evil.co.uk/token", "mine.co.uk", False),
        ("https://evil.github.io/token", "mine.github.io", False),
        ("https://evil-example.com/token", "example.com", False),
        ("https://example.com.evil.net/token", "example.com", False),
    ],
)
def test_which_realms_may_see_credentials(realm: str, registry: str, trusted: bool) -> None:
    assert judge_realm(realm, registry, secure=True, accepted=frozenset()).trusted is trusted


@pytest.mark.parametrize(
    "realm",
    [
        "http://registry.example.com/token",
        "https://127.0.0.1/token",
        "https://localhost/token",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/token",
        "https://[::1]/token",
        "https://[::ffff:10.0.0.1]/token",
        "https://2130706433/token",
        "https://0x7f.1/token",
        "https://metadata.internal/token",
        "https://user:pw@registry.example.com/token",
        "file:///etc/passwd",
        "https://",
        "https://[::1",
        "https://registry.example.com:99999/",
        "",
        "https://a\x1b[2Jb/",
    ],
)
def test_realms_that_are_not_even_asked(realm: str) -> None:
    with pytest.raises(Denied):
        judge_realm(realm, "registry.example.com", secure=True, accepted=frozenset())


def test_an_http_registry_may_have_an_http_realm_on_its_own_host() -> None:
    assert judge_realm("http://127.0.0.1:5000/token", "127.0.0.1:5000", secure=False, accepted=frozenset()).trusted
    assert judge_realm("http://10.0.0.1:5001/t", "10.0.0.1:5000", secure=False, accepted=frozenset()).trusted is False
    with pytest.raises(Denied):
        judge_realm("http://127.0.0.1:5000/t", "registry.example.com", secure=False, accepted=frozenset())


async def test_a_foreign_name_that_leads_into_the_network_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lead(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", ("10.1.2.3", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lead)
    with pytest.raises(Denied):
        await check_addresses(Realm("https://evil.example/t", "evil.example", False, False), "registry.example.com")
    await check_addresses(Realm("https://auth.corp.example/t", "auth.corp.example", True, False), "r.corp.example")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("answer", "lasts"),
    [
        ({"token": "a", "expires_in": 300}, 295),
        ({"token": "a"}, 55),
        ({"access_token": "a", "expires_in": 1}, 55),
        ({"token": "a", "expires_in": -5, "issued_at": "1999-01-01T00:00:00Z"}, 55),
        ({"token": "a", "expires_in": "soon"}, 55),
        ({"token": "a", "expires_in": 100, "issued_at": "2999-01-01T00:00:00Z"}, 95),
    ],
)
async def test_check_07_tokens_last_from_their_receipt_whatever_the_clocks_say(
    answer: dict[str, object], lasts: float
) -> None:
    clock, sent = Clock(), []

    async def send(request: TokenRequest) -> tuple[int, bytes]:
        sent.append(request)
        return 200, json.dumps(answer).encode()

    auth = Authenticator("registry.example", "registry.example", ANONYMOUS, send, clock=clock)
    scopes = frozenset({repository_scope("fraud", "pull", "push")})
    challenge = [Challenge("bearer", {"realm": "https://registry.example/token"})]
    assert await auth.answer(challenge, scopes, None) == "Bearer a"
    clock.now += lasts - 0.1
    assert await auth.header(frozenset({repository_scope("fraud", "pull")})) == "Bearer a"
    assert len(sent) == 1
    clock.now += 0.2
    await auth.header(scopes)
    assert len(sent) == 2


async def test_waiting_for_a_token_can_be_cancelled_without_harm_to_others() -> None:
    gate = asyncio.Event()

    async def send(request: TokenRequest) -> tuple[int, bytes]:
        await gate.wait()
        return 200, b'{"token": "a"}'

    auth = Authenticator("registry.example", "registry.example", ANONYMOUS, send)
    challenge = [Challenge("bearer", {"realm": "https://registry.example/token"})]
    scopes = frozenset({repository_scope("fraud", "pull")})
    first, second = (asyncio.create_task(auth.answer(challenge, scopes, None)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == "Bearer a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_token_that_comes_after_a_logout_is_not_used_again() -> None:
    asked, may = asyncio.Event(), asyncio.Event()
    sent: list[str | None] = []

    async def send(request: TokenRequest) -> tuple[int, bytes]:
        sent.append(request.authorization)
        asked.set()
        await may.wait()
        return 200, json.dumps({"token": f"token-{len(sent)}", "expires_in": 300}).encode()

    authenticator = Authenticator("127.0.0.1:1", "127.0.0.1:1", ANN, send)
    authenticator.secure = False
    scopes = frozenset({repository_scope("fraud", "pull")})
    challenge = [Challenge("bearer", {"realm": "http://127.0.0.1:1/token", "service": "s"})]
    first = asyncio.create_task(authenticator.answer(challenge, scopes, None))
    await asked.wait()
    authenticator.forget()
    may.set()
    assert await first == "Bearer token-1"
    assert await authenticator.header(scopes) == "Bearer token-2"
    assert len(sent) == 2

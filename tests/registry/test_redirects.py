"""Where a registry sends on: what is followed, and the new address of what has moved."""

from __future__ import annotations

import pytest

from kittui.errors import AuthError, NetworkError, NotFound, RegistryError
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import Reply, ScriptedRegistry, manifest_of

CONTENT = b"weights"
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))


@pytest.mark.parametrize("status", [301, 308])
async def test_what_has_moved_is_read_and_its_new_name_told(status: int) -> None:
    told: list[str] = []
    async with ScriptedRegistry() as new, ScriptedRegistry() as old:
        digest = new.add_kit("team/fraud", "v1", layers=[CONTENT])
        where = f"http://{new.host}/v2/team/fraud/manifests/v1"
        old.script("", "/manifests/", Reply(status, {"Location": where}), times=-1)
        async with connect(old.host, on_warning=told.append) as source:
            assert (await source.repository("fraud").manifest(Tag("v1"))).digest == digest
    assert told == [f"{old.host}/fraud has moved: use the name {new.host}/team/fraud for it"]


async def test_a_repository_that_was_renamed_is_told_by_its_new_name() -> None:
    told: list[str] = []
    async with ScriptedRegistry() as registry, connect(registry.host, on_warning=told.append) as source:
        registry.add_kit("team/fraud", "v1", layers=[CONTENT])
        registry.script("GET", "^/v2/fraud/tags", Reply(301, {"Location": "/v2/team/fraud/tags/list"}), times=-1)
        assert [entry.name async for page in source.repository("fraud").tags() for entry in page] == ["v1"]
    assert told == [f"{registry.host}/fraud has moved: use the name {registry.host}/team/fraud for it"]


async def test_a_slash_more_or_less_is_not_a_move() -> None:
    told: list[str] = []
    async with ScriptedRegistry() as registry, connect(registry.host, on_warning=told.append) as source:
        registry.script("GET", "/v2/$", Reply(301, {"Location": "/v2/?"}))
        await source.ping()
    assert told == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_write_is_not_sent_elsewhere_and_the_new_name_is_told(status: int) -> None:
    async with ScriptedRegistry() as new, ScriptedRegistry() as old, connect(old.host) as source:
        where = f"http://{new.host}/v2/team/fraud/manifests/v1"
        old.script("PUT", "/manifests/", Reply(status, {"Location": where}), times=-1)
        with pytest.raises(RegistryError) as caught:
            await source.repository("fraud").put_manifest(
                manifest_of([]), "application/vnd.oci.image.manifest.v1+json", Tag("v1")
            )
        assert f"{new.host}/team/fraud" in (caught.value.hint or "")
        assert new.requests == []
        assert old.count("PUT") == 1


@pytest.mark.parametrize("status", [307, 308])
async def test_a_write_follows_to_another_path_of_the_registry(status: int) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        where = {"Location": "/v2/team/fraud/blobs/uploads/"}
        registry.script("POST", "^/v2/fraud/", Reply(status, where), times=-1)
        await source.repository("fraud").put_blob(LAYER, BytesContent(CONTENT))
        assert registry.blobs[LAYER.digest] == CONTENT


async def test_a_new_place_that_wants_a_login_is_named() -> None:
    async with ScriptedRegistry(auth="basic", users={"ann": "pw"}) as new, ScriptedRegistry() as old:
        where = f"http://{new.host}/v2/team/fraud/manifests/v1"
        old.script("", "/manifests/", Reply(301, {"Location": where}), times=-1)
        async with connect(old.host) as source:
            with pytest.raises(AuthError) as caught:
                await source.repository("fraud").manifest(Tag("v1"))
    assert f"{new.host}/team/fraud" in caught.value.message
    assert f"kittui login {new.host}" in (caught.value.hint or "")


async def test_what_a_mirror_does_not_have_is_not_called_moved() -> None:
    async with ScriptedRegistry() as mirror, ScriptedRegistry() as registry, connect(registry.host) as source:
        where = f"http://{mirror.host}/v2/fraud/manifests/v1"
        registry.script("", "/manifests/", Reply(307, {"Location": where}), times=-1)
        with pytest.raises(NotFound) as caught:
            await source.repository("fraud").manifest(Tag("v1"))
    assert "moved" not in f"{caught.value.message} {caught.value.hint}"


async def test_a_web_page_is_not_taken_for_an_answer() -> None:
    page = b"<!DOCTYPE html><html><title>Sign in</title></html>"
    async with ScriptedRegistry() as login, ScriptedRegistry() as registry, connect(registry.host) as source:
        login.script("GET", "/login", Reply(200, {"Content-Type": "text/html; charset=utf-8"}, page), times=-1)
        registry.script("GET", "/tags/", Reply(302, {"Location": f"http://{login.host}/login"}), times=-1)
        with pytest.raises(NetworkError, match="web page") as caught:
            _ = [page async for page in source.repository("fraud").tags()]
    assert login.host in caught.value.message

"""Credentials: found where kit, Docker and Podman have them, kept as kit keeps them, shown to nobody."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import select
import signal
import sys
from pathlib import Path

import pytest

from kittui.crashpoints import STATUS
from kittui.errors import CredentialError, NotFound
from kittui.registry import Credential, CredentialStore
from kittui.registry.credential_files import CredentialFile
from kittui.registry.keyring import credential_places


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def write(path: Path, document: object, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document) if not isinstance(document, str) else document)
    path.chmod(mode)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "kit"


async def test_the_places_are_asked_in_order(root: Path, environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"), "DOCKER_CONFIG": str(tmp_path / "docker")}
    places = [
        root / "credentials.json",
        tmp_path / "auth.json",
        tmp_path / "docker" / "config.json",
        tmp_path / "run" / "containers" / "auth.json",
        tmp_path / "home" / ".config" / "containers" / "auth.json",
    ]
    store = CredentialStore(root, environ)
    assert await store.find("a.example") is None
    for number, place in reversed(list(enumerate(places))):
        write(place, {"auths": {"a.example": auth("ann", f"pw{number}")}})
        assert await store.find("a.example") == Credential("ann", f"pw{number}", "", str(place))
    assert await store.find("a.example:5000") is None
    assert await store.find("example") is None


async def test_dockers_own_folder_without_docker_config(root: Path, environ: dict[str, str]) -> None:
    write(Path(environ["HOME"]) / ".docker" / "config.json", {"auths": {"https://a.example/v1/": auth("ann", "pw")}})
    found = await CredentialStore(root, environ).find("a.example")
    assert found is not None
    assert found.username == "ann"


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"])
async def test_docker_hub_has_many_names(root: Path, environ: dict[str, str], key: str) -> None:
    write(root / "credentials.json", {"auths": {key: auth("ann", "pw")}})
    for host in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert await CredentialStore(root, environ).find(host) is not None


async def test_podmans_keys_may_name_a_repository(root: Path, environ: dict[str, str]) -> None:
    keys = {"a.example/team": auth("team", "pw"), "a.example": auth("all", "pw")}
    write(Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json", {"auths": keys})
    store = CredentialStore(root, environ)
    for repository, username in (("team/fraud", "team"), ("teams/fraud", "all"), ("", "all")):
        found = await store.find("a.example", repository)
        assert found is not None
        assert found.username == username


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"identitytoken": "idt"}, Credential(identity_token="idt")),
        ({**auth("ann", ""), "identitytoken": "idt"}, Credential("ann", identity_token="idt")),
        ({"username": "ann", "password": "p:w"}, Credential("ann", "p:w")),
        (auth("ann", "p:w"), Credential("ann", "p:w")),
        ({"auth": "%%%"}, None),
        ({"auth": base64.b64encode(b"nocolon").decode()}, None),
        ({"auth": base64.b64encode(b"\xff:\xfe").decode()}, None),
        ({"auth": 5}, None),
        ("text", None),
        ({}, None),
    ],
)
async def test_entries(root: Path, environ: dict[str, str], entry: object, expected: Credential | None) -> None:
    write(root / "credentials.json", {"auths": {"a.example": entry}})
    found = await CredentialStore(root, environ).find("a.example")
    assert (found and (found.username, found.password, found.identity_token)) == (
        expected and (expected.username, expected.password, expected.identity_token)
    )


@pytest.mark.parametrize("document", ["{", "[]", '"x"', "[" * 100_000])
async def test_a_broken_file_is_passed_over_with_a_warning_and_never_overwritten(
    root: Path, environ: dict[str, str], document: str
) -> None:
    path = write(root / "credentials.json", document)
    write(Path(environ["HOME"]) / ".docker" / "config.json", {"auths": {"a.example": auth("ann", "pw")}})
    warnings: list[str] = []
    store = CredentialStore(root, environ, warnings.append)
    assert await store.find("a.example") is not None
    assert len(warnings) == 1
    with pytest.raises(CredentialError):
        await store.login("b.example", Credential("ann", "pw"))
    assert path.read_text() == document


async def test_check_36_saved_credentials_are_private_and_kits_own_form(
    root: Path, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = write(root / "credentials.json", {"auths": {"b.example": auth("bob", "pw")}, "other": {"kept": [1]}}, 0o644)
    store = CredentialStore(root, environ)
    where = await store.login("a.example:5000", Credential("ann", "hunter2"))
    await store.login("docker.io", Credential("", "token-of-ann"))
    assert where == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {
        "auths": {
            "b.example": auth("bob", "pw"),
            "a.example:5000": auth("ann", "hunter2"),
            "https://index.docker.io/v1/": {"identitytoken": "token-of-ann"},
        },
        "other": {"kept": [1]},
    }
    found = await store.find("a.example:5000")
    assert found == Credential("ann", "hunter2", "", str(path))
    assert "hunter2" not in repr(found)
    assert "hunter2" not in caplog.text
    assert "token-of-ann" not in caplog.text
    assert [each.name for each in root.iterdir()] == ["credentials.json"]


async def test_a_file_that_is_a_link_is_changed_where_it_lies(
    root: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    """Login and logout through a link: it stays one, and what was forgotten is forgotten under both names."""
    real = write(tmp_path / "dotfiles" / "credentials.json", {"auths": {"a.example": auth("ann", "pw")}}, 0o644)
    root.mkdir()
    link = root / "credentials.json"
    link.symlink_to(real)
    warnings: list[str] = []
    store = CredentialStore(root, environ, warnings.append)
    assert await store.find("a.example")
    assert warnings == [f"{link} holds passwords and others on this machine may read it: chmod 600 {link}"]
    await store.login("b.example", Credential("bob", "secret"))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    await store.logout("a.example")
    assert json.loads(real.read_text()) == {"auths": {"b.example": auth("bob", "secret")}}
    assert [path.name for path in real.parent.iterdir()] == ["credentials.json"]


async def test_a_link_to_a_file_that_is_not_there_yet_makes_it(
    root: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    root.mkdir()
    (root / "credentials.json").symlink_to(tmp_path / "elsewhere" / "credentials.json")
    await CredentialStore(root, environ).login("b.example", Credential("bob", "secret"))
    made = tmp_path / "elsewhere" / "credentials.json"
    assert json.loads(made.read_text()) == {"auths": {"b.example": auth("bob", "secret")}}
    assert made.parent.stat().st_mode & 0o777 == 0o700


async def test_a_readable_file_is_warned_of_once(root: Path, environ: dict[str, str]) -> None:
    path = write(root / "credentials.json", {"auths": {"a.example": auth("ann", "pw")}}, 0o644)
    warnings: list[str] = []
    store = CredentialStore(root, environ, warnings.append)
    await store.find("a.example")
    await store.find("b.example")
    assert warnings == [f"{path} holds passwords and others on this machine may read it: chmod 600 {path}"]


async def test_logout_forgets_and_says_when_there_was_nothing(root: Path, environ: dict[str, str]) -> None:
    store = CredentialStore(root, environ)
    await store.login("a.example", Credential("ann", "pw"))
    assert await store.logout("a.example") == str(root / "credentials.json")
    assert await store.find("a.example") is None
    docker = write(Path(environ["HOME"]) / ".docker" / "config.json", {"auths": {"a.example": auth("ann", "pw")}})
    with pytest.raises(NotFound) as caught:
        await store.logout("a.example")
    assert str(docker) in (caught.value.hint or "")


HELPER = """#!/bin/sh
echo "$1" >> "{log}/actions"
case "$1" in
get) read -r host; echo "$host" >> "{log}/hosts"; {get} ;;
store) cat > "{log}/stored" ;;
erase) read -r host; echo "$host" > "{log}/erased" ;;
esac
"""


def helper(folder: Path, get: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a helper called `fake` on PATH; returns the folder of its notes."""
    folder.mkdir()
    program = folder / "docker-credential-fake"
    program.write_text(HELPER.format(log=folder, get=get))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def ends(process: int) -> bool:
    """Wait for a process of somebody else's to end; False where it does not."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)


FOUND = """echo '{"ServerURL":"x","Username":"ann","Secret":"hunter2"}'"""


@pytest.mark.parametrize("config", [{"credsStore": "fake"}, {"credHelpers": {"a.example": "fake"}, "credsStore": "no"}])
async def test_a_helper_is_asked_on_stdin(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, object]
) -> None:
    notes = helper(tmp_path / "bin", FOUND, monkeypatch)
    write(Path(environ["HOME"]) / ".docker" / "config.json", config)
    found = await CredentialStore(root, environ).find("a.example")
    assert found == Credential("ann", "hunter2", "", "docker-credential-fake")
    assert (notes / "hosts").read_text() == "a.example\n"


@pytest.mark.parametrize(
    ("get", "warned"),
    [
        ("echo 'credentials not found in native keychain'; exit 1", False),
        ("echo boom; exit 2", True),
        ("echo nonsense", True),
        ("head -c 100000 /dev/zero", True),
        ("exec sleep 60", True),
        ("""echo '{"Username":"<token>","Secret":""}'""", False),
    ],
)
async def test_a_helper_that_fails_leaves_us_anonymous(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, get: str, warned: bool
) -> None:
    helper(tmp_path / "bin", get, monkeypatch)
    write(Path(environ["HOME"]) / ".docker" / "config.json", {"credsStore": "fake"})
    warnings: list[str] = []
    store = CredentialStore(root, environ, warnings.append, helper_seconds=0.5)
    assert await store.find("a.example") is None
    assert bool(warnings) is warned
    assert "boom" not in "".join(warnings)


async def test_login_and_logout_use_the_helper_that_kits_file_names(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = helper(tmp_path / "bin", FOUND, monkeypatch)
    path = write(root / "credentials.json", {"credsStore": "fake", "auths": {"a.example": auth("old", "pw")}})
    store = CredentialStore(root, environ)
    assert await store.login("a.example", Credential("ann", "hunter2")) == "the credential helper fake"
    assert json.loads((notes / "stored").read_text()) == {
        "ServerURL": "a.example",
        "Username": "ann",
        "Secret": "hunter2",
    }
    assert json.loads(path.read_text()) == {"credsStore": "fake", "auths": {}}
    assert await store.logout("a.example") == "the credential helper fake"
    assert (notes / "erased").read_text() == "a.example\n"


@pytest.mark.parametrize("name", ["x;touch p", "../x", "a b", "", "$(id)", "x\n"])
async def test_check_35_a_helper_name_that_is_no_plain_word_is_refused(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(root / "credentials.json", {"credsStore": name})
    store = CredentialStore(root, environ)
    if name:
        with pytest.raises(CredentialError, match="not a plain word"):
            await store.login("a.example", Credential("ann", "pw"))
    assert await store.find("a.example") is None
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("https://a.example", "a.example"),
        ("HTTPS://A.EXAMPLE/v2/", "a.example"),
        ("http://a.example/some/path", "a.example"),
        ("a.example/", "a.example"),
        ("a.example/v1/", "a.example"),
        ("a.example:443", "a.example"),
        ("https://a.example:443/v2/", "a.example"),
        ("http://a.example:80", "a.example"),
        ("a.example", "a.example:443"),
        ("https://a.example:5000/v1/", "a.example:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("https://index.docker.io/v1/access-token", "docker.io"),
        ("registry-1.docker.io/v2/", "docker.io"),
    ],
)
@pytest.mark.parametrize("section", ["auths", "credHelpers"])
async def test_every_spelling_of_a_registry_is_found(
    root: Path,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    section: str,
    key: str,
    host: str,
) -> None:
    helper(tmp_path / "bin", FOUND, monkeypatch)
    write(root / "credentials.json", {section: {key: auth("ann", "hunter2") if section == "auths" else "fake"}})
    found = await CredentialStore(root, environ).find(host)
    assert (found and found.username, found and found.password) == ("ann", "hunter2")
    for other in ("b.example", "a.example:5001", "example", "x.a.example"):
        assert await CredentialStore(root, environ).find(other) is None


async def test_the_entry_written_as_the_registry_is_named_goes_first(root: Path, environ: dict[str, str]) -> None:
    keys = {"https://a.example/v1/": auth("old", "pw"), "a.example": auth("new", "pw"), "A.EXAMPLE": auth("odd", "pw")}
    write(root / "credentials.json", {"auths": keys})
    store = CredentialStore(root, environ)
    found = await store.find("a.example")
    assert found is not None
    assert found.username == "new"
    await store.logout("a.example")
    assert await store.find("a.example") is None


async def test_every_place_of_docker_and_podman_is_looked_at(environ: dict[str, str], tmp_path: Path) -> None:
    root, home = tmp_path / "kit", Path(environ["HOME"])
    document = {"auths": {"a.example": auth("ann", "pw")}}
    environ |= {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    for place in (
        home / ".docker" / "config.json",
        Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json",
        tmp_path / "config" / "containers" / "auth.json",
        home / ".config" / "containers" / "auth.json",
        home / ".dockercfg",
    ):
        write(place, document["auths"] if place.name == ".dockercfg" else document)
        found = await CredentialStore(root, environ).find("a.example")
        assert found is not None
        assert found.origin == str(place)
        place.unlink()
    del environ["XDG_RUNTIME_DIR"]
    assert Path(f"/run/containers/{os.getuid()}/auth.json") in credential_places(root, environ)
    environ["DOCKER_AUTH_CONFIG"] = json.dumps(document)
    found = await CredentialStore(root, environ).find("a.example")
    assert found is not None
    assert (found.origin, found.removal) == ("$DOCKER_AUTH_CONFIG", "unset DOCKER_AUTH_CONFIG")
    assert credential_places(root, environ | {"REGISTRY_AUTH_FILE": "/x"})[:3] == (
        root / "credentials.json",
        Path("/x"),
        None,
    )


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(b"ann:p\xc3\xa4ss?>w").decode(),
        base64.b64encode(b"ann:p\xc3\xa4ss?>w").decode().rstrip("="),
        base64.urlsafe_b64encode(b"ann:p\xc3\xa4ss?>w").decode(),
        base64.b64encode(b"ann:p\xc3\xa4ss?>w").decode() + "\n",
        base64.b64encode(b"ann:p\xc3\xa4ss?>w").decode()[:8]
        + "\n"
        + base64.b64encode(b"ann:p\xc3\xa4ss?>w").decode()[8:],
        base64.b64encode(b"ann:p\xc3\xa4ss?>w\0\0").decode(),
    ],
)
async def test_auth_is_read_as_other_tools_write_it(root: Path, environ: dict[str, str], written: str) -> None:
    write(root / "credentials.json", {"auths": {"a.example": {"auth": written}}})
    found = await CredentialStore(root, environ).find("a.example")
    assert found is not None
    assert (found.username, found.password) == ("ann", "päss?>w")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"auth": "%%%"}, "its auth is not base64 of text"),
        ({"auth": base64.b64encode(b"\xff:\xfe").decode()}, "its auth is not base64 of text"),
        ({"auth": base64.b64encode(b"nocolon").decode()}, "its auth has no colon between user name and password"),
        (auth("ann", ""), "its auth has no password"),
        ({"username": "ann"}, "it has a user name and no password"),
        ({"auth": 5}, "its auth is not a string"),
        ("text", "it is not an object"),
        ({}, None),
        ({"email": "a@b", "auth": ""}, None),
    ],
)
async def test_an_entry_that_cannot_be_used_is_named_with_its_file_and_key(
    root: Path, environ: dict[str, str], entry: object, why: str | None
) -> None:
    path = write(root / "credentials.json", {"auths": {"https://a.example/v1/": entry}})
    write(Path(environ["HOME"]) / ".docker" / "config.json", {"auths": {"a.example": auth("bob", "pw")}})
    warnings: list[str] = []
    store = CredentialStore(root, environ, warnings.append)
    for _ in range(2):
        found = await store.find("a.example")
        assert found is not None
        assert found.username == "bob"
    assert warnings == ([f"{path}: the entry 'https://a.example/v1/' can't be used: {why}"] if why else [])


@pytest.mark.parametrize(
    ("get", "username"), [(FOUND, "ann"), ("echo 'credentials not found in store'; exit 1", "old"), ("exit 3", "old")]
)
@pytest.mark.parametrize("config", [{"credsStore": "fake"}, {"credHelpers": {"a.example": "fake"}}])
async def test_a_helper_goes_before_what_the_file_holds(
    root: Path,
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, object],
    get: str,
    username: str,
) -> None:
    helper(tmp_path / "bin", get, monkeypatch)
    write(root / "credentials.json", {**config, "auths": {"a.example": auth("old", "pw")}})
    found = await CredentialStore(root, environ).find("a.example")
    assert found is not None
    assert found.username == username


async def test_what_a_helper_started_ends_with_it_when_it_is_given_up(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = helper(tmp_path / "bin", 'sleep 600 & echo $! > "$(dirname "$0")/child"; wait', monkeypatch)
    write(root / "credentials.json", {"credsStore": "fake"})
    warnings: list[str] = []
    store = CredentialStore(root, environ, warnings.append, helper_seconds=1.0)
    assert await store.find("a.example") is None
    assert warnings == [
        f"{root}/credentials.json: the credential helper docker-credential-fake did not answer within 1 s"
    ]
    child = int((notes / "child").read_text())
    assert await asyncio.to_thread(ends, child)


async def test_what_a_helper_leaves_running_does_not_hold_up_its_answer(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = helper(tmp_path / "bin", f'sleep 600 & echo $! > "$(dirname "$0")/child"; {FOUND}', monkeypatch)
    write(root / "credentials.json", {"credsStore": "fake"})
    try:
        async with asyncio.timeout(60):
            found = await CredentialStore(root, environ).find("a.example")
        assert found is not None
        assert found.password == "hunter2"
    finally:
        os.kill(int((notes / "child").read_text()), signal.SIGKILL)


async def test_a_helper_is_waited_for_visibly_and_heard(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.registry.helpers.SILENCE", 0.0)
    get = f'echo "Open https://sso.example/device and enter ABCD" >&2; read -r gate < "$(dirname "$0")/gate"; {FOUND}'
    os.mkfifo(tmp_path / "gate")
    notes = helper(tmp_path / "bin", get.replace("/gate", "/../gate"), monkeypatch)
    write(root / "credentials.json", {"credsStore": "fake"})
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            with (notes.parent / "gate").open("w") as gate:
                gate.write("go\n")

    found = await CredentialStore(root, environ, on_message=say).find("a.example")
    assert found is not None
    assert sorted(said) == [
        "docker-credential-fake: Open https://sso.example/device and enter ABCD",
        "waiting for docker-credential-fake for the login of a.example, 120 s at most",
    ]


async def test_a_login_killed_before_its_rename_leaves_no_password(root: Path, environ: dict[str, str]) -> None:
    """The draft of a process that is gone is deleted by whichever kittui looks for credentials next."""
    killed = f"""
import asyncio, os, pathlib
from kittui.crashpoints import crash_point
from kittui.registry import Credential, CredentialStore
store = CredentialStore(pathlib.Path({str(root)!r}), {environ!r})
asyncio.run(store.login("a.example", Credential("ann", "hunter2")))
"""
    environment = {**os.environ, "KITTUI_CRASH_AT": "registry.credentials.before-rename"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", killed, env=environment)
    assert await process.wait() == STATUS
    (draft,) = [each for each in root.rglob("*") if each.is_file()]
    assert auth("ann", "hunter2")["auth"] in draft.read_text()
    assert await CredentialStore(root, environ).find("b.example") is None
    assert list(root.rglob("*")) == []


async def test_a_registry_token_is_one(root: Path, environ: dict[str, str]) -> None:
    write(root / "credentials.json", {"auths": {"a.example": {"registrytoken": "bearer-me"}}})
    found = await CredentialStore(root, environ).find("a.example")
    assert found is not None
    assert found.registry_token == "bearer-me"
    assert "bearer-me" not in repr(found)


async def test_podmans_helper_for_all_registries_is_asked_last(
    root: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path / "bin", FOUND, monkeypatch)
    text = 'unqualified-search-registries = ["a"]\ncredential-helpers = ["containers-auth.json", "fake"]\n'
    write(Path(environ["HOME"]) / ".config" / "containers" / "registries.conf", text)
    store = CredentialStore(root, environ)
    found = await store.find("a.example")
    assert found is not None
    assert found.origin == "docker-credential-fake"
    write(Path(environ["HOME"]) / ".config" / "containers" / "auth.json", {"auths": {"a.example": auth("bob", "pw")}})
    found = await store.find("a.example")
    assert found is not None
    assert found.username == "bob"


def test_a_password_that_a_killed_login_left_in_a_draft_goes_with_the_next_one(tmp_path: Path) -> None:
    drafts = [tmp_path / ".write-of0_1", tmp_path / ".write-ofnow"]
    for draft in drafts:
        draft.write_text('{"auths": {"r.test": {"auth": "c2VjcmV0"}}}')
    CredentialFile(tmp_path / "credentials.json", {"auths": {}}).write()
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]

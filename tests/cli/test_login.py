"""A password is kept only where the registry was seen to accept it, and the rest of what a login promises."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

import pytest

from tests.fakes.command_line import Ran, Run
from tests.fakes.scripted_registry import Reply, Request, ScriptedRegistry, serving

KEY = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN-----\\n..."\n}\n'


@pytest.fixture
def log_in(kittui: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Log in with a user name and what is given on stdin."""

    def run(host: str, secret: str, user: str = "ada") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(secret.encode())))
        return kittui("login", host, "-u", user, "--password-stdin")

    return run


def basic_of(request: Request) -> str:
    value = request.headers.get("authorization", "")
    return base64.b64decode(value[6:]).decode() if value.startswith("Basic ") else ""


def open_to_all(registry: ScriptedRegistry) -> None:
    """It reads no Authorization at all."""


def anonymous_tokens(registry: ScriptedRegistry) -> None:
    """Tokens for everybody, and none for a wrong password."""
    registry.auth = "bearer"


def refuses_wrong_basic(registry: ScriptedRegistry) -> None:
    """Open, and a wrong Authorization is refused all the same."""

    def check(request: Request) -> Reply:
        good = basic_of(request) in ("", "ada:secret")
        return registry.route(request) if good else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})

    registry.script("", "^/v2/", check, times=-1)


def checks_changes_only(registry: ScriptedRegistry) -> None:
    """A proxy that lets everybody read and wants a login for everything else (limit_except GET HEAD)."""

    def check(request: Request) -> Reply:
        good = request.method in ("GET", "HEAD") or basic_of(request) == "ada:secret"
        return registry.route(request) if good else Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})

    registry.script("", "^/v2/", check, times=-1)


def tokens_for_any_password(registry: ScriptedRegistry) -> None:
    """A token service that gives nobody's token to those it does not know, which changes nothing for its readers."""
    registry.auth = "bearer"
    registry.script("GET", "^/token", Reply(200, {}, b'{"token": "nobody"}'), times=-1)
    registry.tokens.add("nobody")


@pytest.mark.parametrize(
    ("habit", "secret", "status"),
    [
        (open_to_all, "secret", 1),
        (tokens_for_any_password, "secret", 1),
        (anonymous_tokens, "secret", 0),
        (anonymous_tokens, "wrong", 3),
        (refuses_wrong_basic, "secret", 0),
        (refuses_wrong_basic, "wrong", 3),
        (checks_changes_only, "secret", 0),
        (checks_changes_only, "wrong", 3),
    ],
)
def test_a_password_is_kept_only_where_it_was_accepted(
    log_in: Run, kithome: Path, habit: object, secret: str, status: int
) -> None:
    registry = ScriptedRegistry(users={"ada": "secret"})
    assert callable(habit)
    habit(registry)
    with serving(registry):
        ran = log_in(registry.host, secret)
    assert ran.status == status, ran.err
    assert (kithome / "credentials.json").exists() is (status == 0)
    if status:
        assert "kittui-" not in ran.err  # the name of nobody that was tried beside
    if habit is open_to_all:
        assert "did not check" in ran.err


@pytest.mark.parametrize("secret", [KEY, KEY.strip(), "one\r\n", "one"])
def test_a_password_from_stdin_may_have_several_lines(log_in: Run, kithome: Path, secret: str) -> None:
    kept = secret.removesuffix("\n").removesuffix("\r")
    registry = ScriptedRegistry(auth="basic", users={"_json_key": kept})
    with serving(registry):
        ran = log_in(registry.host, secret, "_json_key")
    assert ran.status == 0, ran.err
    entry = json.loads((kithome / "credentials.json").read_text())["auths"][registry.host]
    assert base64.b64decode(entry["auth"]).decode() == f"_json_key:{kept}"


def test_a_password_that_is_not_text_is_a_usage_error(
    kittui: Run, kithome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    ran = kittui("login", "127.0.0.1:1", "-u", "ada", "--password-stdin")
    assert ran.status == 2
    assert not (kithome / "credentials.json").exists()

"""The same operations before registries of every personality."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kittui.registry import uploads
from tests.fakes.certificates import make_certificates
from tests.fakes.scripted_registry import ScriptedRegistry, serving
from tests.field.operations import OPERATIONS
from tests.field.personalities import PERSONALITIES, SCALE, Personality, table
from tests.field.world import PASSWORD, USER, Scripted, World, fill

FAILING: dict[str, list[str]] = {}
"""What is known not to work yet, and why: patterns of tests. Each of them must fail, so that none stays here."""


def marks(test: str) -> list[pytest.MarkDecorator]:
    reasons = [reason for reason, tests in FAILING.items() if any(fnmatch(test, each) for each in tests)]
    return [pytest.mark.xfail(strict=True, reason="; ".join(reasons))] if reasons else []


CASES = [
    pytest.param(personality, operation, id=name, marks=marks(name))
    for personality in PERSONALITIES
    for operation in OPERATIONS
    for name in [f"{personality.slug}-{operation.__name__}"]
]


@pytest.fixture
def world(personality: Personality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in vars(uploads).items():
        if name.isupper() and isinstance(value, int) and value >= SCALE**2:
            monkeypatch.setattr(uploads, name, value // SCALE)
    certificates = make_certificates(tmp_path / "certificates")
    tls = certificates.context() if personality.tls else None
    server = ScriptedRegistry(users={USER: PASSWORD}, anonymous=False, tls=tls, **asdict(personality.scaled()))
    with serving(server), serving(ScriptedRegistry()) as other:
        registry = Scripted(server)
        fill(registry)
        (tmp_path / ".docker").mkdir()
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        credentials = tmp_path / ".docker/config.json"
        credentials.write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
        credentials.chmod(0o600)
        config = {"registries": [{"host": server.host, "ca_cert": str(certificates.authority)}]}
        (tmp_path / "xdg_config_home/kittui").mkdir(parents=True)
        (tmp_path / "xdg_config_home/kittui/config.yaml").write_text(json.dumps(config))
        yield World(personality.scaled(), registry, Scripted(other), tmp_path)


@pytest.mark.parametrize(("personality", "operation"), CASES)
def test_operations(personality: Personality, operation: Callable[[World], None], world: World) -> None:
    operation(world)


def test_the_page_has_the_table_of_the_personalities() -> None:
    page = Path(__file__).parents[2] / "docs" / "registries.md"
    assert table() in page.read_text(encoding="utf-8"), f"put this into {page}:\n{table()}"

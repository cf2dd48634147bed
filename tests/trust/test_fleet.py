"""A fleet of real registries: what is behind, promoting across with signatures, and going on after a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kittui import crashpoints
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.registry import Access, RegistrySource
from kittui.usecases.change.carry import carry_attachments
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry, StartRegistry

KEYS = Path(__file__).parent.parent / "fixtures" / "signed" / "keys"
pytestmark = pytest.mark.real


@pytest.fixture
def other(docker_registry: StartRegistry) -> DockerRegistry:
    return docker_registry()


@pytest.fixture
def fleet(kit_registry: DockerRegistry, other: DockerRegistry, tmp_path: Path) -> tuple[str, str]:
    """Two repositories in two registries, and a configuration that asks for a signature in the second."""
    names = f"{kit_registry.host}/fraud", f"{other.host}/prod/fraud"
    folder = tmp_path / "home" / "CONFIG" / "kittui"
    folder.mkdir(parents=True)
    gate = f"{{move: champion, enforce: true, repositories: ['{other.host}/*'], signed_by: ops}}"
    (folder / "config.yaml").write_text(
        f"fleet: {{fraud: {{dev: '{names[0]}', prod: '{names[1]}'}}}}\n"
        f"trust: [{{name: ops, key: {KEYS / 'p256.pub'}}}]\nsigning_key: {KEYS / 'p256.pem'}\ngates: [{gate}]\n"
    )
    return names


def test_promoting_across_takes_signatures_along(run: Run, fleet: tuple[str, str]) -> None:
    dev, prod = fleet
    assert run("promote", dev, "--yes").status == 0
    failed = run("fleet", "fraud", "--promote", "prod", "--yes", "--json")
    assert failed.status == 1
    (one,) = json.loads(failed.out)
    assert one["error"]["message"] == "gate signed by ops: it is not signed by ops"
    champion = json.loads(run("show", f"{dev}:champion", "--json").out)["digest"]
    assert json.loads(run("show", f"{prod}:challenger", "--json").out)["digest"] == champion
    assert run("show", f"{prod}:champion").status == 1
    assert run("sign", f"{dev}:champion").status == 0
    (done,) = run("fleet", "fraud", "--promote", "prod", "--yes", "--json").json
    assert (done["error"], done["changes"][-1]["after"]) == (None, champion)
    assert run("verify", f"{prod}:champion", "--json").json["word"] == "valid"
    (again,) = run("fleet", "fraud", "--promote", "prod", "--yes", "--json").json
    assert (again["changes"], again["carried"]) == ([], 0)


def test_what_is_behind_is_counted(run: Run, fleet: tuple[str, str]) -> None:
    dev, _ = fleet
    assert run("sign", f"{dev}:champion").status == 0
    assert run("fleet", "fraud", "--promote", "prod", "--yes").status == 0
    standing = run("fleet", "fraud", "--json").json["fraud"]
    assert [(one["name"], one["stale"]) for one in standing] == [("dev", False), ("prod", False)]
    first = standing[1]["stages"]["champion"]
    assert run("promote", dev, "--yes").status == 0
    standing = run("fleet", "fraud", "--json").json["fraud"]
    assert (standing[1]["stale"], standing[1]["stages"]["champion"]) == (True, first)
    assert standing[1]["behind"] == 1


def test_a_member_that_is_down_is_marked(run: Run, fleet: tuple[str, str], other: DockerRegistry) -> None:
    other.stop()
    ran = run("fleet", "fraud", "--json")
    assert ran.status == 1
    dev, prod = json.loads(ran.out)["fraud"]
    assert dev["problem"] is None
    assert prod["problem"]


def test_every_member_says_how_it_stands(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    down = "127.0.0.1:9"
    members = {"dev": "fraud", "qa": "nothing-here", "production": "nor-here"}
    fleet = {name: f"{kit_registry.host}/{text}" for name, text in members.items()}
    fleet |= {"site": f"{down}/fraud", "shop": f"{kit_registry.host}/fraud", "mirror": f"{kit_registry.host}/fraud"}
    folder = tmp_path / "home" / "CONFIG" / "kittui"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(json.dumps({"fleet": {"fraud": fleet}}))
    ran = run("fleet", "fraud", "--json")
    standing = {one["name"]: one for one in json.loads(ran.out)["fraud"]}
    assert {name: (one["stale"], one["state"]) for name, one in standing.items()} == {
        "dev": (False, "has a champion"),
        "qa": (True, "no champion; dev has one"),
        "production": (False, "no champion; qa has none"),
        "site": (None, "can't be read"),
        "shop": (None, "has a champion; site can't be read"),
        "mirror": (False, "as shop"),
    }
    lines = {line.split()[1]: line for line in run("fleet", "fraud").out.splitlines()}
    assert " ".join(lines["production"].split()[3:]) == "no stage no champion; qa has none"
    assert lines["site"].split(maxsplit=3)[3].startswith("not read ")
    assert all(len(line.split()) > 4 for line in lines.values())


@pytest.mark.parametrize("form", ["c2tag-p256", "c2oci-p256", "c3bundle-p256", "attested"])
async def test_every_form_is_carried(signed_registry: DockerRegistry, other: DockerRegistry, form: str) -> None:
    loose = Access(plain_http=True)
    async with (
        RegistrySource(signed_registry.host, access=loose) as here,
        RegistrySource(other.host, access=loose) as there,
    ):
        origin, target = here.repository(f"acme/{form}"), there.repository("copy")
        digest = Digest((await origin.resolve(Tag("v1"))).digest)
        count, notes = await carry_attachments(origin, target, digest)
        assert (count, notes) == (4 if form == "attested" else 1, ())
        assert {one.digest for one in await target.referrers(digest)} == {
            one.digest for one in await origin.referrers(digest)
        }
        if form in ("c2tag-p256", "attested"):
            tag = f"sha256-{digest.hex}.{'att' if form == 'attested' else 'sig'}"
            assert (await target.resolve(parse_target(tag))).digest == (await origin.resolve(parse_target(tag))).digest
        assert await carry_attachments(origin, target, digest) == (0, ())


@pytest.mark.parametrize("turn", [1, 4])
async def test_a_copy_killed_at_what_it_takes_along_is_finished_by_running_it_again(
    signed_registry: DockerRegistry, other: DockerRegistry, tmp_path: Path, turn: int
) -> None:
    words = "copy", f"remote://{signed_registry.host}/acme/attested:v1", f"remote://{other.host}/copy:v1"
    environment = {**os.environ, "HOME": str(tmp_path), "KITOPS_HOME": str(tmp_path / "kit")}
    environment |= {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CACHE", "CONFIG")}

    def status(point: str) -> int:
        run = {**environment, crashpoints.VARIABLE: point}
        return subprocess.run(
            [sys.executable, "-m", "kittui", *words], env=run, capture_output=True, timeout=60
        ).returncode

    assert status(f"carry.before-put:{turn}") == crashpoints.STATUS
    assert status("") == 0
    loose = Access(plain_http=True)
    async with (
        RegistrySource(signed_registry.host, access=loose) as here,
        RegistrySource(other.host, access=loose) as there,
    ):
        origin, target = here.repository("acme/attested"), there.repository("copy")
        digest = Digest((await target.resolve(Tag("v1"))).digest)
        assert digest == (await origin.resolve(Tag("v1"))).digest
        found = {one.digest for one in await target.referrers(digest)}
        assert found == {one.digest for one in await origin.referrers(digest)} != set()


def test_a_dry_run_of_a_pull_counts_what_is_attached(run: Run, signed_registry: DockerRegistry) -> None:
    ran = run("pull", f"{signed_registry.host}/acme/attested:v1", "--dry-run")
    assert ran.status == 0
    assert "attached to it: 3 attestations, 1 signature (not copied; kit's store holds ModelKits only)" in ran.out

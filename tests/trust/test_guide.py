"""The guide's chapter from training to production, command by command, against a real registry."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
PEOPLE = ("ci", "anna", "ben", "carla", "ops")
ELSEWHERE = "on another machine"


def chapter() -> str:
    """The chapter's text."""
    found = re.search(r"^## From training to production\n(.*?)^## ", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def configured(tmp_path: Path) -> None:
    """Two machines with the chapter's configuration; the second has the public keys alone."""
    text = re.search(r"```yaml\n(.*?)```", chapter(), re.DOTALL)
    assert text is not None
    for home in ("home", "elsewhere"):
        folder = tmp_path / home / "CONFIG" / "kittui"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(text[1])
        (tmp_path / home / "keys").mkdir()
    for name in PEOPLE:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "home" / "keys" / f"{name}.pem").write_bytes(private)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for home in ("home", "elsewhere"):
            (tmp_path / home / "keys" / f"{name}.pub").write_bytes(public)


@pytest.mark.real
def test_the_chapter_does_what_it_says(
    run: Run, kit_registry: DockerRegistry, tmp_path: Path, configured: None
) -> None:
    said: dict[str, str] = {}
    champions: list[str] = []
    lines = [line.strip() for line in chapter().splitlines() if line.startswith("    kittui ")]
    assert len(lines) == 13
    for line in lines:
        command, _, comment = line.partition(" #")
        command = command.replace("registry.acme.dev/acme/fraud-detector", f"{kit_registry.host}/fraud")
        command = command.replace("registry.acme.dev/acme/", f"{kit_registry.host}/")
        words = [word.replace("~", str(tmp_path / "home")) for word in shlex.split(command)[1:]]
        ran = run(*words, home="elsewhere" if ELSEWHERE in comment else "home")
        assert ran.status == (1 if "exit status 1" in comment else 0), (line, ran.out, ran.err)
        said[f"{words[0]} {len([key for key in said if key.startswith(words[0])]) + 1}"] = ran.out + ran.err
        champions.append(run("show", f"{kit_registry.host}/fraud:champion", "--json").json["digest"])
    old, new = champions[0], champions[6]
    assert old != new
    assert champions == [old] * 6 + [new] * 4 + [old] + [new] * 2
    assert "2 more of Anna, Ben, Carla must approve" in said["gate 1"]
    assert "approved by Anna; 1 more of Ben, Carla must approve" in said["promote 1"]
    assert "approved by Anna, Ben" in said["gate 2"]
    assert "release 12" in said["history 1"]
    assert "verified ops" in said["history 1"]
    assert "valid (CI)" in said["board 1"]
    assert "signed by CI" in said["verify 1"]
    assert "rollback" in said["report 1"]

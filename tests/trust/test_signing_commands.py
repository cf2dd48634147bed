"""`kittui sign`, `attest` and `verify` as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittui.trust.statements import SUMMARY
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry

FIXTURES = Path(__file__).parent.parent / "fixtures" / "signed"
KEYS = FIXTURES / "keys"
pytestmark = pytest.mark.real


def test_sign_attest_and_verify(run: Run, kit_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = f"{kit_registry.host}/fraud:champion"
    signed = run("sign", reference, "--key", str(KEYS / "p256.pem"), "--json").json
    assert signed["reference"] == f"remote://{reference}"
    monkeypatch.setenv("KITTUI_KEY_PASSWORD", "")
    predicate = str(FIXTURES / "vsa.json")
    stated = run(
        "attest", reference, "--type", "vsa", "--predicate", predicate, "--key", str(KEYS / "c-p256.key"), "--json"
    ).json
    assert (stated["type"], stated["digest"], stated["key"]) == (SUMMARY, signed["digest"], signed["key"])
    found = run("verify", reference, "--public-key", str(KEYS / "p256.pub"), "--json").json
    assert (found["status"], found["word"], found["signers"]) == ("verified", "valid", [signed["key"]])
    assert {one["digest"] for one in found["signatures"]} == {signed["attached"], stated["attached"]}
    other = run("verify", reference, "--public-key", str(KEYS / "p384.pub"), "--json")
    assert other.status == 1
    assert {one["status"] for one in json.loads(other.out)["signatures"]} == {"signed by another key"}


def test_a_key_from_the_configuration_signs_by_a_command(
    run: Run, kit_registry: DockerRegistry, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "CONFIG" / "kittui"
    folder.mkdir(parents=True)
    command = f"openssl dgst -sha256 -sign '{KEYS / 'p256.pem'}'"
    (folder / "config.yaml").write_text(f"signing_key: {KEYS / 'p256.pub'}\nsigning_command: {json.dumps(command)}\n")
    reference = f"{kit_registry.host}/fraud:champion"
    assert run("sign", reference).status == 0
    assert run("verify", reference, "--public-key", str(KEYS / "p256.pub")).status == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "no signing key was given"),
        (("--key", "nothing.pem"), 2, "the key nothing.pem can't be read: No such file or directory"),
        (("--key", str(KEYS / "p256.pub")), 2, "holds a public key, which can't sign"),
        (("--key", str(KEYS / "c-p256.key")), 2, "has a passphrase and there is no terminal to ask on"),
        (("--key", str(KEYS / "p256.pem"), "--read-only"), 1, "kittui is in read-only mode"),
    ],
)
def test_what_does_not_sign(
    run: Run, kit_registry: DockerRegistry, words: tuple[str, ...], status: int, said: str
) -> None:
    reference = f"{kit_registry.host}/fraud:champion"
    ran = run("sign", reference, *words, "--json")
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.error["message"]
    assert run("verify", reference, "--public-key", str(KEYS / "p256.pub"), "--json").status == 1


def test_a_wrong_passphrase(run: Run, kit_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITTUI_KEY_PASSWORD", "wrong")
    ran = run("sign", f"{kit_registry.host}/fraud:champion", "--key", str(KEYS / "c-p256.key"), "--json")
    assert (ran.status, ran.error["code"]) == (3, "credentials")


def test_a_predicate_that_is_no_object(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    reference = f"{kit_registry.host}/fraud:champion"
    words = ("--predicate", "list.json", "--key", str(KEYS / "p256.pem"), "--json")
    ran = run("attest", reference, "--type", "vsa", *words)
    assert (ran.status, ran.error["message"]) == (1, "list.json is not a JSON object")
    assert run("attest", reference, "--type", "no-such-type", *words).status == 2


def test_the_key_of_a_client_certificate_is_given_before_the_command(run: Run) -> None:
    key = str(KEYS / "p256.pem")
    ran = run("--key", "client.pem", "--cert", "client.pem", "sign", "registry.test/fraud:v1", "--key", key, "--json")
    assert ran.status == 2
    assert "client.pem" in ran.error["message"]


def test_trusted_keys_verify_and_reviews_are_told_from_signatures(
    run: Run, kit_registry: DockerRegistry, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "CONFIG" / "kittui"
    folder.mkdir(parents=True)
    reference, key = f"{kit_registry.host}/fraud:challenger", str(KEYS / "p256.pem")
    assert run("verify", reference, "--json").status == 1
    (folder / "config.yaml").write_text(f"trust: [{{name: Anna, key: {KEYS / 'p256.pub'}}}]\n")
    approved = run("approve", reference, "--key", key, "--reason", "good", "--json").json
    assert (approved["decision"], approved["tag"]) == ("approved", "champion")
    rejected = run("reject", reference, "--for", "rollback", "--key", key, "--json").json
    assert (rejected["decision"], rejected["tag"]) == ("rejected", "rollback")
    ran = run("verify", reference, "--json")
    assert (ran.status, json.loads(ran.out)["word"]) == (1, "unsigned")
    found = run("verify", reference, "--type", "svr", "--show", "--json").json["signatures"]
    told = {(one["about"], one["status"], one["owner"], one["digest"]) for one in found}
    assert told == {
        ("review", "verified", "Anna", approved["attached"]),
        ("rejection", "verified", "Anna", rejected["attached"]),
    }
    assert {one["predicate"]["properties"][0] for one in found} == {
        "ORG_PROMOTION_APPROVED",
        "ORG_PROMOTION_REJECTED",
    }
    assert run("sign", reference, "--key", key).status == 0
    ran = run("verify", reference, "--show")
    assert ran.status == 0
    assert f"for           {kit_registry.host}/fraud champion" in ran.out
    assert "signed by Anna with key SHA256:" in ran.out
    other = folder / "other.yaml"
    other.write_text(f"trust: [{{name: Anna, key: {KEYS / 'p256.pub'}, repositories: [elsewhere/*]}}]\n")
    ran = run("verify", reference, "--config", str(other), "--json")
    assert {one["status"] for one in json.loads(ran.out)["signatures"]} == {"unknown key"}
    other.write_text(f"trust: [{{name: Anna, key: {KEYS / 'p256.pub'}, until: 2020-01-01}}]\n")
    ran = run("verify", reference, "--config", str(other), "--json")
    found = json.loads(ran.out)["signatures"]
    assert {one["status"] for one in found} == {"no longer trusted"}
    assert "trusted until 2020-01-01" in found[0]["reason"]
    other.write_text("{}")
    ran = run("verify", reference, "--config", str(other), "--json")
    assert {one["status"] for one in json.loads(ran.out)["signatures"]} == {"no longer trusted"}

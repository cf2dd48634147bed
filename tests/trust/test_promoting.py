"""From training to production on a real registry: gate, refuse, approve, promote, override, and look from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kittui.compare.review import Review
from kittui.state.reviews import Reviews
from kittui.trust.moves import MOVE
from kittui.trust.statements import SUMMARY
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry

pytestmark = pytest.mark.real


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of people, and a configuration that asks two of them."""
    for name in ("anna", "ben", "ops"):
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (tmp_path / f"{name}.pem").chmod(0o600)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pub").write_bytes(public)
    trust = "".join(f"  - {{name: {name}, key: {tmp_path / name}.pub}}\n" for name in ("anna", "ben", "ops"))
    gates = "gates: [{move: challenger -> champion, enforce: true, approved_by: {count: 2, people: [anna, ben]}}]\n"
    text = f"trust:\n{trust}{gates}signing_key: {tmp_path / 'ops.pem'}\n"
    for home in ("home", "elsewhere"):
        folder = tmp_path / home / "CONFIG" / "kittui"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(text)
    return tmp_path


def test_a_challenger_without_its_second_approval(run: Run, kit_registry: DockerRegistry, keys: Path) -> None:
    repository = f"{kit_registry.host}/fraud"
    assert run("approve", f"{repository}:challenger", "--key", str(keys / "anna.pem")).status == 0
    ran = run("gate", repository, "--json")
    (gate,) = json.loads(ran.out)["gates"]
    assert (ran.status, gate["state"], gate["reason"]) == (1, "fail", "approved by anna; ben must approve")
    (row,) = run("board", repository, "--json").json["rows"]
    (card,) = [cell for cell in row["cells"] if cell["tag"] == "challenger"]
    assert card["gates"] == [gate]
    assert card["waits"] == f"{gate['gate']}: {gate['reason']}"
    planned = run("promote", repository, "--dry-run", "--json")
    assert planned.json["plans"][0]["verdicts"] == [gate]
    before = json.loads(run("show", f"{repository}:champion", "--json").out)["digest"]
    ran = run("promote", repository, "--yes", "--json")
    assert (ran.status, ran.out) == (1, "")
    assert "gate approved by 2 of anna, ben: approved by anna; ben must approve" in ran.err
    assert json.loads(run("show", f"{repository}:champion", "--json").out)["digest"] == before
    ran = run("tag", f"{repository}:challenger", "champion", "--yes", "--json")
    assert (ran.status, "gate approved by 2" in ran.err) == (1, True)
    assert run("approve", f"{repository}:challenger", "--key", str(keys / "ben.pem")).status == 0
    assert run("gate", repository, home="elsewhere").status == 0
    done = run("promote", repository, "--yes", "--reason", "QA signed off", "--json").json
    after = {change["tag"]: change["after"] for change in done["changes"]}["champion"]
    assert after != before
    verified = run("verify", f"{repository}:champion", "--show", "--json", home="elsewhere")
    found = {one["type"]: one for one in json.loads(verified.out)["signatures"] if one["owner"] == "ops"}
    assert found[MOVE]["predicate"]["reason"] == "QA signed off"
    summary = found[SUMMARY]["predicate"]
    assert (summary["verificationResult"], summary["resourceUri"]) == ("PASSED", f"oci://{repository}:champion")
    approvals = {one["digest"] for one in json.loads(verified.out)["signatures"] if one["about"] == "review"}
    assert {f"sha256:{one['digest']['sha256']}" for one in summary["inputAttestations"]} == approvals


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_plan_shows_the_review_of_what_it_changes(
    run: Run, kit_registry: DockerRegistry, tmp_path: Path, command: str
) -> None:
    repository = f"{kit_registry.host}/fraud"
    assert run("tag", f"{repository}:challenger", "rollback", "--yes").status == 0
    before, after = (
        json.loads(run("show", f"{repository}:{tag}", "--json").out)["digest"]
        for tag in ("champion", "challenger" if command == "promote" else "rollback")
    )
    planned = run(command, repository, "--dry-run")
    pair = f"remote://{repository}@{before} remote://{repository}@{after}"
    assert f"  not reviewed by you; to compare the two: kittui diff {pair}\n" in planned.out
    assert run(command, repository, "--dry-run", "--json").json["plans"][0]["review"] is None
    review = Review(frozenset("ab"), {"src/train.py": "seed\x1b[31m?"}, "rejected", changes=5, left=3)
    Reviews(tmp_path / "home" / "STATE" / "kittui").write(before, after, review.to_json())
    planned = run(command, repository, "--dry-run")
    assert "  you reviewed these two: rejected, 2 of 5 changes seen, 1 note\n" in planned.out
    assert "    note on src/train.py: seed" in planned.out
    assert "\x1b" not in planned.out
    assert run(command, repository, "--dry-run", "--json").json["plans"][0]["review"] == review.to_json()
    ran = run(command, repository, "--yes", "--json")
    assert "you reviewed these two: rejected" in ran.err
    assert (ran.json["review"], ran.json["changes"][-1]["after"]) == (review.to_json(), after)
    assert run(command, repository, "--yes", "--json").json["review"] is None


def test_who_says_that_they_reviewed_has_ticked_what_there_is(
    run: Run, kit_registry: DockerRegistry, keys: Path
) -> None:
    repository, key = f"{kit_registry.host}/fraud", ("--key", str(keys / "anna.pem"))
    before, after = (run("show", f"{repository}:{tag}", "--json").json["digest"] for tag in ("champion", "challenger"))
    reviews = Reviews(keys / "home" / "STATE" / "kittui")
    reviews.write(before, after, Review(frozenset("ab"), changes=5, left=3).to_json())
    ran = run("approve", f"{repository}:challenger", "--reviewed", *key, "--json")
    assert (ran.status, ran.out) == (1, "")
    assert ran.error["message"] == "3 of 5 changes against the present champion are not ticked here"
    assert run("approve", f"{repository}:challenger", "--reviewed", *key, "--dry-run").status == 1
    reviews.write(before, after, Review(frozenset("ab"), changes=2, left=0).to_json())
    ran = run("approve", f"{repository}:challenger", "--reviewed", *key, "--json")
    assert (ran.status, ran.json["reviewed_against"], ran.err) == (0, before, "")
    ran = run("approve", f"{repository}:challenger", "--reviewed", *key, "--json", home="elsewhere")
    assert (ran.status, ran.json["reviewed_against"]) == (0, before)
    assert "no change against champion is ticked on this machine" in ran.err
    assert run("approve", f"{repository}:challenger", *key, "--json").json["reviewed_against"] is None


def test_an_override_is_recorded(run: Run, kit_registry: DockerRegistry, keys: Path) -> None:
    repository = f"{kit_registry.host}/fraud"
    assert run("promote", repository, "--yes").status == 1
    assert run("promote", repository, "--yes", "--override", "fire").status == 0
    ran = run("verify", f"{repository}:champion", "--type", "tag-move", "--show", "--json", home="elsewhere")
    (one,) = ran.json["signatures"]
    assert one["predicate"]["overridden"] == ["gate approved by 2 of anna, ben: anna, ben must approve"]
    assert one["predicate"]["reason"] == "override: fire"
    assert run("verify", f"{repository}:champion", "--type", "vsa", "--json").status == 1
    assert run("rollback", repository, "--yes", home="elsewhere").status == 0
    assert run("undo", repository, "--yes", home="elsewhere").status == 0

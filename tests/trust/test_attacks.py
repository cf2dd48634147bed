"""What somebody without a trusted key writes to a real registry counts for nothing, and hides nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_INDEX
from kittui.trust.bundles import write_envelope
from kittui.trust.moves import MOVE, Move, write_move
from kittui.trust.reviews import APPROVED, REJECTED, write_review
from kittui.trust.statements import PAYLOAD_TYPE, REJECTION_TYPE, REVIEW, SIGNED, SUMMARY, TEST_RESULT
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.peers import servers
from tests.trust.attacker import Attacker, People, statement

NAMES = ("anna", "ben", "ci", "ops")
GATES = """gates:
  - move: challenger -> champion
    enforce: true
    signed_by: [ci]
    approved_by: {count: 2, people: [anna, ben]}
    attested:
      - {type: test-result, by: [ci], result: PASSED}
      - {type: vsa, by: [ops], result: PASSED}
"""
PASSED = {"result": "PASSED", "configuration": []}
NOW = datetime.now(UTC)


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path, NAMES, GATES)


@pytest.fixture
def attacker(server: DockerRegistry) -> Attacker:
    """In a repository of a registry with a champion and a challenger."""
    attacker = Attacker(server, "fraud")
    attacker.kit("1.0.0", "champion")
    attacker.kit("2.0.0", "challenger")
    return attacker


def gates(run: Run, attacker: Attacker) -> dict[str, str]:
    ran = run("gate", f"{attacker.server.host}/fraud", "--json")
    return {one["gate"]: one["state"] for one in json.loads(ran.out)["gates"]}


def verified(run: Run, attacker: Attacker, tag: str = "challenger") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run("verify", f"{attacker.server.host}/fraud:{tag}", "--json").out)
    return document


def review(name: str, tag: str = "champion", decision: Any = "approved", time: datetime = NOW) -> dict[str, Any]:
    return write_review(decision, name, tag, "x", "why", time)


def forgeries(people: People, old: Manifest, new: Manifest, name: str) -> Iterator[tuple[bytes, str]]:
    """Bundles about `new` with the predicate types that their annotations name: none of them may count."""
    signed: tuple[str, dict[str, Any]] = (SIGNED, {})
    tested = (TEST_RESULT, PASSED)
    summary = (SUMMARY, {"verificationResult": "PASSED", "resourceUri": f"oci://{name}:champion"})
    approved = (REVIEW, review(name))
    for kind, predicate in (signed, tested, summary, approved):
        payload = statement(new, kind, predicate)
        yield people.bundle(payload), kind
        for who in ("anna", "ben", "ci", "ops"):
            yield people.bundle(payload, "mallory", hint=who), kind
            # What somebody signed about another digest, also where the envelope has two payloads.
            true = people.bundle(statement(old, kind, predicate), who)
            yield true, kind
            inside = json.loads(true)["dsseEnvelope"]["payload"]
            other = base64.b64encode(payload).decode()
            for two in (f'{inside}","payload":"{other}', f'{other}","payload":"{inside}', other, other + inside):
                yield true.replace(inside.encode(), two.encode()), kind
    strange: list[dict[str, Any]] = [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": None},
        {"subject": []},
        {"subject": [{"digest": {"sha512": new.digest.hex * 2}}]},
        {"subject": [{"digest": {"sha256": new.digest.hex.upper()}}]},
        {"subject": [{"digest": {"SHA256": new.digest.hex}}]},
        {"subject": [{"digest": {"sha256": [new.digest.hex]}}]},
        {"subject": {"digest": {"sha256": new.digest.hex}}},
    ]
    for changes in strange:
        yield people.bundle(statement(new, SIGNED, {}, **changes), "ci"), SIGNED
    spelt: list[Any] = [SIGNED + " ", SIGNED.upper(), SIGNED + "\u200b", SIGNED + "/", [SIGNED], None]
    for other_kind in (*spelt, REVIEW, MOVE, SUMMARY):
        yield people.bundle(statement(new, other_kind, {}), "ci"), SIGNED
    for result in ("PASSED ", "passed", ["PASSED"], {"PASSED": 1}, True):
        yield people.bundle(statement(new, TEST_RESULT, {"result": result}), "ci"), TEST_RESULT
    for resource in (f"oci://{name}x:champion", f"oci://{name}:challenger", f"oci://{name}@{old.digest}"):
        said = {"verificationResult": "PASSED", "resourceUri": resource}
        yield people.bundle(statement(new, SUMMARY, said), "ops"), SUMMARY
    for repository, tag in (
        (f"{name}x", "champion"),
        (name, "challenger"),
        (name, "Champion"),
        (f"{name}/", "champion"),
    ):
        yield people.bundle(statement(new, REVIEW, review(repository, tag)), "ben"), REVIEW
    tomorrow = NOW + timedelta(days=1)
    yield people.bundle(statement(new, REVIEW, review(name, time=tomorrow)), "ben"), REVIEW
    both = {**review(name), "properties": [APPROVED, REJECTED]}
    yield people.bundle(statement(new, REVIEW, both), "ben"), REVIEW
    # A payload of another type says something else, and a rejection is never anything but one.
    for kind in (PAYLOAD_TYPE + " ", PAYLOAD_TYPE.upper(), "application/json", REJECTION_TYPE):
        payload = statement(new, REVIEW, review(name))
        wrapped = json.loads(people.bundle(payload, "ben", payload_type=kind))
        yield json.dumps(wrapped).encode(), REVIEW
        wrapped["dsseEnvelope"]["payloadType"] = kind
        yield json.dumps(wrapped).encode(), REVIEW
    # One person, one vote: twice, under the name of another, and with signatures in a row.
    once = people.bundle(statement(new, REVIEW, review(name)), "anna")
    yield once, REVIEW
    yield people.bundle(statement(new, REVIEW, review(name, time=NOW - timedelta(hours=1))), "anna"), REVIEW
    yield people.bundle(statement(new, REVIEW, review(name)), "anna", hint="ben"), REVIEW
    several = json.loads(once)
    several["dsseEnvelope"]["signatures"] *= 3
    yield json.dumps(several).encode(), REVIEW


def test_nothing_forged_counts(run: Run, people: People, attacker: Attacker) -> None:
    name = f"{attacker.server.host}/fraud"
    old, new = attacker.manifest("champion"), attacker.manifest("challenger")
    for content, says in forgeries(people, old, new, name):
        attacker.hang(new, content, says=says)
    assert set(gates(run, attacker).values()) == {"fail"}
    found = verified(run, attacker)
    assert (found["word"], found["signers"]) == ("INVALID", [])
    before = attacker.manifest("champion").digest
    for words in ((), ("--override", ""), ("--override", " \t")):
        assert run("promote", name, "--yes", *words).status == 1
    assert attacker.manifest("champion").digest == before
    # The same statements, true this time.
    reference = f"{name}:challenger"
    assert run("sign", reference, "--key", people.file("ci")).status == 0
    assert run("approve", reference, "--for", "champion", "--key", people.file("ben")).status == 0
    for kind, who, said in (
        (TEST_RESULT, "ci", PASSED),
        (SUMMARY, "ops", {"verificationResult": "PASSED", "resourceUri": f"oci://{name}:champion"}),
    ):
        attacker.hang(new, people.bundle(statement(new, kind, said), who), says=kind)
    states = gates(run, attacker)
    assert states.pop("gate approved by 2 of anna, ben") == "pass"
    assert verified(run, attacker)["word"] == "valid"
    assert states["gate signed by ci"] == "pass"


def rejection(people: People, manifest: Manifest, name: str, who: str, time: datetime) -> bytes:
    payload = statement(manifest, REVIEW, review(name, decision="rejected", time=time))
    wrapped = json.loads(people.bundle(payload, who, payload_type=REJECTION_TYPE))
    signature = base64.b64decode(wrapped["dsseEnvelope"]["signatures"][0]["sig"])
    return write_envelope(payload, REJECTION_TYPE, signature, people.hint(who))


def test_a_rejection_counts_whatever_its_date(run: Run, people: People, attacker: Attacker) -> None:
    name, new = f"{attacker.server.host}/fraud", attacker.manifest("challenger")
    for who in ("anna", "ben"):
        assert run("approve", f"{name}:challenger", "--for", "champion", "--key", people.file(who)).status == 0
    assert gates(run, attacker)["gate approved by 2 of anna, ben"] == "pass"
    content = rejection(people, new, name, "ben", NOW + timedelta(days=3))
    attacker.hang(new, content, says=None, layer="application/vnd.dsse.envelope.v1+json", artifact=REJECTION_TYPE)
    assert gates(run, attacker)["gate approved by 2 of anna, ben"] == "fail"


def _cosign_tag(attacker: Attacker, manifest: Manifest, suffix: str) -> None:
    attacker.put(attacker.manifest("champion").raw, f"{manifest.digest.referrers_tag}.{suffix}")


def _hidden_layer(attacker: Attacker, manifest: Manifest) -> None:
    document = json.loads(attacker.manifest("champion").raw)
    document["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
    document["layers"] = [{**attacker.blob(b"x").to_json(), "mediaType": "application/octet-stream"}]
    attacker.put(document, f"{manifest.digest.referrers_tag}.sig")


def _lost_entry(attacker: Attacker, manifest: Manifest) -> None:
    digest = attacker.hang(manifest, b"{}")
    attacker.delete(digest)


HIDING: dict[str, Callable[[Attacker, Manifest], object]] = {
    "a ModelKit under cosign's tag for signatures": lambda a, m: _cosign_tag(a, m, "sig"),
    "a ModelKit under cosign's tag for statements": lambda a, m: _cosign_tag(a, m, "att"),
    "an index under cosign's tag": lambda a, m: a.put(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, f"{m.digest.referrers_tag}.sig", OCI_INDEX
    ),
    "layers of an unknown type": _hidden_layer,
    "a broken bundle that calls itself a statement": lambda a, m: a.hang(m, b"broken", says="https://example.org/x"),
    "a bundle that is too large": lambda a, m: a.hang(m, b" " * 2_000_000, says="https://example.org/x"),
    "a bundle that is nested too deeply": lambda a, m: a.hang(m, b"[" * 100_000, says="https://example.org/x"),
}
HIDING_IN_LISTS: dict[str, Callable[[Attacker, Manifest], object]] = {
    "a ModelKit instead of the list": lambda a, m: a.put(a.manifest("champion").raw, m.digest.referrers_tag),
    "an entry whose manifest is gone": _lost_entry,
}


@pytest.mark.parametrize("how", [*HIDING, *HIDING_IN_LISTS])
def test_what_can_not_be_read_is_not_called_unsigned(run: Run, people: People, attacker: Attacker, how: str) -> None:
    if how in HIDING_IN_LISTS and attacker.api:
        pytest.skip("the registry keeps the lists itself")
    new = attacker.manifest("challenger")
    assert verified(run, attacker)["word"] == "unsigned"
    {**HIDING, **HIDING_IN_LISTS}[how](attacker, new)
    found = verified(run, attacker)
    assert (found["word"], found["status"]) == ("not verified", "not verified")


@pytest.mark.parametrize("server", servers("Distribution 2.8"), indirect=True)
def test_a_modelkit_in_the_place_of_a_list_is_not_overwritten(run: Run, people: People, attacker: Attacker) -> None:
    kit, new = attacker.manifest("champion"), attacker.manifest("challenger")
    attacker.put(kit.raw, new.digest.referrers_tag)
    ran = run("sign", f"{attacker.server.host}/fraud:challenger", "--key", people.file("ci"))
    assert (ran.status != 0, "holds something else than the list" in ran.err) == (True, True), ran.err
    assert attacker.manifest(new.digest.referrers_tag).digest == kit.digest


@pytest.mark.parametrize("server", servers("Distribution 2.8"), indirect=True)
def test_an_entry_that_is_gone_keeps_nobody_from_signing(run: Run, people: People, attacker: Attacker) -> None:
    reference = f"{attacker.server.host}/fraud:challenger"
    new = attacker.manifest("challenger")
    _lost_entry(attacker, new)
    assert run("sign", reference, "--key", people.file("ci")).status == 0
    assert len(attacker.listed(new)) == 1
    assert verified(run, attacker)["complete"] is True


@pytest.mark.parametrize("server", servers("Distribution 2.8"), indirect=True)
def test_what_is_pruned_is_taken_from_the_list(run: Run, people: People, attacker: Attacker) -> None:
    repository = f"{attacker.server.host}/fraud"
    for _ in range(2):
        assert run("promote", repository, "--yes", "--override", "test").status == 0
        assert run("rollback", repository, "--yes", "--override", "test").status == 0
    config = people.folder / "home" / "CONFIG" / "kittui" / "config.yaml"
    config.write_text(config.read_text() + f"signing_key: {people.file('ops')}\n")
    for _ in range(2):
        assert run("promote", repository, "--yes", "--override", "test").status == 0
        assert run("rollback", repository, "--yes", "--override", "test").status == 0
    new = attacker.manifest("challenger")
    many = len(attacker.listed(new))
    assert run("prune", repository, "--keep", "1", "--yes").status == 0
    assert len(attacker.listed(new)) < many
    assert verified(run, attacker)["complete"] is True


def version_16() -> bytes:
    """A certificate of a version that does not exist."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    der = builder.sign(key, SHA256()).public_bytes(Encoding.DER)
    return der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0f")


def test_no_certificate_stops_a_look(run: Run, people: People, attacker: Attacker) -> None:
    new = attacker.manifest("challenger")
    for certificate in (version_16(), b"\0", b"-----BEGIN CERTIFICATE-----"):
        content = json.loads(people.bundle(statement(new, SIGNED, {}), "mallory"))
        content["verificationMaterial"] = {"certificate": {"rawBytes": base64.b64encode(certificate).decode()}}
        attacker.hang(new, json.dumps(content).encode())
    assert verified(run, attacker)["word"] == "not verified"


def test_the_board_believes_no_record_from_the_future(run: Run, people: People, attacker: Attacker) -> None:
    new = attacker.manifest("champion")
    name = f"{attacker.server.host}/fraud"
    for actor, time in (("ops@now", NOW - timedelta(minutes=1)), ("eve@tomorrow", NOW + timedelta(days=1))):
        move = Move(actor, time, actor, "promote", name, "champion", None, new.digest)
        attacker.hang(new, people.bundle(statement(new, MOVE, write_move(move)), "ops"), says=MOVE)
    document = run("board", name, "--json").json
    (row,) = document["rows"]
    assert {cell["moved_by"] for cell in row["cells"] if cell["tag"] == "champion"} == {"ops@now"}

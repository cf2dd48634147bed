"""Certificates instead of keys: shown without a root of trust, verified with one, and never by asking a network."""

from __future__ import annotations

import base64
import copy
import importlib.util
import json
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kittui.cli.keys import read_keyring
from kittui.config.loading import parse_config
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.trust.bundles import write_referrer
from kittui.trust.gates import SignedBy
from kittui.trust.keyring import Keyring, TrustedIdentity, Vouched
from kittui.trust.statements import PAYLOAD_TYPE, REJECTION_TYPE, SIGNED
from kittui.trust.verdicts import Verdict, judge_bundle
from kittui.usecases.trust.gate_statements import signed
from kittui.usecases.trust.keyless import CertificateRoot
from kittui.usecases.trust.sign import attach
from kittui.usecases.trust.verify import check_attached
from tests.fakes.keyless import LOGIN, WHO, Sigstore
from tests.fakes.memory import MemorySource

DIGEST = Digest.of(b"kit")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
OURS = Sigstore()
CI = TrustedIdentity("CI", WHO, LOGIN)
library = pytest.mark.skipif(importlib.util.find_spec("sigstore") is None, reason="kittui[sigstore] is not installed")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def root(tmp_path: Path) -> CertificateRoot:
    path = tmp_path / "trusted_root.json"
    path.write_text(json.dumps(OURS.trusted_root()))
    return CertificateRoot(path)


def judged(bundle: dict[str, Any], root: CertificateRoot | None, *identities: TrustedIdentity) -> Verdict:
    keyring = Keyring(identities=identities or (CI,), certificates=root)
    return judge_bundle(json.dumps(bundle).encode(), keyring, DIGEST, NOW)


@library
def test_a_certificate_from_the_root_holds_for_the_identity_it_names(root: CertificateRoot) -> None:
    found = judged(OURS.bundle(DIGEST), root)
    assert (found.status, found.signer) == ("verified", CI)
    assert found.reason == f"signed by CI as {WHO}, authenticated by {LOGIN} (by certificate)"


@library
@pytest.mark.parametrize(
    ("identity", "status"),
    [
        (TrustedIdentity("CI", WHO + "x", LOGIN), "unknown key"),
        (TrustedIdentity("CI", WHO, "https://accounts.example.com"), "unknown key"),
        (TrustedIdentity("CI", WHO, LOGIN, until=datetime(2026, 7, 1, tzinfo=UTC)), "no longer trusted"),
    ],
    ids=["somebody else", "another issuer", "until July"],
)
def test_who_is_not_named_does_not_count(root: CertificateRoot, identity: TrustedIdentity, status: str) -> None:
    found = judged(OURS.bundle(DIGEST), root, identity)
    assert (found.status, found.holds) == (status, False)


def test_without_a_root_it_is_shown_and_not_believed() -> None:
    found = judged(OURS.bundle(DIGEST), None)
    assert found.status == "not verified"
    assert found.reason.startswith(
        f"signed with a certificate of {WHO}, authenticated by {LOGIN}; certificates are shown"
    )


def changed(bundle: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    copied = copy.deepcopy(bundle)
    change(copied)
    return copied


def flipped(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


def _signature(bundle: dict[str, Any]) -> None:
    made = bundle["dsseEnvelope"]["signatures"][0]
    made["sig"] = flipped(made["sig"])


def _entry(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def _body(bundle: dict[str, Any]) -> None:
    _entry(bundle)["canonicalizedBody"] = flipped(_entry(bundle)["canonicalizedBody"])


def _promise(bundle: dict[str, Any]) -> None:
    promise = _entry(bundle)["inclusionPromise"]
    promise["signedEntryTimestamp"] = flipped(promise["signedEntryTimestamp"])


def _time(bundle: dict[str, Any]) -> None:
    _entry(bundle)["integratedTime"] = str(int(NOW.timestamp()))


def _no_entry(bundle: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def _certificate(bundle: dict[str, Any]) -> None:
    held = bundle["verificationMaterial"]["certificate"]
    held["rawBytes"] = flipped(held["rawBytes"])


def _shape(bundle: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = {"a": [1]}


@library
@pytest.mark.parametrize("change", [_signature, _body, _promise, _time, _no_entry, _certificate, _shape])
def test_one_change_and_it_does_not_hold(root: CertificateRoot, change: Callable[[dict[str, Any]], None]) -> None:
    found = judged(changed(OURS.bundle(DIGEST), change), root)
    assert not found.holds
    assert found.status == ("invalid" if change is _signature else found.status)
    assert found.status in ("invalid", "not verified")


@library
def test_what_another_authority_vouches_for_does_not_hold(root: CertificateRoot) -> None:
    found = judged(Sigstore().bundle(DIGEST), root)
    assert found.status == "not verified"
    assert "it can't be verified: " in found.reason
    # The right authority, and logs that are not those of the root.
    found = judged(Sigstore(authority=OURS.authority).bundle(DIGEST), root)
    assert found.status == "not verified"


def test_a_broken_signature_is_invalid_without_any_root() -> None:
    assert judged(changed(OURS.bundle(DIGEST), _signature), None).status == "invalid"
    assert judged(OURS.bundle(Digest.of(b"other")), None).status == "invalid"


@library
def test_a_bundle_that_can_be_read_in_two_ways_is_invalid(root: CertificateRoot) -> None:
    held, other = OURS.bundle(DIGEST), OURS.bundle(Digest.of(b"other"))
    keyring = Keyring(identities=(CI,), certificates=root)
    assert not judge_bundle(json.dumps(held).replace("}", "", 1).encode(), keyring, DIGEST, NOW).holds
    first, second = json.dumps(other["dsseEnvelope"]), json.dumps(held["dsseEnvelope"])
    rest = json.dumps({key: value for key, value in other.items() if key != "dsseEnvelope"})[1:]
    raw = f'{{"dsseEnvelope": {first}, "dsseEnvelope": {second}, {rest}'.encode()
    assert not judge_bundle(raw, keyring, DIGEST, NOW).holds


@dataclass
class Vouching:
    """A root of trust that says of every bundle what it is told to."""

    found: Vouched

    def check(self, bundle: bytes, identities: Sequence[TrustedIdentity]) -> Vouched:
        return self.found


@pytest.mark.parametrize(
    ("kind", "other", "status"),
    [(PAYLOAD_TYPE, b"", "verified"), (REJECTION_TYPE, b"", "invalid"), (PAYLOAD_TYPE, b" ", "invalid")],
)
def test_what_was_signed_is_of_the_type_and_the_bytes_that_are_read(kind: str, other: bytes, status: str) -> None:
    bundle = OURS.bundle(DIGEST)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    keyring = Keyring(identities=(CI,), certificates=Vouching(Vouched("", kind, payload + other, CI)))
    assert judge_bundle(json.dumps(bundle).encode(), keyring, DIGEST, NOW).status == status


@pytest.mark.parametrize("missing", ["sigstore.models", "sigstore.verify"])
def test_a_sigstore_without_what_is_needed_verifies_nothing(
    root: CertificateRoot, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    found = judged(OURS.bundle(DIGEST), root)
    assert found.status == "not verified"
    assert "it can't be verified: the installed sigstore can't be used: " in found.reason


@library
def test_a_file_that_is_not_a_root_verifies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    for content in ("", "{}", "[1]", json.dumps({**OURS.trusted_root(), "tlogs": []})):
        path.write_text(content)
        found = judged(OURS.bundle(DIGEST), CertificateRoot(path))
        assert found.status == "not verified"
        assert "root.json is not a trusted root: " in found.reason


CONFIG = """
trust:
  - {{name: CI, identity: "{who}", issuer: "{login}", repositories: [registry.test/*]}}
trusted_root: {path}
"""


@library
async def test_the_configuration_names_identities_and_the_root(tmp_path: Path, root: CertificateRoot) -> None:
    path = tmp_path / "trusted_root.json"
    config, problems = parse_config(CONFIG.format(who=WHO, login=LOGIN, path=path).encode(), "c")
    assert problems == []
    warned: list[str] = []
    keyring = read_keyring(config, tmp_path, warned.append)
    repository = MemorySource().repository("fraud")
    digest = repository.add_kit("fraud", "v1").digest
    kit = await repository.manifest(Tag("v1"))
    content = json.dumps(OURS.bundle(digest)).encode()
    await attach(repository, write_referrer(kit.descriptor, content, SIGNED, "2026-06-01T12:00:00Z"), content)
    found = await check_attached(repository, digest, keyring.for_repository("registry.test/fraud"), NOW)
    assert (found.word, found.signers, warned) == ("valid", ("CI",), [])
    assert signed(SignedBy(("CI",)), found).state == "pass"
    elsewhere = await check_attached(repository, digest, keyring.for_repository("other.test/fraud"), NOW)
    assert elsewhere.word == "unknown key"


def test_what_is_missing_for_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = CONFIG.format(who=WHO, login=LOGIN, path=tmp_path / "none.json")
    warned: list[str] = []
    keyring = read_keyring(parse_config(text.encode(), "c")[0], tmp_path, warned.append)
    assert (keyring.certificates, warned) == (None, [f"trusted_root: there is no file {tmp_path / 'none.json'}"])
    (tmp_path / "none.json").write_text("{}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    keyring = read_keyring(parse_config(text.encode(), "c")[0], tmp_path, warned.append)
    assert keyring.certificates is None
    assert warned[1] == "trusted_root: install kittui[sigstore] to verify certificates"


@pytest.mark.parametrize(
    "entry",
    [
        "{name: a}",
        "{name: a, key: k, identity: i, issuer: j}",
        "{name: a, identity: i}",
        "{name: a, key: k, issuer: j}",
    ],
)
def test_an_entry_is_a_key_or_an_identity(entry: str) -> None:
    _, problems = parse_config(f"trust: [{entry}]".encode(), "c")
    assert "a key is needed, or identity and issuer of a certificate" in str(problems[0])

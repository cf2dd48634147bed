"""Which keys count: the configuration's, where and until when, and those that were in it once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kittui.config.loading import parse_config
from kittui.config.values import Trusted
from kittui.state.trusted import TrustedKeys
from kittui.trust.keyring import Keyring, covers
from kittui.usecases.trust.keys import NamedKey, keyring_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PEM = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_configuration_names_them() -> None:
    raw = f"""
trust:
  - name: Anna (QA)
    key: ~/anna.pub
    repositories: [registry.acme.dev/acme/*]
    until: 2027-01-31
  - name: CI
    key: |
      {PEM.decode().strip().replace(chr(10), chr(10) + "      ")}
record: local
"""
    config, problems = parse_config(raw.encode(), "config.yaml")
    assert problems == []
    until = datetime(2027, 1, 31, tzinfo=UTC)
    assert config.trust[0] == Trusted("Anna (QA)", "~/anna.pub", ("registry.acme.dev/acme/*",), until)
    assert config.trust[1].key.strip() == PEM.decode().strip()
    assert config.record == "local"


def test_mistakes_are_named() -> None:
    raw = b"trust:\n  - {name: a, key: x, until: soon}\n  - {name: b, keys: y}\nrecord: elsewhere\n"
    config, problems = parse_config(raw, "c")
    assert config.trust == ()
    told = "\n".join(str(problem) for problem in problems)
    assert "c:2: trust.1.until: a date such as 2027-01-31, or a time with its zone, is allowed" in told
    assert "trust.2.keys: there is no such key; allowed are name, key, identity, issuer, repositories, until" in told
    assert "record: allowed are 'registry', 'local' or 'off'" in told


def test_patterns() -> None:
    assert covers((), "host/fraud")
    assert covers(("host/*",), "host/acme/fraud")
    assert not covers(("host/acme/*",), "host/other/fraud")
    assert not covers(("host/fraud",), "evil/host/fraud")


def test_a_key_that_can_not_be_read_is_named_and_the_others_count() -> None:
    keyring, problems = keyring_of([NamedKey("anna", b"nonsense", "a.pub"), NamedKey("ben", PEM, "b.pub")])
    assert keyring.owners() == ("ben",)
    assert problems == ("trust: anna: a.pub is not a PEM public key",)


def test_a_key_that_was_taken_out_was_trusted_until_then(tmp_path: Path) -> None:
    once, week = TrustedKeys(tmp_path), timedelta(days=7)
    keyring, _ = keyring_of([NamedKey("anna", PEM, "a.pub", ("host/*",))], once, NOW)
    assert keyring.keys[0].counts(NOW)
    keyring, _ = keyring_of([NamedKey("anna", PEM, "a.pub", ("host/*",))], once, NOW + week)
    keyring, _ = keyring_of([], once, NOW + 2 * week)
    (gone,) = keyring.keys
    assert (gone.owner, gone.repositories, gone.until) == ("anna", ("host/*",), NOW + week)
    assert not gone.counts(NOW + 2 * week)
    keyring, _ = keyring_of([NamedKey("anna", PEM, "a.pub")], once, NOW + 3 * week)
    assert [key.until for key in keyring.keys] == [None]


def test_a_damaged_memory_of_keys_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "trusted.json").write_text('{"x": [1], "y": {"owner": 1}}')
    assert keyring_of([], TrustedKeys(tmp_path), NOW) == (Keyring(), ())
    keyring, _ = keyring_of([NamedKey("anna", PEM, "a.pub")], TrustedKeys(tmp_path), NOW)
    assert keyring.owners() == ("anna",)

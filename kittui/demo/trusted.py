"""Who vouches for the demo's ModelKits: keys made when it starts, signatures, approvals, records, and gates."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kittui.config import Config
from kittui.config.loading import parse_config
from kittui.demo.stage import Stage
from kittui.layout import LayoutSource
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.state.history import Event, History
from kittui.trust.documents import parse_time
from kittui.trust.moves import MOVE, Move, write_move
from kittui.trust.reviews import write_review
from kittui.trust.statements import REVIEW, SIGNED, TEST_RESULT
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.sign import attest
from kittui.usecases.trust.signer import KeySigner

PEOPLE: Final = ("ci", "ada", "dana")
REPOSITORY: Final = "acme/fraud-detector"
SIGNED_VERSIONS: Final = ("v0.9.0", "v1.0.0", "v1.1.0")
_APPROVED: Final = (
    ("v1.0.0", "ada", "2026-09-27T15:00:00Z", "recall is up, no drift in two weeks"),
    ("v1.0.0", "dana", "2026-09-28T08:00:00Z", "latency is fine"),
    ("v1.1.0", "ada", "2026-11-17T16:25:00Z", "one label corrected, the metrics hold"),
)
"""Who approved of which version for champion, when, and why. Dana, whom the demo is played as, has one to go."""
WELCOME: Final = """\
You are Dana; nothing you do here stays. Try {promote} on the challenger: it lacks your approval, which {vouch} gives.
{board} every stage, {diff} compare, {help} help, {messages} this again"""
"""Who the user is in the demo, and what there is to try first, with the keys of commands by their ids."""
KEPT: Final = WELCOME.replace("nothing you do here stays", "what you do here is kept")
"""The same where the demo is kept."""
_GATES: Final[Mapping[str, Any]] = {
    "name": "production",
    "move": "challenger -> champion",
    "enforce": True,
    "license_in": ["Apache-2.0", "CC0-1.0"],
    "metric": [{"path": "model.parameters.metrics.auc", "at_least": 0.85}],
    "signed_by": ["ci"],
    "attested": [{"type": "test-result", "by": ["ci"], "result": "PASSED"}],
    "approved_by": {"count": 2, "people": ["ada", "dana"]},
}


@dataclass(frozen=True, slots=True)
class People:
    """The keys of the demo's people, in a folder of the demo."""

    folder: Path
    signers: Mapping[str, KeySigner]

    def private(self, name: str) -> Path:
        """The file of a private key."""
        return self.folder / f"{name}.pem"

    def public(self, name: str) -> Path:
        """The file of a public key."""
        return self.folder / f"{name}.pub"

    def document(self) -> bytes:
        """A config.yaml in which they count and the gates hold, played as Dana."""
        document = {
            "trust": [{"name": name, "key": str(self.public(name))} for name in PEOPLE],
            "gates": [_GATES],
            "signing_key": str(self.private("dana")),
            "record": "registry",
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    def configured(self, config: Config) -> Config:
        """A configuration with what that says."""
        own, _ = parse_config(self.document(), "the demo")
        return replace(
            config,
            trust=own.trust,
            gates=own.gates,
            gates_mistaken=own.gates_mistaken,
            signing_key=own.signing_key,
            record=own.record,
        )


async def vouch(stage: Stage) -> People:
    """Make the keys, and have their owners sign, approve and record in the demo's copy."""
    people = _make_keys(stage.folder / "keys")
    repository = LayoutSource(stage.models).repository(REPOSITORY)
    for version in SIGNED_VERSIONS:
        await attest(repository, Tag(version), people.signers["ci"], SIGNED, {})
        result = {
            "result": "PASSED",
            "configuration": [{"name": "tests/holdout.yaml"}],
            "passedTests": ["auc", "recall_at_1pct", "latency"],
            "timeVerified": "2026-11-17T12:00:00Z",
        }
        await attest(repository, Tag(version), people.signers["ci"], TEST_RESULT, result)
    name = plain_name(repository)
    for version, person, time, reason in _APPROVED:
        review = write_review("approved", name, "champion", person, reason, parse_time(time) or datetime.now(UTC))
        await attest(repository, Tag(version), people.signers[person], REVIEW, review)
    for event in History(stage.folder / "state" / "kittui").events(repository.reference()):
        await _record(repository, event, people)
    return people


async def _record(repository: Repository, event: Event, people: People) -> None:
    """The record of one of the demo's past moves, by whoever made it."""
    time = parse_time(event.time)
    if event.after is None or time is None:
        return
    signer = people.signers.get(event.actor.partition("@")[0], people.signers["ci"])
    before = (await repository.resolve(parse_target(event.before))).digest if event.before else None
    after = (await repository.resolve(parse_target(event.after))).digest
    move = Move(
        event.id, time, event.actor, event.action, plain_name(repository), event.tag, before, after, event.reason
    )
    await attest(repository, after, signer, MOVE, write_move(move))


def _make_keys(folder: Path) -> People:
    folder.mkdir(mode=0o700)
    signers: dict[str, KeySigner] = {}
    for name in PEOPLE:
        key = ec.generate_private_key(ec.SECP256R1())
        handle = os.open(folder / f"{name}.pem", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
        signers[name] = KeySigner(key)
    return People(folder, signers)

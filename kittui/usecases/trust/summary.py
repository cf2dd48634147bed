"""Writes the verification summary of a promotion: the gates' results, for tools that read only that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kittui import __version__
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.trust.documents import write_time
from kittui.trust.statements import OURS, SUMMARY
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.policy import Verdict
from kittui.usecases.trust.names import plain_name

LEVEL: Final = "KITTUI_GATES_PASSED"


@dataclass(frozen=True, slots=True)
class Summaries:
    """Writes summaries for the gates of a configuration; `policy` is their text, empty if there are none."""

    policy: bytes = b""

    def of(
        self, repository: Repository, plan: ChangePlan, change: TagChange, verdicts: Sequence[Verdict]
    ) -> tuple[str, dict[str, object]] | None:
        """The predicate's type and the predicate for one tag; None if no gate applied, or one did not pass.

        No summary of a failure is written: `cosign verify` would accept it as a signature.
        """
        about = [verdict for verdict in verdicts if verdict.gate and verdict.moved == change.tag]
        if not self.policy or not about or change.after is None or any(one.state != "pass" for one in about):
            return None
        host = repository.source.place.host
        evidence = dict.fromkeys(digest for verdict in about for digest in verdict.evidence)
        return SUMMARY, {
            "verifier": {"id": f"{OURS}/gates/v1", "version": {"kittui": __version__}},
            "timeVerified": write_time(datetime.now(UTC)),
            "resourceUri": f"oci://{plain_name(repository)}:{change.tag}" if host else plain_name(repository),
            "policy": {"uri": f"{OURS}/gates/v1", "digest": {"sha256": Digest.of(self.policy).hex}},
            "inputAttestations": [
                {"uri": f"oci://{plain_name(repository)}@{digest}", "digest": {digest.algorithm: digest.hex}}
                for digest in evidence
            ],
            "verificationResult": "PASSED",
            "verifiedLevels": [LEVEL],
        }

"""Tags that hold another manifest's signatures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kittui.oci.digest import Digest
from kittui.oci.tag import Tag

AttachedKind = Literal["signature", "attestation", "sbom", "referrers"]

_ATTACHED = re.compile(r"(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})(?:\.(sig|att|sbom))?\Z")
_KINDS: dict[str, AttachedKind] = {"sig": "signature", "att": "attestation", "sbom": "sbom"}


@dataclass(frozen=True, slots=True)
class AttachedTag:
    """A tag that holds something about another manifest (cosign's tags, the referrers fallback)."""

    tag: str
    kind: AttachedKind
    subject: Digest


def attached_tag(tag: str) -> AttachedTag | None:
    """Read `sha256-<hex>[.sig|.att|.sbom]`; None for any other tag."""
    match = _ATTACHED.match(tag)
    if match is None or len(match[2]) != (64 if match[1] == "sha256" else 128):
        return None
    kind = _KINDS[match[3]] if match[3] else "referrers"
    return AttachedTag(tag, kind, Digest(f"{match[1]}:{match[2]}"))


def attached_tags(subject: Digest) -> tuple[Tag, ...]:
    """The tags under which cosign stores what it attaches to a manifest."""
    return tuple(Tag(f"{subject.algorithm}-{subject.hex}.{suffix}") for suffix in _KINDS)

"""Parses a target in a repository: a tag or a digest (distribution-spec, "Pulling manifests")."""

from __future__ import annotations

from typing import TypeAlias

from kittui.oci.digest import Digest
from kittui.oci.tag import Tag

Target: TypeAlias = Tag | Digest


def parse_target(text: str) -> Target:
    """Parse a tag or digest (a digest has a colon, a tag can't); raises BadReference."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)

"""Digests: `sha256:` or `sha512:` and lower-case hex (OCI image-spec, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kittui.errors import BadReference, DigestMismatch
from kittui.oci.tag import Tag

if TYPE_CHECKING:
    from hashlib import _Hash

_FORM = re.compile(r"sha256:[0-9a-f]{64}\Z|sha512:[0-9a-f]{128}\Z")


class Digest(str):
    """A checked digest; it is a str, so it works as a key, a path part and JSON."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Check the form and return the digest; raises BadReference for any other algorithm or form."""
        if not isinstance(text, str) or not _FORM.match(text):
            raise BadReference(
                f"{str(text)[:100]!r} is not a digest that kittui accepts",
                hint="A digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits.",
            )
        return cls(text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """The digest of bytes, by sha256 or sha512."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """`sha256` or `sha512`."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part after the colon."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first 12 hexadecimal digits, for display."""
        return self.hex[:12]

    @property
    def referrers_tag(self) -> Tag:
        """The tag that lists its referrers if there is no API for them (distribution-spec, referrers tag schema)."""
        return Tag(f"{self.algorithm}-{self.hex}"[:128])

    def hasher(self) -> _Hash:
        """A fresh hash object of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def verify(self, content: bytes, what: str) -> None:
        """Raise DigestMismatch unless the bytes hash to this digest; `what` names them for the message."""
        hasher = self.hasher()
        hasher.update(content)
        found = hasher.hexdigest()
        if found != self.hex:
            raise DigestMismatch(
                f"{what} does not match its digest: expected {self.short}, got {found[:12]}",
                hint="The source's content does not match its digest; nothing was stored.",
            )

"""Verifies certificates with the sigstore library; no other module imports it.

It uses no network: the root of trust is a file that the user configures, and a bundle carries its own proofs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kittui.disk.paths import typed_path
from kittui.trust.keyring import TrustedIdentity, Vouched


class CertificateRoot:
    """The root of trust in a file (trusted_root.json), read on first use."""

    def __init__(self, path: Path) -> None:
        self._path = typed_path(path)

    @property
    def problem(self) -> str:
        """Why it can't verify anything, as far as known without reading it; empty if it may."""
        if not self._path.is_file():
            return f"there is no file {self._path}"
        return "" if importlib.util.find_spec("sigstore") else "install kittui[sigstore] to verify certificates"

    @cached_property
    def _verifier(self) -> Any:
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        return Verifier(trusted_root=TrustedRoot.from_file(str(self._path)))

    def check(self, bundle: bytes, identities: Sequence[TrustedIdentity]) -> Vouched:
        """Verify a bundle: chain, time, log entry and signature, and whose identity it is."""
        try:
            from sigstore.models import Bundle

            verifier = self._verifier
        except ImportError as error:
            return Vouched(f"the installed sigstore can't be used: {_words(error)}")
        except Exception as error:  # noqa: BLE001 - whatever the library raises over a file that is not a root
            return Vouched(f"{self._path.name} is not a trusted root: {_words(error)}")
        among = _Among(identities)
        try:
            kind, payload = verifier.verify_dsse(Bundle.from_json(bundle), among)
        except Exception as error:  # noqa: BLE001 - the library is fed with foreign bytes
            return Vouched(_words(error))
        return Vouched(payload_type=kind, payload=payload, identity=among.found)


class _Among:
    """A policy for the library that accepts every certificate, and remembers which identity it has."""

    def __init__(self, identities: Sequence[TrustedIdentity]) -> None:
        self._identities = identities
        self.found: TrustedIdentity | None = None

    def verify(self, certificate: Any) -> None:
        """Called once the certificate is known to come from the root."""
        from sigstore.errors import VerificationError
        from sigstore.verify.policy import Identity

        for one in self._identities:
            try:
                Identity(identity=one.identity, issuer=one.issuer).verify(certificate)
            except VerificationError:
                continue
            self.found = one
            return


def _words(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"

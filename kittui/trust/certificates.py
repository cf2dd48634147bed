"""Reads whom a certificate names and its key, for display; only a trusted root makes them credible."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kittui.errors import UsageError
from kittui.trust.documents import TEXT_LIMIT
from kittui.trust.keys import PublicKey, load_public_key

_ISSUER: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_OLD_ISSUER: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity in a certificate, and the issuer that authenticated it; empty if missing."""

    subject: str = ""
    issuer: str = ""

    def __str__(self) -> str:
        who = self.subject or "an unnamed identity"
        return f"{who}, authenticated by {self.issuer}" if self.issuer else who


def identity_of(certificate: bytes) -> Identity:
    """Read whom a certificate (DER or PEM) names; nobody if it can't be read."""
    try:
        with warnings.catch_warnings():
            # Old or odd certificates cause warnings, which should not reach the user's terminal.
            warnings.simplefilter("ignore")
            extensions = _read(certificate).extensions
            return Identity(_subject(extensions)[:TEXT_LIMIT], _issuer(extensions)[:TEXT_LIMIT])
    except _UNREADABLE:
        return Identity()


def key_of(certificate: bytes) -> PublicKey | None:
    """Read the public key in a certificate (DER or PEM).

    None if it can't be read or is of a kind that is not checked.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _read(certificate).public_key()
            return load_public_key(found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except (*_UNREADABLE, UnsupportedAlgorithm, UsageError):
        return None


def _read(certificate: bytes) -> x509.Certificate:
    pem = certificate.lstrip().startswith(b"-----BEGIN")
    return x509.load_pem_x509_certificate(certificate) if pem else x509.load_der_x509_certificate(certificate)


def _subject(extensions: x509.Extensions) -> str:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    for kind in (x509.RFC822Name, x509.UniformResourceIdentifier):
        found = names.get_values_for_type(kind)
        if found:
            return str(found[0])
    return ""


def _issuer(extensions: x509.Extensions) -> str:
    for identifier in (_ISSUER, _OLD_ISSUER):
        try:
            value = extensions.get_extension_for_oid(identifier).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.UnrecognizedExtension):
            raw = value.value
            # The newer extension holds a DER UTF8String, the older one plain text.
            if identifier is _ISSUER and len(raw) > 2 and raw[0] == 0x0C and raw[1] < 0x80:
                raw = raw[2:]
            return raw.decode("utf-8", "replace")
    return ""

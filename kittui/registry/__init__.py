"""OCI registries over HTTP: reading, writing, credentials (distribution-spec 1.0 and 1.1)."""

from kittui.registry.access import Access, Patience, Wait
from kittui.registry.credentials import ANONYMOUS, Credential, Credentials, FixedCredentials
from kittui.registry.keyring import CredentialStore
from kittui.registry.realm import UntrustedRealm
from kittui.registry.source import RegistrySource

__all__ = [
    "ANONYMOUS",
    "Access",
    "Credential",
    "CredentialStore",
    "Credentials",
    "FixedCredentials",
    "Patience",
    "RegistrySource",
    "UntrustedRealm",
    "Wait",
]

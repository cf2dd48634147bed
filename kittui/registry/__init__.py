"""OCI registries over HTTP: reading, writing, credentials (distribution-spec 1.0 and 1.1)."""

import sys
from typing import Any, cast

if "httpx" not in sys.modules:
    # If rich and pygments are installed, httpx imports them for its own command line, which takes longer than httpx
    # itself. A module that is None counts as not installed.
    modules = cast("dict[str, Any]", sys.modules)
    modules["httpx._main"] = None
    import httpx as httpx

    del modules["httpx._main"]

from kittui.registry.access import Access, Patience, Wait
from kittui.registry.credentials import ANONYMOUS, Credential, Credentials, FixedCredentials
from kittui.registry.keyring import CredentialStore
from kittui.registry.realm import UntrustedRealm
from kittui.registry.source import RegistrySource
from kittui.registry.upload_ways import UploadLimits

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
    "UploadLimits",
    "Wait",
]

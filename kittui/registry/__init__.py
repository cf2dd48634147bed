"""OCI registries over HTTP: reading, writing, credentials (distribution-spec 1.0 and 1.1)."""

import sys
from typing import Any, cast

if "httpx" not in sys.modules:
    # httpx offers a command line of its own where rich and pygments are there, which take longer to import than itself;
    # a module that is None counts as not installed, and httpx goes without.
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

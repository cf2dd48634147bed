"""What the commands that sign share."""

from __future__ import annotations

from pathlib import Path

import click

from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.usecases.browse.places import DEFAULT_TAG, Located
from kittui.usecases.trust.signer import Signer

key_option = click.option(
    "--key",
    "signing_key",
    metavar="FILE",
    help="Private key to sign with (PEM, or cosign's own form); or the public key of signing_command.",
)


async def preview_attached(call: Call, located: Located, what: str, named: str | None) -> None:
    """Where --dry-run was given, end with what would be attached to which digest; no passphrase is asked for."""
    if not call.options.dry_run:
        return
    key = named or call.composition.config.signing_key or (await signer_of(call, named)).key
    digest = (await located.repository.resolve(located.target or DEFAULT_TAG)).digest
    lines = [f"{what} {located} ({digest.short})", f"  signed with {key} and attached to it"]
    call.preview(lines, {"action": what.lower(), "reference": str(located), "digest": str(digest), "key": str(key)})


async def signer_of(call: Call, named: str | None) -> Signer:
    """The signer that --key or the configuration names; raises UsageError where neither does."""
    signer = await call.composition.signer(Path(named) if named else None)
    if signer is None:
        raise UsageError(
            "there is no key to sign with",
            hint="Give --key FILE, or set signing_key in config.yaml. cosign generate-key-pair makes one.",
        )
    return signer

"""Shared by the commands that sign."""

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
    """With --dry-run, stop and show what would be attached to which digest, without asking for a passphrase."""
    if not call.options.dry_run:
        return
    key = named or call.composition.config.signing_key or (await signer_of(call, named)).key
    digest = (await located.repository.resolve(located.target or DEFAULT_TAG)).digest
    lines = [f"{what} {located} ({digest.short})", f"  signed with {key} and attached to it"]
    call.preview(lines, {"action": what.lower(), "reference": str(located), "digest": str(digest), "key": str(key)})


async def signer_of(call: Call, named: str | None) -> Signer:
    """The signer from --key or the configuration; raises UsageError without either."""
    signer = await call.composition.signer(Path(named) if named else None)
    if signer is None:
        raise UsageError(
            "no signing key was given",
            hint="Give --key FILE, or set signing_key in config.yaml. cosign generate-key-pair creates one.",
        )
    return signer

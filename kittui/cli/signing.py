"""What the commands that sign share: which key, its passphrase, and the command that reaches a key elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from kittui.cli.run import Call
from kittui.errors import TerminalNeeded, UsageError
from kittui.trust.keys import KEY_LIMIT, load_public_key
from kittui.trust.signing import is_public, load_private_key, needs_password
from kittui.usecases.trust.signer import CommandSigner, KeySigner, Signer

PASSWORD = "KITTUI_KEY_PASSWORD"  # noqa: S105 - the name of a variable
key_option = click.option(
    "--key",
    "signing_key",
    metavar="FILE",
    help="Private key to sign with (PEM, or cosign's own form); or the public key of signing_command.",
)


async def signer_of(call: Call, named: str | None) -> Signer:
    """The signer that --key or the configuration names; raises UsageError where neither does."""
    signer = await configured_signer(call, named)
    if signer is None:
        raise UsageError(
            "there is no key to sign with",
            hint="Give --key FILE, or set signing_key in config.yaml. cosign generate-key-pair makes one.",
        )
    return signer


async def configured_signer(call: Call, named: str | None = None) -> Signer | None:
    """The signer that --key or the configuration names; None where neither does."""
    config = call.composition.config
    path = Path(named) if named else config.signing_key
    if path is None:
        return None
    pem = await read_key(path)
    if is_public(pem):
        if not config.signing_command:
            raise UsageError(
                f"{path} holds a public key, which can't sign",
                hint="Give the private key; or set signing_command in config.yaml to sign with an HSM or a KMS.",
            )
        return CommandSigner(config.signing_command, load_public_key(pem, str(path)))
    password = _password(call, path) if needs_password(pem) else None
    return KeySigner(await asyncio.to_thread(load_private_key, pem, password, str(path)))


async def read_key(path: Path) -> bytes:
    """The bytes of a key file; raises UsageError where it can't be read."""

    def read() -> bytes:
        with path.expanduser().open("rb") as file:
            return file.read(KEY_LIMIT)

    try:
        return await asyncio.to_thread(read)
    except OSError as error:
        raise UsageError(f"the key {path} can't be read: {error.strerror}", hint="Name a key file in PEM.") from None


def _password(call: Call, path: Path) -> bytes:
    said = call.composition.environ.get(PASSWORD)
    if said is not None:
        return said.encode("utf-8", "surrogateescape")
    if not call.printer.asks:
        raise TerminalNeeded(
            f"the key {path} has a passphrase and there is no terminal to ask on", hint=f"Give it in ${PASSWORD}."
        )
    return call.printer.ask_secret(f"Passphrase of {path}: ").encode("utf-8", "surrogateescape")

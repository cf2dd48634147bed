"""`kittui verify`: a ModelKit's signatures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.trust.verdicts import Status
from kittui.usecases.trust.verify import Verification

_STYLES: Final[dict[Status, str]] = {"verified": "bold green", "invalid": "bold red", "error": "red"}


@run.command("verify")
@click.argument("reference")
@click.option("--public-key", required=True, metavar="PUB", help="PEM file of the signer's public key.")
async def command(call: Call, reference: str, public_key: str) -> int:
    """Check the signatures of a ModelKit with a public key; exit status 0 only where one of them holds.

    It shows that the key signed this digest. It does not show when, nor that the signature was not withdrawn.
    """
    from kittui.trust.keyring import Keyring
    from kittui.trust.keys import KEY_LIMIT, load_public_key
    from kittui.usecases.trust.verify import verify

    def read() -> bytes:
        with Path(public_key).expanduser().open("rb") as file:
            return file.read(KEY_LIMIT)

    try:
        pem = await asyncio.to_thread(read)
    except OSError as error:
        raise UsageError(
            f"the public key {public_key} can't be read: {error.strerror}", hint="Name a PEM file such as cosign.pub."
        ) from None
    keyring = Keyring.of(load_public_key(pem, public_key))
    located = await call.composition.places.locate(reference)
    call.printer.status(f"looking for signatures of {located}")
    verification = await verify(located.repository, located.target or "", keyring)
    call.printer.result(verification.to_json(), lambda: _print(call, verification))
    return 0 if verification.status == "verified" else 1


def _print(call: Call, verification: Verification) -> None:
    call.printer.line((verification.reference, "bold"), "  ", (verification.digest, "dim"))
    if verification.status == "none":
        call.printer.line(("none", "yellow"), ": nothing here claims to be a signature of it")
        return
    rows: list[Sequence[Styled]] = [
        ((one.status, _STYLES.get(one.status, "yellow")), one.kind, (one.digest.short, "dim"), one.reason)
        for one in verification.signatures
    ]
    call.printer.table(("STATUS", "KIND", "DIGEST", "REASON"), rows)
    if verification.status != "verified":
        call.printer.line(("not verified", "bold red"), ": no signature by this key holds")

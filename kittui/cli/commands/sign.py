"""`kittui sign`: sign a ModelKit with a key."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.run import Call
from kittui.cli.signing import key_option, preview_attached, signer_of
from kittui.usecases.browse.places import DEFAULT_TAG


@run.command("sign", changes=True)
@click.argument("reference")
@key_option
async def command(call: Call, reference: str, signing_key: str | None) -> None:
    """Sign a ModelKit's digest, and store the signature beside it where cosign stores its own.

    cosign verify --key PUB --insecure-ignore-tlog checks it, as kittui verify --public-key PUB does.
    """
    from kittui.usecases.trust.sign import check_attach, sign

    located = await call.composition.places.locate(reference, changing=True)
    call.check_write(str(located))
    check_attach(located.repository)
    await preview_attached(call, located, "Sign", signing_key)
    signer = await signer_of(call, signing_key)
    call.printer.status(f"signing {located}")
    done = await sign(located.repository, located.target or DEFAULT_TAG, signer)

    def show() -> None:
        call.printer.line((done.reference, "bold"), "  ", (done.subject, "dim"))
        call.printer.line(f"  signed by key {done.key}; attached as {done.manifest.short}")

    call.printer.result(done.to_json(), show)

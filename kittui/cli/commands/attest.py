"""`kittui attest`: attach a signed statement to a ModelKit."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.run import Call
from kittui.cli.signing import key_option, preview_attached, signer_of
from kittui.trust.statements import predicate_uri
from kittui.usecases.browse.places import DEFAULT_TAG


@run.command("attest", changes=True)
@click.argument("reference")
@click.option(
    "--type", "kind", required=True, metavar="URI", help="The predicate type: a URI, or a short name such as cyclonedx."
)
@click.option(
    "--predicate", required=True, metavar="FILE", help="File with the predicate, a JSON object; - reads stdin."
)
@key_option
async def command(call: Call, reference: str, kind: str, predicate: str, signing_key: str | None) -> None:
    """Attach a signed in-toto statement to a ModelKit: a test result, a verification summary, a BOM or any JSON object.

    Its subject is the digest. Short types: cyclonedx, provenance, spdx, svr, test-result, vsa. `cosign verify` accepts
    any statement by a key as a signature, so sign negative results with a key that nobody trusts for signatures.
    """
    from kittui.usecases.trust.sign import attest, check_attach, read_predicate

    predicate_type = predicate_uri(kind)
    document = await read_predicate(predicate)
    located = await call.composition.places.locate(reference, changing=True)
    call.check_write(str(located))
    check_attach(located.repository)
    await preview_attached(call, located, "Attest", signing_key)
    signer = await signer_of(call, signing_key)
    call.printer.status(f"attesting {located}")
    done = await attest(located.repository, located.target or DEFAULT_TAG, signer, predicate_type, document)

    def show() -> None:
        call.printer.line((done.reference, "bold"), "  ", (done.subject, "dim"))
        call.printer.line(
            f"  stated {done.predicate_type}, signed by key {done.key}; attached as {done.manifest.short}"
        )

    call.printer.result(done.to_json(), show)

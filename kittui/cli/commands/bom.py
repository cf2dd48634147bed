"""`kittui bom`: a ModelKit's bill of materials as CycloneDX."""

from __future__ import annotations

import json
import sys

import click

from kittui.cli import run
from kittui.cli.run import Call
from kittui.cli.signing import key_option, preview_attached, signer_of
from kittui.modelkit.variants import needs_choice
from kittui.trust.statements import BOM
from kittui.usecases.browse.places import DEFAULT_TAG
from kittui.usecases.trust.bom import bom_of
from kittui.usecases.trust.names import plain_name


@run.command("bom", changes=True)
@click.argument("reference")
@click.option("--attach", is_flag=True, help="Also sign it and attach it to the ModelKit.")
@key_option
async def command(call: Call, reference: str, attach: bool, signing_key: str | None) -> None:
    """Write a ModelKit's bill of materials: CycloneDX 1.7, with a model card, data components and hashes.

    It comes from the manifest and the Kitfile alone; no layer is read.
    """
    from kittui.usecases.trust.sign import attest, check_attach

    composition = call.composition
    located = await composition.places.locate(reference, changing=attach)
    repository, target = located.repository, located.target or DEFAULT_TAG
    kit = await composition.modelkits.open(repository, target)
    if kit.manifest.is_index:
        raise needs_choice(kit.manifest, str(located))
    name = plain_name(repository)
    host = repository.source.place.host
    document = bom_of(kit, name, f"oci://{name}@{kit.digest}" if host else "")
    if attach:
        call.check_write(str(located))
        check_attach(repository)
        await preview_attached(call, located, "Attach a BOM to", signing_key)
        done = await attest(repository, kit.digest, await signer_of(call, signing_key), BOM, document)
        call.printer.note(f"attached as {done.manifest}, signed by key {done.key}")
    call.printer.result(document, lambda: print_json(document))


def print_json(document: object) -> None:
    """Print a document the way it is written to a file."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True) + "\n")

"""`kittui verify`: verify a ModelKit's signatures and attestations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from kittui.cli import run
from kittui.cli.inspecting import inspector_of
from kittui.cli.keys import read_key
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.terminal import counted
from kittui.trust.describe import describe
from kittui.trust.keyring import Keyring
from kittui.trust.keys import load_public_key
from kittui.trust.statements import predicate_uri
from kittui.trust.verdicts import Status
from kittui.usecases.browse.places import DEFAULT_TAG
from kittui.usecases.trust.model_files import ModelCheck, all_hold, check_models
from kittui.usecases.trust.verify import Signature, Verification, verify
from kittui.usecases.trust.words import status_text

_STYLES: Final[dict[Status, str]] = {"verified": "bold green", "invalid": "bold red", "error": "red"}


@run.command("verify")
@click.argument("reference")
@click.option(
    "--public-key", metavar="PUB", help="PEM file of the signer's public key, used instead of the trusted keys."
)
@click.option("--type", "kind", metavar="URI", help="Look for statements of this type, by its URI or a short name.")
@click.option("--show", is_flag=True, help="Print what each statement says.")
@click.option("--files", is_flag=True, help="Check every model.sig among its files (reads the files it covers).")
async def command(call: Call, reference: str, public_key: str | None, kind: str | None, show: bool, files: bool) -> int:
    """Verify the signatures of a ModelKit. The exit status is 0 only if one of them is valid.

    They are checked with the keys in `trust` of config.yaml, or with --public-key alone. With --type, a
    statement of that type must be valid: cyclonedx, provenance, spdx, svr, tag-move, test-result, vsa or a URI.
    With --files, every model.sig (OpenSSF Model Signing) among its files must be valid, for all files beside it.
    A signature shows that the key signed this digest, but neither when nor that it was not withdrawn since.
    """
    from kittui.usecases.trust.names import plain_name

    wanted = predicate_uri(kind) if kind else None
    if public_key is not None:
        keyring = Keyring.of(load_public_key(await read_key(Path(public_key)), public_key))
    else:
        keyring = await asyncio.to_thread(lambda: call.composition.keyring)
    located = await call.composition.places.locate(reference)
    call.printer.status(f"looking for signatures of {located}")
    keyring = keyring.for_repository(plain_name(located.repository))
    found = await verify(located.repository, located.target or DEFAULT_TAG, keyring)
    shown = [one for one in found.signatures if wanted is None or one.predicate_type == wanted]
    held = found.status == "verified" if wanted is None else any(one.verdict.holds for one in shown)
    document: dict[str, Any] = {**found.to_json(), "signatures": [_entry(one, show) for one in shown]}
    models: Sequence[ModelCheck] = ()
    if files:
        call.printer.status(f"reading the files of {located}")
        kit = await call.composition.modelkits.open(located.repository, found.digest)
        models = await check_models(inspector_of(call), located.repository, kit, keyring)
        held = all_hold(models)
        document["models"] = [model.to_json() for model in models]

    def human() -> None:
        _print(call, found, shown, show)
        if files:
            _print_models(call, models)
        elif not held:
            what = "no signature" if wanted is None else "no such statement"
            by = "this key" if public_key else "a trusted key"
            call.printer.line(("not verified", "bold red"), f": {what} by {by} holds")
            if not keyring and not public_key:
                call.printer.note(
                    "no keys are trusted here: give --public-key, or list them under `trust` in config.yaml"
                )

    call.printer.result(document, human)
    return 0 if held else 1


def _print_models(call: Call, models: Sequence[ModelCheck]) -> None:
    if not models:
        call.printer.line(("none", "yellow"), ": there is no model.sig among its files")
    for model in models:
        style = _STYLES.get(model.status, "yellow")
        call.printer.line(
            (status_text(model.status), style), f"  {model.path}  {counted(model.files, 'file')}  {model.reason}"
        )


def _entry(signature: Signature, show: bool) -> dict[str, Any]:
    statement = signature.verdict.statement
    if not show:
        return signature.to_json()
    return {**signature.to_json(), "predicate": statement.predicate if statement is not None else None}


def _print(call: Call, found: Verification, shown: Sequence[Signature], show: bool) -> None:
    call.printer.line((found.reference, "bold"), "  ", (found.digest, "dim"))
    if not shown:
        call.printer.line(("none", "yellow"), ": it has no signatures")
        return
    rows: list[Sequence[Styled]] = [
        ((status_text(one.status), _STYLES.get(one.status, "yellow")), one.about, (one.digest.short, "dim"), one.reason)
        for one in shown
    ]
    call.printer.table(("STATUS", "KIND", "DIGEST", "REASON"), rows)
    if not found.complete:
        call.printer.warning("the list of attached manifests is incomplete: there may be more")
    for one in shown if show else ():
        if one.verdict.statement is not None and not one.verdict.statement.signs:
            call.printer.line()
            call.printer.line((one.about, "bold"), f"  {one.digest.short}  {status_text(one.status)}")
            for label, text in describe(one.verdict.statement):
                call.printer.line("  ", (f"{label:<14}" if label else "", "dim"), text)

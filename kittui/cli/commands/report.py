"""`kittui report`: a catalogue of ModelKits for an auditor."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click

from kittui.cli import run
from kittui.cli.run import Call
from kittui.cli.sources import repositories_of
from kittui.errors import UsageError
from kittui.usecases.trust.catalogue import Cataloguer
from kittui.usecases.trust.catalogue_formats import to_csv, to_html, to_markdown
from kittui.usecases.trust.history import merged_history
from kittui.usecases.trust.names import plain_name

_FORMS: Final = {"markdown": to_markdown, "html": to_html, "csv": to_csv}


@run.command("report")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--markdown", is_flag=True, help="Print Markdown (the default).")
@click.option("--html", is_flag=True, help="Print one self-contained HTML page.")
@click.option("--csv", is_flag=True, help="Print the ModelKits as CSV.")
async def command(call: Call, sources: tuple[str, ...], markdown: bool, html: bool, csv: bool) -> int:
    """List every ModelKit with versions, stages, licenses, datasets, authors, metrics, signatures and history.

    A SOURCE is the same as for `kittui board`. Layers are not read. The exit status is 4 if a registry's list was
    incomplete; what can't be read is listed at the end.
    """
    composition = call.composition
    asked = [form for form, wanted in (("markdown", markdown), ("html", html), ("csv", csv)) if wanted]
    if len(asked) + call.options.json > 1:
        raise UsageError(
            "only one output format can be printed", hint="Give one of --markdown, --html, --csv and --json."
        )
    found, problems = await repositories_of(call.composition, sources)
    if not found and problems:
        raise problems[0]
    cataloguer = Cataloguer(
        composition.modelkits,
        composition.evidence,
        composition.stage_tags,
        composition.config.moves.champion,
        lambda name: call.printer.status(f"read {name}"),
    )
    keyring = await asyncio.to_thread(lambda: composition.keyring)
    stages = sorted(composition.stage_tags)
    histories = []
    for repository in found:
        keys = keyring.for_repository(plain_name(repository))
        histories.append(await merged_history(repository, composition.ledger, keys, stages))
    catalogue = await cataloguer.read(found, histories)
    form = _FORMS[asked[0] if asked else "markdown"]

    def show() -> None:
        sys.stdout.write(form(catalogue))

    call.printer.result(catalogue.to_json(), show)
    for problem in problems:
        call.printer.warning(f"{problem.reference}: {problem.message}")
    for text in catalogue.problems:
        call.printer.warning(text)
    return max((problem.exit_status for problem in problems), default=0)

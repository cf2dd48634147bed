"""`kittui demo`: the interface on sample ModelKits, in a temporary folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from kittui.cli import run
from kittui.cli.app import need_terminal
from kittui.cli.run import Call
from kittui.errors import Conflict, TerminalNeeded

_HINT = "Run it in a terminal window. The other commands work without one: kittui --help"


@run.command("demo")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Use DIR, a new folder, and keep it.")
async def command(call: Call, keep: Path | None) -> int:
    """Open the interface on sample ModelKits with a store of their own.

    A fraud detector with its lifecycle (champion, challenger, rollback, retired ...), a sharded and a quantised
    model, a language model with prompts, data sets. You play Dana, whose approval the challenger still needs. It is a
    copy: without --keep, everything you do is discarded, and your own store, registries and configuration are not
    touched.
    """
    if call.options.json:
        raise TerminalNeeded(
            "the demo opens the interface and has no JSON output", hint="To list a source as JSON: kittui ls --json"
        )
    need_terminal(_HINT)
    with _folder(keep) as folder:
        try:
            return await _play(call, folder, kept=keep is not None)
        finally:
            # A cancelled task leaves its thread running, and what that thread writes late would outlive the folder.
            await asyncio.get_running_loop().shutdown_default_executor()


async def _play(call: Call, folder: Path, *, kept: bool) -> int:
    from kittui.cli.compose import Composition
    from kittui.cli.interface import run_interface
    from kittui.cli.leaving import leaving_on_signals
    from kittui.demo.stage import set_up
    from kittui.demo.trusted import KEPT, WELCOME, vouch
    from kittui.oci.reference import LOCAL
    from kittui.tui.frame.ports import PlaceEntry

    stage = await set_up(folder)
    people = await vouch(stage)
    config = folder / "config.yaml"
    if kept:
        await asyncio.to_thread(config.write_bytes, people.document())
    os.chdir(stage.work)
    flags = replace(call.options.flags, store=str(stage.store))
    places = (PlaceEntry(LOCAL), PlaceEntry(stage.place, "demo"))
    start = f"oci:{stage.models}/acme/fraud-detector"
    async with Composition(flags, environ=stage.environment(os.environ)) as composition:
        composition.config = people.configured(composition.config)
        with leaving_on_signals():
            status = await run_interface(composition, start, places, KEPT if kept else WELCOME)
    if kept:
        call.printer.note(f"kept in {folder}: kittui --config {config} oci:{stage.models}")
    return status


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The demo's folder; a temporary one is removed when the block exits, however it exits."""
    if keep is not None:
        try:
            keep.mkdir(parents=True)
        except FileExistsError:
            raise Conflict(f"{keep} exists already", hint="Name a folder that does not exist yet.") from None
        yield keep.absolute()
        return
    home = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="kittui-demo-"))
    try:
        yield folder
    finally:
        os.chdir(home)
        shutil.rmtree(folder, ignore_errors=True)

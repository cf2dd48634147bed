"""`kittui unpack`: unpack a ModelKit's files into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kittui.cli import run
from kittui.cli.inspecting import inspector_of
from kittui.cli.progress import reporting
from kittui.cli.run import Call
from kittui.cli.variants import labels_option, target_of
from kittui.errors import Refused
from kittui.modelkit import parse_filters
from kittui.oci.traffic import metered
from kittui.terminal import counted, size_text
from kittui.transfer.extract import Limits
from kittui.transfer.placing import Decisions
from kittui.transfer.progress import Progress
from kittui.transfer.tree import Decision
from kittui.usecases.unpack.apply import Unpacked, apply_unpack
from kittui.usecases.unpack.plan import UnpackPlan, plan_unpack

_WORDS: dict[str, tuple[Decision, bool]] = {
    "o": ("overwrite", False),
    "k": ("keep", False),
    "b": ("both", False),
    "O": ("overwrite", True),
    "K": ("keep", True),
    "B": ("both", True),
}


@run.command("unpack", changes=True)
@click.argument("reference", metavar="REF")
@labels_option
@click.option(
    "-d", "--dir", "directory", default=".", metavar="DIR", help="The folder to unpack into (the current one)."
)
@click.option("-f", "--filter", "filters", multiple=True, metavar="FILTER", help="kit's filter: TYPES[:NAMES].")
@click.option("--file", "files", multiple=True, metavar="PATH", help="Only this file, or the files below this folder.")
@click.option("-o", "--overwrite", is_flag=True, help="Overwrite existing files.")
@click.option("-i", "--ignore-existing", is_flag=True, help="Keep existing files.")
@click.option("--verify", is_flag=True, help="Read whole layers, to verify single files too.")
async def command(
    call: Call,
    reference: str,
    labels: tuple[str, ...],
    directory: str,
    filters: tuple[str, ...],
    files: tuple[str, ...],
    overwrite: bool,
    ignore_existing: bool,
    verify: bool,
) -> None:
    """Unpack a ModelKit, whole or in part, from the store, a registry or a layout.

    Every layer is verified before its files appear in the folder. A single file of an uncompressed layer in a
    registry is read by its range only, which can't be verified; --verify reads the whole layer.
    """
    composition = call.composition
    chosen = parse_filters(filters)
    decisions = Decisions("keep" if ignore_existing else "overwrite" if overwrite else None)
    if ignore_existing and overwrite:
        decisions = Decisions("keep", {"Kitfile": "overwrite"})
    progress = Progress()
    with metered() as traffic:
        located = await composition.places.locate(reference)
        plan = await plan_unpack(
            located.repository,
            await target_of(call, located, labels, one=True),
            Path(directory),
            find=call.composition.find_parent,
            filters=chosen,
            files=files,
            verify=verify,
        )
        call.preview(*_plan(plan, decisions))
        asks = call.printer.asks and not (overwrite or ignore_existing or call.printer.yes)

        async def decide(paths: Sequence[str]) -> Decisions:
            return _ask(call, paths)

        async with reporting(call, progress, f"unpack {plan.reference}"):
            done = await apply_unpack(
                plan,
                inspector_of(call),
                decisions,
                decide=decide if asks else None,
                progress=progress,
                tuning=call.composition.tuning,
                limits=Limits(ratio=float("inf")) if call.printer.yes else None,
            )
    document = done.to_json()
    document["traffic"] = {"requests": traffic.requests, "bytes": traffic.bytes}
    call.printer.result(document, lambda: _print(call, done))
    for remote in plan.parts[-1].kit.remotes if plan.parts else ():
        call.printer.note(
            f"not unpacked, because it is stored elsewhere: {remote.path or remote.name} in {remote.location}"
        )
    if not done.verified:
        call.printer.warning(
            "files were read by ranges, which can't be verified; --verify reads and verifies whole layers"
        )


def _plan(plan: UnpackPlan, decisions: Decisions) -> tuple[list[str], dict[str, Any]]:
    """What would be unpacked, as text and as JSON."""
    layers = [layer for part in plan.parts for layer in part.layers]
    files = [path for part in plan.parts for path in part.files]
    document = {
        "action": "unpack",
        "reference": plan.reference,
        "digest": str(plan.digest),
        "directory": str(plan.directory),
        "kitfile": plan.kitfile is not None,
        "layers": [{"digest": str(layer.digest), "path": layer.path, "size": layer.size} for layer in layers],
        "files": files,
        "bytes": plan.size,
    }
    there = {"keep": "are kept", "overwrite": "are overwritten"}.get(
        decisions.default or "", "are asked about, or stop the unpacking"
    )
    lines = [f"Unpack {plan.reference} into {plan.directory}"]
    lines += ["  Kitfile"] if plan.kitfile is not None else []
    lines += [f"  {size_text(layer.size):>10}  {layer.path or layer.digest.short}" for layer in layers]
    lines += [f"  {path}" for path in files]
    return [*lines, f"  existing files {there}"], document


def _ask(call: Call, paths: Sequence[str]) -> Decisions:
    """Ask about each existing file, until an answer covers all."""
    decisions: dict[str, Decision] = {}
    for path in paths:
        call.printer.note(f"{path} already exists")
        while True:
            text = call.printer.ask("[o]verwrite, [k]eep, keep [b]oth, O K B for all, [q]uit: ").strip()
            if text in ("q", ""):
                raise Refused("nothing was unpacked", hint="The existing files were left unchanged.")
            if text in _WORDS:
                break
        decision, for_all = _WORDS[text]
        if for_all:
            return Decisions(decision, decisions)
        decisions[path] = decision
    return Decisions(None, decisions)


def _print(call: Call, done: Unpacked) -> None:
    for one in done.files:
        call.printer.line(f"{size_text(one.size):>10}  ", one.path, ("" if one.outcome == "written" else "  (kept)"))
    written = [one for one in done.files if one.outcome == "written"]
    total = size_text(sum(one.size for one in written))
    word = "verified" if done.verified else "not verified"
    call.printer.line((f"{counted(len(written), 'file')}, {total}, in {done.plan.directory} ({word})", "bold"))

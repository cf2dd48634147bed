"""`kittui tree`: the layers of a ModelKit and the files in them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from kittui.cli import run
from kittui.cli.commands.show import remote_document
from kittui.cli.inspecting import inspector_of
from kittui.cli.run import Call
from kittui.cli.tensors import model_document, print_models
from kittui.cli.variants import labels_option, print_variants, target_of, variant_document
from kittui.formats.tar import FileEntry
from kittui.modelkit import Layer
from kittui.modelkit.variants import variants_of
from kittui.oci.traffic import Traffic, metered
from kittui.terminal import counted, size_text
from kittui.usecases.inspect.files import FoundFile, ListedLayer, list_layers
from kittui.usecases.inspect.models import list_models
from kittui.usecases.inspect.risk import RiskReport, assess
from kittui.usecases.inspect.scan import ScanReport, scan_files


@run.command("tree")
@click.argument("reference", metavar="REF")
@labels_option
@click.option("--tensors", is_flag=True, help="List the tensors of model files too, from their headers.")
@click.option("--risk", is_flag=True, help="Also look for pickle imports, programs and missing licenses.")
@click.option("--scan", is_flag=True, help="Scan a copy of the files with ModelScan, if it is installed.")
async def command(call: Call, reference: str, labels: tuple[str, ...], tensors: bool, risk: bool, scan: bool) -> int:
    """List the layers of REF and the files in them, reading only the archives' headers.

    A compressed layer is read whole once; above a megabyte (ask_above in config.yaml) it asks first, or
    needs --yes. What was read by ranges is unverified and marked so. A sharded model's tensors are joined by its
    index, even across layers. For an index, its variants are listed.
    """
    with metered() as traffic:
        located = await call.composition.places.locate(reference)
        repository = located.repository
        target = await target_of(call, located, labels, one=tensors or risk or scan)
        kit = await call.composition.modelkits.open(repository, target)

        def progress(layer: Layer, files: int, position: int, size: int) -> None:
            share = f"{position * 100 // size} %" if size else ""
            call.printer.status(
                f"{layer.path or layer.digest.short}: {counted(files, 'file')} {share}  {traffic.bytes} bytes read"
            )

        inspector = inspector_of(call)
        listed = await list_layers(inspector, repository, kit.layers, on_layer=progress)
        models = await list_models(inspector, repository, listed) if tensors else None
        report = await assess(inspector, repository, kit, listed) if risk else None
        scanned = await scan_files(inspector, repository, _files(listed)) if scan else None
    variants = variants_of(kit.manifest)
    document: dict[str, Any] = {
        "reference": repository.reference(target),
        "digest": kit.digest,
        "layers": [_layer(one) for one in listed],
        **({"remote": [remote_document(one) for one in kit.remotes]} if kit.remotes else {}),
        **({"variants": [variant_document(one) for one in variants]} if kit.manifest.is_index else {}),
        "traffic": {"requests": traffic.requests, "bytes": traffic.bytes},
    }
    if models is not None:
        document["models"] = [model_document(one) for one in models]
    if report is not None:
        document["risk"] = {
            "looked": report.looked,
            "findings": [asdict(finding) for finding in report.findings],
            "skipped": list(report.skipped),
        }
    if scanned is not None:
        document["scan"] = {**asdict(scanned), "badge": scanned.badge}

    def human() -> None:
        _print(call, repository.reference(target), listed, traffic)
        for remote in kit.remotes:
            call.printer.line(
                "↗  ",
                (f"{remote.section} ", "cyan"),
                remote.path or remote.name,
                (f"  {remote.location}  {remote.hash or 'no hash'}  stored elsewhere, not in a layer", "dim"),
            )
        if kit.manifest.is_index:
            print_variants(call, variants)
        print_models(call.printer, models or ())
        if report is not None:
            _print_risk(call, report)
        if scanned is not None:
            _print_scan(call, scanned)

    call.printer.result(document, human)
    failed = [one.error for one in listed if one.error is not None]
    for one in listed:
        if one.problem and not (len(failed) == 1 and one.error is not None):
            call.printer.warning(f"{one.layer.path or one.layer.digest.short}: {one.problem}")
    if len(failed) == 1:
        raise failed[0].at(str(located))
    return max((error.exit_status for error in failed), default=0)


def _files(listed: list[ListedLayer]) -> list[FoundFile]:
    return [
        FoundFile(one.layer, entry)
        for one in listed
        if one.listing is not None
        for entry in one.listing.files
        if entry.type == "file" and not entry.problem
    ]


def _print_risk(call: Call, report: RiskReport) -> None:
    call.printer.line(("Risk  ", "bold"), report.badge)
    for finding in report.findings:
        call.printer.line("  ", (f"{finding.kind}  ", "yellow"), finding.path, f"  {finding.text}")
    for text in report.skipped:
        call.printer.line("  ", ("not looked at  ", "dim"), text)


def _print_scan(call: Call, report: ScanReport) -> None:
    call.printer.line(("Scan  ", "bold"), report.badge)
    for issue in report.issues:
        call.printer.line("  ", (f"{issue.severity}  ", "red"), issue.path, f"  {issue.description}")
    for path, reason in report.failed:
        call.printer.line("  ", ("could not be read  ", "yellow"), path, f"  {reason}")
    for path in report.skipped:
        call.printer.line("  ", ("not scanned  ", "dim"), path)


def _layer(listed: ListedLayer) -> dict[str, Any]:
    layer, listing = listed.layer, listed.listing
    return {
        "type": layer.type,
        "role": layer.role or None,
        "path": layer.path,
        "name": layer.name,
        "digest": layer.digest,
        "size": layer.size,
        "compression": layer.compression,
        "complete": listing is not None and listing.complete,
        "verified": listing is not None and listing.verified,
        "problem": listed.problem,
        "frames": listing.frames if listing is not None else None,
        "files": [_file(entry) for entry in listing.files] if listing is not None else [],
    }


def _file(entry: FileEntry) -> dict[str, Any]:
    found: dict[str, Any] = {"path": entry.path, "type": entry.type, "size": entry.size, "mode": entry.mode}
    if entry.link:
        found["link"] = entry.link
    if entry.problem:
        found["problem"] = entry.problem
    if entry.note:
        found["note"] = entry.note
    return found


def _print(call: Call, reference: str, listed: list[ListedLayer], traffic: Traffic) -> None:
    line = call.printer.line
    line((reference, "bold"))
    for number, one in enumerate(listed):
        layer, listing = one.layer, one.listing
        last = number == len(listed) - 1
        packing = "" if layer.compression == "none" else f"  {layer.compression}"
        if listing is not None and listing.frames is not None:
            packing += f", {listing.frames} frame{'s' if listing.frames > 1 else ''}"
        trust = "" if listing is None or listing.verified else "  not verified"
        name = layer.path or layer.name or ""
        line(
            "└─ " if last else "├─ ",
            (f"{layer.part} ", "cyan"),
            name,
            (f"  {size_text(layer.size)}  {layer.digest.short}{packing}", "dim"),
            (trust, "yellow"),
        )
        stem = "   " if last else "│  "
        for entry in listing.files if listing is not None else ():
            size = (
                size_text(entry.size)
                if entry.type == "file"
                else {"dir": "", "symlink": f"→ {entry.link}"}.get(entry.type, "")
            )
            name = entry.path + ("/" if entry.type == "dir" else "")
            line(stem, f"{_mode(entry)} {size:>10}  ", (name, "red" if entry.problem else ""), _reason(entry))
        if one.problem:
            line(stem, (f"! {one.problem}", "red"))
    if traffic.requests:
        call.printer.note(f"{counted(traffic.requests, 'request')}, {size_text(traffic.bytes)} read")


def _reason(entry: FileEntry) -> tuple[str, str]:
    if entry.problem:
        return f"  ! {entry.problem}", "red"
    return (f"  {entry.note}" if entry.note else "", "yellow")


def _mode(entry: FileEntry) -> str:
    letter = {"dir": "d", "symlink": "l", "file": "-"}.get(entry.type, "?")
    return letter + "".join(bit if entry.mode & (256 >> n) else "-" for n, bit in enumerate("rwxrwxrwx"))

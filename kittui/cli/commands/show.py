"""`kittui show`: show one ModelKit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.cli.signed import NOT_CHECKED, Signed, check_all
from kittui.cli.stages import staged
from kittui.cli.variants import labels_option, print_variants, target_of, variant_document
from kittui.compare.as_json import plain
from kittui.modelkit import Layer, kitfile_yaml
from kittui.modelkit.kitfile import Remote
from kittui.modelkit.variants import variants_of
from kittui.oci.protocols import Incomplete
from kittui.terminal import size_text
from kittui.usecases.browse.exact import exact_kitfile
from kittui.usecases.browse.showing import Shown, show


@run.command("show")
@click.argument("reference")
@labels_option
@click.option("--all-tags", is_flag=True, help="Ask the registry for every tag on this digest.")
@click.option("--check", is_flag=True, help="Check its signatures (reads attached manifests).")
async def command(call: Call, reference: str, labels: tuple[str, ...], all_tags: bool, check: bool) -> int:
    """Show one ModelKit: manifest, Kitfile, annotations, layers and attached manifests. For an index, its variants.

    Without a tag, `latest` is used.
    """
    composition = call.composition
    located = await composition.places.locate(reference)
    call.printer.status(f"reading {located}")
    shown = await show(
        located.repository,
        await target_of(call, located, labels),
        composition.modelkits,
        all_tags=all_tags,
    )
    signed = NOT_CHECKED
    if check:
        signed = (await check_all(call, located.repository, [shown.modelkit.digest]))[shown.modelkit.digest]
    elif shown.attachments == () and not any(isinstance(error, Incomplete) for error in shown.incomplete):
        signed = Signed("unsigned")
    call.printer.result(_document(shown, signed), lambda: _print(call, shown, signed))
    for problem in [*shown.modelkit.problems, *(error.message for error in shown.incomplete)]:
        call.printer.warning(problem)
    return 4 if all_tags and any(isinstance(error, Incomplete) for error in shown.incomplete) else 0


def _document(shown: Shown, signed: Signed) -> dict[str, Any]:
    kit = shown.modelkit
    manifest = kit.manifest
    return {
        "reference": shown.reference,
        "digest": kit.digest,
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "kind": kit.kind,
        "label": kit.label,
        "size": None if manifest.is_index else kit.size,
        "created": kit.created,
        "tags": list(shown.tags),
        "signatures": None
        if shown.attachments is None
        else [{"tag": one.tag, "kind": one.kind, "digest": one.digest} for one in shown.attachments],
        **signed.to_json(),
        "complete": not shown.incomplete,
        "annotations": dict(kit.annotations),
        "config": manifest.config.to_json() if manifest.config else None,
        "subject": manifest.subject.to_json() if manifest.subject else None,
        "model_reference": str(kit.model_reference) if kit.model_reference else None,
        "kitfile": plain(exact_kitfile(kit)) if kit.is_modelkit else None,
        "layers": [_layer(layer) for layer in kit.layers],
        "remote": [remote_document(one) for one in kit.remotes],
        "manifests": [variant_document(one) for one in variants_of(manifest)],
        "problems": list(kit.problems),
    }


def remote_document(remote: Remote) -> dict[str, Any]:
    """Remote datasets and other parts kept outside the layers, as JSON."""
    return {
        "type": remote.section,
        "name": remote.name or None,
        "path": remote.path or None,
        "location": remote.location,
        "hash": remote.hash or None,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "type": layer.type,
        "role": layer.role or None,
        "path": layer.path,
        "name": layer.name,
        "media_type": layer.media_type,
        "digest": layer.digest,
        "diff_id": layer.diff_id,
        "size": layer.size,
        "compression": layer.compression,
        "format": layer.format,
        "annotations": dict(layer.annotations),
        "problem": layer.problem,
    }


def _print(call: Call, shown: Shown, signed: Signed) -> None:
    kit, printer = shown.modelkit, call.printer
    printer.line((shown.reference, "bold"))
    facts: list[tuple[str, Styled]] = [("kind", kit.label), ("digest", kit.digest)]
    if kit.manifest.artifact_type:
        facts.append(("artifact type", kit.manifest.artifact_type))
    if not kit.manifest.is_index:
        facts.append(
            ("size", f"{size_text(kit.size)} in {len(kit.layers)} {'layer' if len(kit.layers) == 1 else 'layers'}")
        )
    marks = [f"{staged(tag, call.composition.config)[0]} {tag}".strip() for tag in shown.tags]
    facts += [("tags", ", ".join(marks))] if marks else []
    facts += [("created", kit.created)] if kit.created else []
    facts += [("builds upon", str(kit.model_reference))] if kit.model_reference else []
    facts += [(one.kind, one.tag or one.digest) for one in shown.attachments or ()]
    if shown.attachments is None:
        facts.append(("signatures", ("not known", "yellow")))
    facts.append(("signed", signed.styled))
    for name, value in facts:
        printer.line((f"{name:<14}", "dim"), value)
    for key, value in kit.annotations.items():
        printer.line((f"{'annotation':<14}", "dim"), f"{key}: {value}")
    if kit.is_modelkit:
        printer.line("")
        printer.line(("Kitfile", "bold"))
        for line in kitfile_yaml(exact_kitfile(kit), exact=True).splitlines():
            printer.line("  " + line)
    if kit.layers:
        printer.line("")
        _print_layers(call, kit.layers)
    if kit.remotes:
        printer.line("")
        rows = [(one.section, one.path or one.name, one.location, one.hash) for one in kit.remotes]
        printer.table(("ELSEWHERE", "PATH", "LOCATION", "HASH"), rows)
    if kit.manifest.manifests:
        printer.line("")
        print_variants(call, variants_of(kit.manifest))


def _print_layers(call: Call, layers: Sequence[Layer]) -> None:
    marked = any(layer.problem for layer in layers)
    rows: list[Sequence[Styled]] = []
    for layer in layers:
        packed = layer.compression if layer.format == "tar" else f"{layer.format} {layer.compression}"
        row: list[Styled] = [
            layer.part,
            layer.path or layer.name or layer.media_type,
            size_text(layer.size),
            packed,
            (layer.digest.short, "dim"),
        ]
        if marked:
            row.append((layer.problem or "", "red"))
        rows.append(row)
    header = ["LAYER", "PATH", "SIZE", "COMPRESSION", "DIGEST", *(["PROBLEM"] if marked else [])]
    call.printer.table(header, rows, right=(2,))

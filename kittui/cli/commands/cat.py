"""`kittui cat`: one file's bytes to stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from kittui.cli import run
from kittui.cli.inspecting import inspector_of
from kittui.cli.run import Call
from kittui.cli.tensors import model_document, print_models
from kittui.cli.variants import labels_option, target_of
from kittui.cli.viewing import print_shown, shown_document
from kittui.errors import NotFound, Refused
from kittui.formats.text import Decoder, sniff
from kittui.modelkit import ModelKit, kitfile_yaml
from kittui.oci.traffic import metered
from kittui.terminal import clean
from kittui.usecases.inspect.files import FoundFile, find_in_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.models import ListedModel, open_model
from kittui.usecases.inspect.streams import Emit
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile, Shown

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository


@run.command("cat")
@click.argument("reference", metavar="REF")
@click.argument("path", metavar="PATH")
@labels_option
@click.option("--layer", metavar="LAYER", help="The layer's type, path, name or digest, if several layers have PATH.")
@click.option("--tensors", is_flag=True, help="List the tensors of a model file from its header instead.")
@click.option(
    "--view", is_flag=True, help="Print what the interface shows of the file instead (rows, cells, a schema)."
)
async def command(
    call: Call, reference: str, path: str, labels: tuple[str, ...], layer: str | None, tensors: bool, view: bool
) -> None:
    """Write the bytes of the file PATH in REF to stdout, reading only them.

    PATH is written as `kittui tree` lists it; Kitfile is the ModelKit's own. --json prints where the file is and its
    size without reading it. --tensors of a shard index (model.safetensors.index.json) lists those of all its shards.
    On a terminal, control characters are shown visibly and binary files are refused; --view prints their rows, cells,
    schema or tensors.
    """
    with metered() as traffic:
        located = await call.composition.places.locate(reference)
        repository = located.repository
        target = await target_of(call, located, labels, one=True)
        kit = await call.composition.modelkits.open(repository, target)
        inspector = inspector_of(call)
        emit = _emitter(call, path)
        try:
            found = await find_in_layers(inspector, repository, kit.layers, path, layer=layer)
        except NotFound as error:
            if path == "Kitfile" and layer is None and not call.options.json:
                await emit(_kitfile(kit, error))
                return
            raise error.at(repository.reference(target)) from None
        model = await open_model(inspector, repository, kit.layers, found) if tensors else None
        shown = await _shown(inspector, repository, kit, found) if view else None
        if not call.options.json and model is None and shown is None:
            await inspector.stream_file(repository, found.layer, found.entry, emit)
            return
        verified = inspector.is_verified(repository, found.layer)
    entry = found.entry
    document: dict[str, Any] = {
        "reference": repository.reference(target),
        "digest": kit.digest,
        "path": entry.path,
        "type": entry.type,
        "size": entry.size,
        "mode": entry.mode,
        "layer": {"type": found.layer.type, "path": found.layer.path, "digest": found.layer.digest},
        "verified": verified,
        "traffic": {"requests": traffic.requests, "bytes": traffic.bytes},
    }
    listed = [ListedModel(found, model)] if model is not None else []
    for one in listed:
        document["model"] = model_document(one)
    if shown is not None:
        document["view"] = shown_document(shown, found)
        call.printer.result(document, lambda: print_shown(call.printer, shown, found))
        return
    call.printer.result(document, lambda: print_models(call.printer, listed))


async def _shown(inspector: Inspector, repository: Repository, kit: ModelKit, found: FoundFile) -> Shown:
    view = await inspector.open(repository, found.layer, found.entry)
    return await show(
        OpenFile(
            found.entry.path,
            view,
            inspector=inspector,
            repository=repository,
            layer=found.layer,
            entry=found.entry,
            modelkit=kit,
        )
    )


def _kitfile(kit: ModelKit, missing: NotFound) -> bytes:
    if not kit.kitfile:
        raise missing
    return kitfile_yaml(kit.kitfile).encode("utf-8", "surrogateescape")


def _emitter(call: Call, path: str) -> Emit:
    """Writes raw bytes into a file or pipe, and cleaned text on a terminal."""
    if not sys.stdout.isatty():

        async def raw(piece: bytes) -> None:
            call.printer.bytes(piece)

        return raw
    decoder: Decoder | None = None

    async def shown(piece: bytes) -> None:
        nonlocal decoder
        if decoder is None:
            encoding = sniff(piece)
            if encoding is None:
                raise Refused(
                    f"{path} is binary and stdout is a terminal",
                    hint="Use --view to see its contents, or > FILE to save it.",
                )
            decoder = Decoder(encoding)
        text = decoder.feed(piece, ended=False)
        sys.stdout.write("\n".join(clean(line, limit=None) for line in text.split("\n")))

    return shown

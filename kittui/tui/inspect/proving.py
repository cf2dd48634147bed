"""Proves that a layer matches its digest, and that a file was shown as it is in the layer."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from kittui.errors import KittuiError, Malformed
from kittui.formats.model_file import header_budget, read_weights
from kittui.terminal import size_text
from kittui.tui.frame.asking import agree
from kittui.tui.frame.selection import FileHere
from kittui.usecases.inspect.prices import FREE, Price
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile, Shown, Tensors, Way
from kittui.usecases.inspect.views import BytesView, drive

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.tui.frame.context import Context

HEADER = 16 * 1024 * 1024
"""Bytes of a model file that are kept while its layer is read: its header is read from them once more."""


async def prove(context: Context, here: FileHere, contents: Shown | None) -> Shown | None:
    """Read the layer whole and prove its digest, asking first where it is big; says how it went.

    Returns the same contents if what they show is verified too, different ones if the layer's bytes differ from what
    was served by ranges, and None if nothing was verified. Without contents it is only the layer that is proven.
    """
    layer = here.layer
    name = layer.path or layer.digest.short
    price = Price(layer.size, f"layer {name}", "only the whole layer proves its digest")
    if layer.size > FREE and not await agree(context, "", price):
        return None
    context.activity("verify", f"✓ {layer.digest.short}")

    def progress(_: list[FileEntry], read: int, size: int) -> None:
        context.activity("verify", f"✓ {layer.digest.short} {read * 100 // max(1, size)} %")

    inspector = context.ports.inspector()
    held = b""
    try:
        if contents is None:
            await inspector.verify(here.repository, layer, progress)
        else:
            kept = max(1, contents.shown) if not isinstance(contents.first, Tensors) else HEADER
            _, held = await inspector.verified_file(here.repository, layer, here.entry, kept, progress, start=True)
    except KittuiError as error:
        context.fail(error)
        context.browser.relist(layer)
        return None
    finally:
        context.activity("verify", None)
    context.browser.relist(layer)
    if contents is None:
        context.toast(f"The layer {layer.digest.short} is what its digest says ({size_text(layer.size)} read).")
        return None
    if isinstance(contents.first, Tensors):
        return await _model_again(context, here, contents, held)
    if not contents.proof:
        context.toast(f"The layer {layer.digest.short} is what its digest says; what is shown was read by ranges.")
        return contents
    if contents.proof and contents.proof == hashlib.sha256(held[: contents.shown]).digest():
        contents.verified = True
        context.toast(f"The layer {layer.digest.short} is what its digest says, and this is what it holds.")
        return contents
    context.toast(f"What was shown is not what the layer {layer.digest.short} holds: this is.")
    return await show(OpenFile(here.entry.path, BytesView(held, verified=True)))


async def _model_again(context: Context, here: FileHere, contents: Shown, held: bytes) -> Shown:
    """Read the header once more from proven bytes; the tree on the screen stays where it says the same."""
    short, tensors = here.layer.digest.short, contents.first
    if not isinstance(tensors, Tensors):
        return contents
    if len(tensors.model.shards) > 1:
        context.toast(f"The layer {short} is what its digest says; the other files of the model were read by ranges.")
        return contents
    try:
        weights = await drive(
            read_weights(here.entry.path, here.entry.size, header_budget()), BytesView(held, verified=True)
        )
    except Malformed:
        if here.entry.size <= len(held):
            raise
        context.toast(f"The layer {short} is what its digest says; the header, longer than 16 MB, was read by ranges.")
        return contents
    if weights.tensors == tensors.model.weights.tensors:
        contents.verified = True
        context.toast(f"The layer {short} is what its digest says, and these are its tensors.")
        return contents
    context.toast(f"What was listed is not what the layer {short} holds: this is.")
    found = Tensors(replace(tensors.model, weights=weights), tensors.facts)
    return replace(contents, ways=(Way(contents.ways[0].name, found),), verified=True)

"""Saving a file of a layer to this machine."""

from __future__ import annotations

from pathlib import Path

from kittui.errors import KittuiError
from kittui.terminal import size_text
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.asking import agree
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import FileHere
from kittui.usecases.inspect.prices import Price
from kittui.usecases.inspect.saving import save_file


async def save(context: Context, here: FileHere) -> None:
    """Ask for a place and save the file there."""
    name = here.entry.path.rpartition("/")[2]
    text = await context.ask(InputDialog("Save to", value=str(Path.cwd() / name)))
    if not text:
        return

    async def ask(price: Price) -> bool:
        return await agree(context, here.entry.path, price)

    context.activity("save", f"⬇ {name}")
    try:
        inspector = context.ports.inspector()
        saved = await save_file(inspector, here.repository, here.layer, here.entry, Path(text), ask=ask)
    except KittuiError as error:
        context.fail(error)
        return
    finally:
        context.activity("save", None)
    trust = "verified" if here.verified else "not verified: kittui pull proves the layer's digest"
    context.toast(f"Saved {saved} ({size_text(here.entry.size)}, {trust})")

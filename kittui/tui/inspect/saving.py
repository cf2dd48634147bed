"""Saves a file in a layer to this machine."""

from __future__ import annotations

from pathlib import Path

from kittui.errors import Refused
from kittui.terminal import size_text
from kittui.tui.frame.asking import agree
from kittui.tui.frame.context import Context
from kittui.tui.frame.saving import ask_and_save
from kittui.tui.frame.selection import FileHere
from kittui.usecases.inspect.prices import Price
from kittui.usecases.inspect.saving import save_file


async def save(context: Context, here: FileHere) -> None:
    """Ask for a place and save the file there."""
    name = here.entry.path.rpartition("/")[2]

    agreed = True

    async def ask(price: Price) -> bool:
        nonlocal agreed
        agreed = await agree(context, here.entry.path, price)
        return agreed

    async def write(path: str) -> Path | None:
        context.activity("save", f"⬇ {name}")
        try:
            inspector = context.ports.inspector()
            return await save_file(inspector, here.repository, here.layer, here.entry, Path(path), ask=ask)
        except Refused:
            if agreed:
                raise
            return None  # The user gave up: no other path helps.
        finally:
            context.activity("save", None)

    offered = str(Path.cwd() / name)
    if saved := await ask_and_save(context.program, "Save to", (), offered, write, draft=f"save {offered}"):
        trust = "verified" if here.verified else "not verified: kittui pull verifies the layer's digest"
        context.toast(f"Saved {saved} ({size_text(here.entry.size)}, {trust})")

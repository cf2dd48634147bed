"""Which records of moves are deleted from a registry: what is asked before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kittui.terminal import clean, counted
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.usecases.trust.chain import TagEvent
from kittui.usecases.trust.history import MergedHistory
from kittui.usecases.trust.prune import old_records

if TYPE_CHECKING:
    from kittui.tui.frame.program import Program

MOST: Final = 100_000
"""The most records per tag that can be kept."""
NAMED: Final = 12
"""Records that are named before they are deleted."""


async def choose_old(program: Program, history: MergedHistory) -> Sequence[TagEvent]:
    """Ask how many records of each tag stay, and whether the others go; none go where the user cancels."""
    text = await program.ask(
        InputDialog(
            "Prune records",
            ("How many records to keep for each tag? The history on this machine keeps all.",),
            value="20",
            check=_wrong_number,
        )
    )
    if text is None:
        return ()
    old = old_records(history, int(text))
    if not old:
        program.toast(f"Nothing to prune: no tag has more than {int(text)} proven records.")
        return ()
    words = [clean(f"{event.time[:10]}  {event.action} {event.tag}  {event.record[7:19]}") for event in old[:NAMED]]
    words += [f"and {len(old) - NAMED} more"] if len(old) > NAMED else []
    words += ["", "They are deleted from the registry for everyone; undo can't restore them."]
    dialog = ConfirmDialog(f"Delete {counted(len(old), 'record')}", words, "Delete", danger=True)
    return old if await program.ask(dialog) else ()


def _wrong_number(text: str) -> str:
    text = text.strip()
    # Python refuses to parse a number with thousands of digits.
    fits = text.isdecimal() and len(text) <= len(str(MOST)) and 0 < int(text) <= MOST
    return "" if fits else "Write a number from 1."

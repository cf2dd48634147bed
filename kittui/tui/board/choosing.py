"""Choosing what a board is of: a saved set, the favourites, a source, a namespace of what is shown, or everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.terminal import clean
from kittui.tui.board.cards import namespace
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.program import Program

if TYPE_CHECKING:
    from kittui.usecases.trust.board import BoardRow


async def choose(program: Program, ports: Ports, rows: Sequence[BoardRow]) -> tuple[str, ...] | None:
    """The words that name it; None where the user would not choose."""
    choices: list[Choice[tuple[str, ...]]] = [
        Choice((word,), clean(word, limit=60), "saved set") for word in ports.trust.sets
    ]
    if ports.settings.favourites:
        choices.append(Choice(tuple(ports.settings.favourites), "favourites", "the starred repositories"))
    places = [str(each.place) for each in ports.places]
    choices += [Choice((place,), clean(place, limit=60), "source") for place in places]
    names = sorted({namespace(row) for row in rows if row.name.count("/") > 1})
    choices += [Choice((f"{name}/",), clean(f"{name}/", limit=60), "namespace") for name in names]
    choices.append(Choice((), "everything", "all that is configured"))
    return await program.ask(ChoiceDialog("Board of", choices))

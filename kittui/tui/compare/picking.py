"""Which two versions are meant."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.errors import KittuiError
from kittui.oci.reference import LOCAL
from kittui.terminal import clean
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.context import Context
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.ports import Ports
from kittui.tui.selection import Selection
from kittui.usecases.diff import DiffUseCase, Side
from kittui.usecases.look import Inspector
from kittui.usecases.tag_names import natural_key

_PAIRS = (("champion", "challenger"), ("champion", "rollback"))
_LISTED = 500


async def diff(context: Context) -> None:
    """Open the comparison of what is marked and under the cursor; where that isn't two, ask for the other one."""
    pair = marked(context.selection)
    if pair is None:
        pair = await _pick(context)
        if pair is None:
            return
    context.show(CompareScreen(await use_case(context.ports, pair), *pair))
    context.clear_marks()


def marked(selection: Selection) -> tuple[Side, Side] | None:
    """The two marked versions in the order of marking, or the marked one and the one under the cursor."""
    sides = [Side(mark.repository, mark.target) for mark in selection.marks]
    here = _here(selection)
    if len(sides) == 1 and here is not None and here.reference != sides[0].reference:
        sides.append(here)
    return (sides[0], sides[1]) if len(sides) == 2 else None


async def use_case(ports: Ports, pair: tuple[Side, Side]) -> DiffUseCase:
    """The use case over what the program was started with."""
    inspector = ports.services.get("inspector")
    holders = []
    if any(side.repository.source.place.kind == "remote" for side in pair):
        try:
            # Any repository of the store will do: blobs are shared by all of them.
            holders.append((await ports.source(LOCAL)).repository("kittui"))
        except KittuiError:
            holders = []
    return DiffUseCase(ports.modelkit, inspector if isinstance(inspector, Inspector) else Inspector(), holders)


def _here(selection: Selection) -> Side | None:
    if selection.repository is None or selection.target is None:
        return None
    return Side(selection.repository, selection.target)


async def _pick(context: Context) -> tuple[Side, Side] | None:
    selection = context.selection
    repository, target = selection.repository, selection.target
    if repository is None or target is None:
        return None
    names: list[str] = []
    async for page in context.ports.tags(repository):
        names += [entry.name for entry in page if entry.name is not None]
    choices = common_pairs(names, target)
    words = [f"{clean(repository.name)} has no other version to compare {clean(target, limit=30)} with."]
    if not choices:
        raise KittuiError(words[0], hint="Mark a version elsewhere with Space, then press d here.")
    answer = await context.ask(ChoiceDialog("Compare", choices))
    return None if answer is None else (Side(repository, answer[0]), Side(repository, answer[1]))


def common_pairs(names: Sequence[str], target: str) -> list[Choice[tuple[str, str]]]:
    """What is often compared first, then the version under the cursor with every other one."""
    pairs: dict[tuple[str, str], str] = {}
    for first, second in _PAIRS:
        if first in names and second in names:
            pairs[first, second] = (
                "what would be promoted" if second == "challenger" else "what a rollback would change"
            )
    ordered = sorted((name for name in names if any(map(str.isdigit, name))), key=natural_key)
    if target in ordered and (at := ordered.index(target)) > 0:
        pairs.setdefault((ordered[at - 1], target), "the version before")
    mine = [pair for pair in pairs if target in pair]
    pairs = {pair: pairs[pair] for pair in [*mine, *(pair for pair in pairs if pair not in mine)]}
    for name in sorted(names, key=natural_key, reverse=True)[:_LISTED]:
        if name != target and (name, target) not in pairs and (target, name) not in pairs:
            pairs[name, target] = ""
    return [
        Choice(pair, f"{clean(pair[0], limit=30)} → {clean(pair[1], limit=30)}", words) for pair, words in pairs.items()
    ]

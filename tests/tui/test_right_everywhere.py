"""What a key of ours changed is right everywhere at once: tags, ●, stages, header, repositories, board, local store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from tests.change.kits import Kits, jobs_of, on, ready
from tests.tui.waiting import browse, fill_in, quiet, text_of, until

Step = Callable[[Pilot[Any], Kits], Awaitable[None]]
LOCAL_NAME = "registry.test/fraud"


async def tags_of(repository: Any) -> dict[str, Digest]:
    """What its tags point to, asked of the source."""
    names = [entry.name async for page in repository.tags() for entry in page if entry.name]
    return {name: (await repository.resolve(name)).digest for name in names}


async def agree(pilot: Pilot[Any]) -> None:
    """Agree to a plan."""
    await until(pilot, on(pilot, PlanDialog))
    if isinstance(pilot.app.focused, Input):
        await pilot.press("enter")
    await pilot.press("enter")
    await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def typed(pilot: Pilot[Any], key: str, text: str) -> None:
    """A key, and the text that it asks for."""
    await pilot.press(key)
    await until(pilot, on(pilot, InputDialog))
    pilot.app.screen.query_one(Input).value = ""
    await fill_in(pilot, text)
    await pilot.press("enter")


async def transferred(pilot: Pilot[Any], count: int) -> None:
    await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done"] * count)


async def pull(pilot: Pilot[Any], kits: Kits) -> None:
    await ready(pilot, "challenger")
    await pilot.press("p")
    await agree(pilot)
    await transferred(pilot, 1)


async def promote(pilot: Pilot[Any], kits: Kits) -> None:
    await pilot.press("c")
    await agree(pilot)


async def undo(pilot: Pilot[Any], kits: Kits) -> None:
    await pilot.press("z")
    await agree(pilot)


async def redo(pilot: Pilot[Any], kits: Kits) -> None:
    await pilot.press("Z")
    await agree(pilot)


async def retag(pilot: Pilot[Any], kits: Kits) -> None:
    await ready(pilot, "v0.9.0")
    await typed(pilot, "t", "fresh")
    await until(pilot, lambda: "fresh" in kits.fraud.tagged)


async def retag_over(pilot: Pilot[Any], kits: Kits) -> None:
    await ready(pilot, "v1.0.0")
    await typed(pilot, "t", "fresh")
    await until(pilot, on(pilot, PlanDialog))
    await pilot.press("enter", "up", "enter")
    await until(pilot, lambda: kits.fraud.tagged["fresh"] == kits.fraud.tagged["v1.0.0"])


async def unpack(pilot: Pilot[Any], kits: Kits) -> None:
    await ready(pilot, "challenger")
    await pilot.press("u")
    await until(pilot, on(pilot, UnpackDialog))
    pilot.app.screen.query_one(Input).value = str(kits.folder / "unpacked")
    await pilot.press("enter")
    await transferred(pilot, 2)


async def to_the_store(pilot: Pilot[Any], kits: Kits) -> None:
    browse(pilot).open(kits.store.place, LOCAL_NAME, None)
    await until(pilot, lambda: shown_name(pilot) == LOCAL_NAME)
    await ready(pilot, "challenger")


async def push(pilot: Pilot[Any], kits: Kits) -> None:
    """The store is shown, and what was read of the registry's tags is kept."""
    await typed(pilot, "P", "registry.test/fraud:pushed")
    await agree(pilot)
    await transferred(pilot, 3)


async def copy_elsewhere(pilot: Pilot[Any], kits: Kits) -> None:
    """Into another repository of the registry, whose tags were counted before."""
    await typed(pilot, "P", "registry.test/other:copied")
    await agree(pilot)
    await transferred(pilot, 4)


async def copy_anew(pilot: Pilot[Any], kits: Kits) -> None:
    """Into a repository that is new there."""
    await typed(pilot, "P", "registry.test/anew:first")
    await agree(pilot)
    await transferred(pilot, 5)


async def removed(pilot: Pilot[Any]) -> None:
    """Untag what is under the cursor: the plan begins on its reason, and its cursor on Cancel or on Untag."""
    await pilot.press("x")
    await until(pilot, on(pilot, PlanDialog))
    await pilot.press("enter", "home", "enter")
    await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def untag_in_the_store(pilot: Pilot[Any], kits: Kits) -> None:
    """The digest stays there without a tag."""
    await removed(pilot)
    await until(pilot, lambda: "(no tag)" in text_of(pilot))


async def untag(pilot: Pilot[Any], kits: Kits) -> None:
    browse(pilot).open(kits.registry.place, "fraud", None)
    await until(pilot, lambda: shown_name(pilot) == "fraud")
    await ready(pilot, "pushed")
    await removed(pilot)
    await until(pilot, lambda: "pushed" not in kits.fraud.tagged)


STEPS: tuple[Step, ...] = (
    *(pull, promote, undo, redo, retag, retag_over, unpack),
    *(to_the_store, push, copy_elsewhere, copy_anew, untag_in_the_store, untag),
)


def shown_name(pilot: Pilot[Any]) -> str:
    """The repository whose tags are shown."""
    repository = browse(pilot).tags_pane.repository
    return repository.name if repository is not None else ""


async def wrong(pilot: Pilot[Any], kits: Kits) -> list[str]:
    """What the panes show that is not so; nothing is pressed and nothing asked of the program."""
    screen, found = browse(pilot), []
    blobs = {name async for name in held_blobs(kits)}
    pane = screen.tags_pane
    truth = await tags_of(pane.repository) if pane.repository is not None else {}
    shown = {row.entry.name: row for row in pane.body.rows if getattr(row, "entry", None) and row.entry.name}
    if set(shown) != set(truth):
        found.append(f"tags of {shown_name(pilot)}: {sorted(shown)} not {sorted(truth)}")
    for name, row in shown.items():
        if row.digest != truth.get(name):
            found.append(f"{name} is shown on {row.digest}, not {truth.get(name)}")
        layers = {layer.digest for layer in row.layers}
        here = (
            "" if row.repository.source.traits.is_store or not layers & blobs else "all" if layers <= blobs else "part"
        )
        if row.held != here:
            found.append(f"● of {name}: {row.held!r} not {here!r}")
    for place in screen.repositories_pane.places:
        if place.source is None or not place.asked:
            continue
        names = {entry.name async for page in place.source.repositories() for entry in page}
        if {each.entry.name for each in place.found} != names:
            found.append(f"repositories of {place.label}: {sorted(each.entry.name for each in place.found)}")
        for each in place.found:
            count = len(await tags_of(each.repository))
            if each.tags not in (None, count):
                found.append(f"{each.entry.name} has {each.tags} tags, not {count}")
    selection = screen.selection
    if isinstance(selection.target, Digest):
        return found
    if selection.target is not None and selection.target not in truth:
        found.append(f"the header names {selection.target}")
    path = screen.query_one("HeaderBar").where  # type: ignore[attr-defined]
    if selection.target is not None and path[-1] != selection.target:
        found.append(f"the header says {path}, not {selection.target}")
    return found


async def held_blobs(kits: Kits) -> Any:
    """The blobs that the store's own ModelKits name."""
    async for page in kits.store.repositories():
        for entry in page:
            repository = kits.store.repository(entry.name)
            described = [one.descriptor async for tags in repository.tags() for one in tags if one.descriptor]
            for descriptor in described:
                for layer in (await repository.manifest(descriptor.digest)).layers:
                    yield layer.digest


async def on_the_board(pilot: Pilot[Any], kits: Kits) -> list[str]:
    """What the board shows that is not so."""
    await pilot.press("b")
    await until(pilot, on(pilot, BoardScreen))
    board: Any = pilot.app.screen
    await until(pilot, lambda: board.rows and all(row.complete for row in board.rows.values()))
    found = []
    for row in board.rows.values():
        truth = await tags_of(row.repository)
        stages = {tag: truth[tag] for tag in ("champion", "challenger", "rollback") if tag in truth}
        if {tag: cell.digest for tag, cell in row.cells.items() if cell.digest} != stages:
            found.append(f"the board's {row.name}")
    await pilot.press("escape")
    await until(pilot, lambda: pilot.app.screen is browse(pilot))
    return found


async def test_what_was_changed_is_right_everywhere_at_once(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    kits.registry.repository("other").add_kit("x", "v1", "v2", "v3")

    async def held(blobs: Iterable[Descriptor]) -> frozenset[Digest]:
        there = {name async for name in held_blobs(kits)}
        return frozenset(blob.digest for blob in blobs if blob.digest in there)

    kits.world._held = held  # type: ignore[method-assign]
    async with kits.app().run_test(notifications=True, size=(160, 45)) as pilot:
        await ready(pilot)
        screen = browse(pilot)
        screen.open(kits.registry.place, "other", None)
        await until(pilot, lambda: shown_name(pilot) == "other" and len(screen.tags_pane.body.rows) == 3)
        await quiet(pilot)
        tree = screen.repositories_pane
        tree.unfold(next(row for row in tree.places if row.entry.place == kits.store.place))
        screen.open(kits.registry.place, "fraud", None)
        await until(pilot, lambda: shown_name(pilot) == "fraud")
        await ready(pilot)
        assert await wrong(pilot, kits) == []
        for step in STEPS:
            await step(pilot, kits)
            await quiet(pilot)
            left = await wrong(pilot, kits)
            for _ in range(100):
                if left:
                    await pilot.pause(0.02)
                    left = await wrong(pilot, kits)
            assert left == [], f"after {step.__name__}\n{text_of(pilot)}"
            assert await on_the_board(pilot, kits) == [], step.__name__

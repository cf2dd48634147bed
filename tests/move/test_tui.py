"""The keys that move things, pressed: plans are shown, done, undone; transfers run, stop and go on."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.memory import MemoryRepository, MemorySource
from textual.pilot import Pilot
from tui.waiting import browse, quiet, text_of, until
from tui.world import World

from kittui.errors import ConnectionLost
from kittui.oci.protocols import Power, Repository
from kittui.oci.reference import LOCAL, Reference
from kittui.store import LocalSource
from kittui.transfer.fetch import Tuning
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.move.service import SERVICE, Moves
from kittui.tui.move.transfers_screen import TransfersScreen
from kittui.tui.move.unpack_dialog import UnpackDialog
from kittui.usecases.ledger import Ledger, Rules
from kittui.usecases.look import Inspector

TAR = "application/vnd.kitops.modelkit.model.v1.tar"
CODE = "application/vnd.kitops.modelkit.code.v1.tar"


def tar(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"src/{name}.py")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


class Set:
    """A registry with a lifecycle, a store, and the program over both."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.folder = folder
        self.registry = MemorySource()
        self.fraud: MemoryRepository = self.registry.repository("fraud")
        layers = [(TAR, b"m" * 3_000_000), (CODE, tar(a=b"alpha", b=b"beta"))]
        self.fraud.add_kit("nine", "rollback", "v0.9.0", layers=layers[1:], code=[{"path": "src"}])
        self.fraud.add_kit("one", "champion", "v1.0.0", layers=layers, model={"path": "m"}, code=[{"path": "src"}])
        self.fraud.add_kit("two", "challenger", "v1.1.0", layers=layers[1:], code=[{"path": "src"}])
        self.store = LocalSource(folder / "home", recheck=0)
        self.world = World(self.store, self.registry)  # type: ignore[arg-type]
        self.ledger = Ledger.open(folder / "state", "tester@here")
        tuning = Tuning(first_wait=0.01)
        moves = Moves(self.ledger, Rules(**rules), Inspector(), self.find, tuning)
        self.moves = moves
        self.world.services[SERVICE] = moves

    async def find(self, reference: Reference) -> tuple[Repository, str]:
        return self.store.repository(str(reference)), "latest"

    def tags(self) -> dict[str, str]:
        versions = {digest: tag for tag, digest in self.fraud.tagged.items() if tag.startswith("v")}
        return {tag: versions[digest] for tag, digest in self.fraud.tagged.items() if not tag.startswith("v")}

    def app(self) -> Any:
        return self.world.app("remote://registry.test/fraud")


async def ready(pilot: Pilot[Any], tag: str = "champion") -> None:
    await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
    await quiet(pilot)
    body = browse(pilot).tags_pane.body
    number = next(number for number, row in enumerate(body.rows) if getattr(row, "target", "") == tag)
    body.move_to(number)
    await quiet(pilot)


def on(pilot: Pilot[Any], screen: type) -> Callable[[], bool]:
    return lambda: isinstance(pilot.app.screen, screen)


@pytest.fixture
def kits(tmp_path: Path) -> Set:
    return Set(tmp_path)


async def test_c_and_enter_promote_and_z_takes_it_back(kits: Set) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PlanDialog))
        shown = text_of(pilot)
        assert "remote://registry.test/fraud" in shown
        assert "rollback" in shown
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")
        assert kits.tags()["rollback"] == "v1.0.0"
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.0.0")
        assert kits.tags()["rollback"] == "v0.9.0"
        await pilot.press("R")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v0.9.0")
        await quiet(pilot)
        await pilot.press("H")
        await until(pilot, lambda: "undo" in text_of(pilot))


async def test_t_retags_and_shows_a_tag_that_would_move(kits: Set) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot, "v1.1.0")
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"champion", "enter")
        await until(pilot, on(pilot, PlanDialog))
        assert "moves" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")


async def test_x_on_a_registry_that_cannot_untag_offers_the_ways(kits: Set) -> None:
    kits.registry.powers["untag"] = Power("no", "Distribution 2.8 cannot remove a tag alone")
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        shown = text_of(pilot)
        assert "placeholder" in shown
        assert "would also remove v1.0.0" in shown
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: "champion" not in kits.fraud.tagged)
        assert "v1.0.0" in kits.fraud.tagged


async def test_x_stays_on_cancel_where_enter_is_hit_at_once(kits: Set) -> None:
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await quiet(pilot)
        assert "champion" in kits.fraud.tagged


async def test_read_only_refuses_and_says_why(tmp_path: Path) -> None:
    kits = Set(tmp_path, read_only=True)
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, lambda: any("read-only" in note.message for note in pilot.app._notifications))
        assert kits.tags()["champion"] == "v1.0.0"


async def test_p_pulls_in_the_background_and_a_stopped_pull_goes_on(kits: Set) -> None:
    stuck = asyncio.Event()

    def cut(repository: MemoryRepository, verb: str, what: str) -> None:
        content = repository.blobs.get(what)  # type: ignore[call-overload]
        if verb == "GET" and content is not None and len(content) > 1_000_000:
            stuck.set()
            raise ConnectionLost("cut by the test")

    kits.registry.hooks.append(cut)
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("p")
        await until(pilot, on(pilot, PlanDialog))
        assert "3.0 MB" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, stuck.is_set)
        await pilot.press("T")
        await until(pilot, on(pilot, TransfersScreen))
        await pilot.press("x")
        (job,) = kits.moves.jobs.jobs
        await until(pilot, lambda: job.state == "stopped")
        kits.registry.hooks.clear()
        await pilot.press("r")
        await until(pilot, lambda: job.state == "done")
        await pilot.press("escape")
    pulled = kits.store.repository("registry.test/fraud")
    assert (await pulled.resolve("champion")).digest == kits.fraud.tagged["champion"]
    assert kits.world.sources[LOCAL] is kits.store  # type: ignore[comparison-overlap]


async def test_marked_tags_are_pulled_together(kits: Set) -> None:
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("space")
        await ready(pilot, "challenger")
        await pilot.press("space", "p")
        await until(pilot, on(pilot, PlanDialog))
        assert "2 ModelKits" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in kits.moves.jobs.jobs] == ["done", "done"])


async def test_u_unpacks_two_ticked_files_of_a_layer(kits: Set) -> None:
    out = kits.folder / "out"
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("u")
        await until(pilot, on(pilot, UnpackDialog))
        await pilot.press("a", "down", "down", "right")
        await until(pilot, lambda: "src/a.py" in text_of(pilot))
        await pilot.press("down", "space", "tab")
        for _ in range(200):
            await pilot.press("backspace")
        await pilot.press(*str(out).replace("/", "/"), "enter")
        await until(pilot, lambda: bool(kits.moves.jobs.jobs) and not kits.moves.jobs.jobs[0].active)
    assert kits.moves.jobs.jobs[0].state == "done"
    assert [path.name for path in out.rglob("*.py")] == ["a.py"]
    assert not (out / "Kitfile").exists()


async def test_a_protected_tag_wants_its_name(tmp_path: Path) -> None:
    kits = Set(tmp_path, protected=frozenset({"champion"}))
    async with kits.app().run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: "is protected" in text_of(pilot))
        await pilot.press(*"champion", "enter")
        await until(pilot, lambda: "champion" not in kits.fraud.tagged)

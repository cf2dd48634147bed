"""A registry with a lifecycle, a store, and the interface over both."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from kittui.modelkit.stages import LifecycleTags
from kittui.oci.protocols import Repository
from kittui.oci.reference import Reference
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.retry import Pace
from kittui.store import LocalSource
from kittui.transfer.fetch import Tuning
from kittui.tui.change.jobs import Job, Jobs
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.inspect.inspector import Inspector
from tests.change.lifecycle import stages_of
from tests.fakes.memory import MemoryRepository, MemorySource
from tests.tui.waiting import browse, quiet, until
from tests.tui.world import World

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


class Kits:
    """A registry with a lifecycle, a store, and the program over both."""

    def __init__(self, folder: Path, stages: LifecycleTags | None = None, **policy: Any) -> None:
        self.folder = folder
        self.registry = MemorySource()
        self.fraud: MemoryRepository = self.registry.repository("fraud")
        layers = [(TAR, b"m" * 3_000_000), (CODE, tar(a=b"alpha", b=b"beta"))]
        self.fraud.add_kit("nine", "rollback", "v0.9.0", layers=layers[1:], code=[{"path": "src"}])
        self.fraud.add_kit("one", "champion", "v1.0.0", layers=layers, model={"path": "m"}, code=[{"path": "src"}])
        self.fraud.add_kit("two", "challenger", "v1.1.0", layers=layers[1:], code=[{"path": "src"}])
        self.store = LocalSource(folder / "home", recheck=0)
        self.world = World(self.store, self.registry, lifecycle=stages or LifecycleTags())  # type: ignore[arg-type]
        self.ledger = Ledger.open(folder / "state", "tester@here")
        tuning = Tuning(pace=Pace(tries=7, first=0.01))
        self.world.settings = replace(self.world.settings, read_only=bool(policy.get("read_only")))
        self.world.change_tools = ChangeTools(self.ledger, Policy(**policy), Inspector(), self.find, tuning)

    async def find(self, reference: Reference) -> tuple[Repository, Target]:
        return self.store.repository(str(reference)), Tag("latest")

    def tags(self) -> dict[str, str]:
        return stages_of(self.fraud)

    def app(self) -> Any:
        return self.world.app("remote://registry.test/fraud")


def jobs_of(pilot: Pilot[Any]) -> list[Job]:
    """The transfers of the program."""
    program: Any = pilot.app
    jobs: list[Job] = program.state(Jobs).jobs
    return jobs


async def ready(pilot: Pilot[Any], tag: str = "champion") -> None:
    await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
    await quiet(pilot)
    body = browse(pilot).tags_pane.body
    number = next(number for number, row in enumerate(body.rows) if getattr(row, "target", "") == tag)
    body.move_to(number)
    await quiet(pilot)


def on(pilot: Pilot[Any], screen: type) -> Callable[[], bool]:
    return lambda: isinstance(pilot.app.screen, screen)


async def said_times(pilot: Pilot[Any], words: str, times: int) -> None:
    """Wait until something was said so often, and is shown once."""
    program = browse(pilot).program
    await until(pilot, lambda: "\n".join(each.text for each in program._said).count(words) == times)
    await until(pilot, lambda: said(pilot).count(words) == 1)


def said(pilot: Pilot[Any]) -> str:
    """Every message that is shown now."""
    return "\n".join(f"{note.title}\n{note.message}" for note in pilot.app._notifications)

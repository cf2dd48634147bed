"""Lists doctor's checks, with their results and what to do, and repairs what it can after showing a plan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType

from kittui.oci.reference import Place
from kittui.terminal import clean, counted
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.frame.commands import Condition, changes_allowed
from kittui.tui.frame.context import Context
from kittui.tui.upkeep.list_screen import ListScreen
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line
from kittui.tui.widgets.rows import Rows
from kittui.usecases.doctor import REPAIR_ALSO, Check

MARKS: Final = {"good": ("✓", "good"), "warn": ("▲", "warn"), "bad": ("✗", "bad"), "unknown": ("?", "muted")}


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One check, and its section."""

    section: str
    check: Check


class DoctorScreen(ListScreen[Finding]):
    """Terminal, configuration, store and registries."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "repair", "Repair", id="checks.repair", tooltip="Repair the store where nothing is lost by it"),
        Binding("V", "verify", "Verify", id="checks.verify", tooltip="Hash every blob of the store too"),
    ]
    HINTS = (("checks.repair", "Repair", "screen.repair"), ("checks.verify", "Verify blobs", "screen.verify"))

    NEEDS: ClassVar[Mapping[str, Condition]] = {"checks.repair": changes_allowed}

    def __init__(self, context: Context, registries: Sequence[Place]) -> None:
        columns = (
            Column("", 1, sticky=True),
            Column("what", 18, sticky=True),
            Column("seen", 40, flex=True),
            Column("of", 24, flex=True),
        )
        super().__init__(context, "Doctor", columns)
        self._registries = tuple(registries)
        self._verify = False

    async def read(self) -> None:
        """Run one check after another."""
        async for section, check in self.program.ports.upkeep.examine(self._registries, self._verify):
            self.add(Finding(section, check))
            self.say(f"{section}: {check.name}; Esc stops")

    def summary(self) -> str:
        """The number of checks with each result."""
        states = [one.check.state for one in self.found]
        said = [f"{counted(len(states), 'check')}: {states.count('good')} good"]
        said += [f"{states.count('warn')} to look at"] if "warn" in states else []
        said += [f"{states.count('bad')} wrong"] if "bad" in states else []
        said += [f"{states.count('unknown')} unknown"] if "unknown" in states else []
        said += [f"{len(self.repairable)} can be repaired"] if self.repairable else []
        return " · ".join(said)

    @property
    def repairable(self) -> list[Finding]:
        """The problems that a repair fixes."""
        return [one for one in self.found if one.check.repairable]

    def cells(self, row: Finding) -> Sequence[Spans]:
        """Result, name, finding."""
        mark, role = MARKS[row.check.state]
        return (
            ((mark, role),),
            ((clean(row.check.name), "text+bold"),),
            ((clean(row.check.seen), "text" if row.check.state == "good" else role),),
            ((clean(row.section), "muted"),),
        )

    def key(self, row: Finding) -> Hashable:
        """Each check is its own."""
        return row.section, row.check.name, row.check.seen

    def lines(self, row: Finding | None) -> Sequence[Line]:
        """The full finding, and what to do."""
        if row is None:
            return [(("Nothing was checked yet." if self.reading else self.nothing("Nothing to check."), "muted"),)]
        mark, role = MARKS[row.check.state]
        lines: list[Line] = [
            ((f"{mark} ", role), (clean(row.check.name), "text+bold"), (f"  {clean(row.section)}", "muted")),
            ((clean(row.check.seen), "text"),),
        ]
        if row.check.repairable and not self.refusal("checks.repair"):
            key = self.program.ports.keys["checks.repair"]
            lines.append(((f"{key} repairs it.", "accent"),))
        elif row.check.remedy and row.check.state != "good":
            lines.append(((clean(row.check.remedy), "accent"),))
        return lines

    def text(self, row: Finding) -> str:
        """Section, name, result, finding, what to do."""
        check = row.check
        return "\t".join((row.section, check.name, check.state, check.seen, check.remedy))

    @on(Rows.Opened)
    def _opened(self) -> None:
        self.notify("What was found and what to do is below the list.", markup=False)

    def action_verify(self) -> None:
        """Check again, and hash every blob."""
        self._verify = True
        self.action_reload()

    def action_repair(self) -> None:
        """Show what would be repaired, and repair it."""
        if not self.refuses("checks.repair"):
            self.program.run_command("Repair", self._repair())

    async def _repair(self) -> None:
        upkeep = self.program.ports.upkeep
        upkeep.check_write("local://")
        if not self.repairable:
            self.program.toast("There is nothing to repair.")
            return
        words = [clean(f"{one.check.name}: {one.check.seen}") for one in self.repairable]
        words += [
            "",
            REPAIR_ALSO,
            "No ModelKit is deleted. What kit fails on is set aside; it can't be undone by a key.",
        ]
        words += ["Best while no kit runs."]
        if await self.program.ask(ConfirmDialog("Repair the store", words, "Repair")):
            done = await upkeep.repair()
            self.context.changed()
            self.program.toast("\n".join(done) or "There was nothing left to repair.")
            self.action_reload()


async def show_doctor(context: Context) -> None:
    """Open the checks of the registry under the cursor, else of all listed ones."""
    place = context.selection.place
    places = [entry.place for entry in context.ports.places if entry.place.kind == "remote"]
    if place is not None and place.kind == "remote":
        places = [place]
    context.show(DoctorScreen(context, places))

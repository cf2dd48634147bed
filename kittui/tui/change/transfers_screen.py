"""The transfers screen: every transfer with its layers, bytes, rate and time left; cancel and resume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kittui.modelkit.roles import packaging
from kittui.oci.descriptor import Descriptor
from kittui.terminal import clean, size_text
from kittui.tui.change.jobs import TELL, WAITS, Job, Jobs
from kittui.tui.change.wording import progress_text
from kittui.tui.frame.context import Context
from kittui.tui.style.sizes import bar_text
from kittui.tui.widgets.bars import FooterBar, KeyHint
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows

ROLES = {"waiting": "muted", "running": "accent", "done": "good", "failed": "bad", "stopped": "warn"}
MARKS = {"waiting": "…", "running": "▸", "done": "✓", "failed": "✗", "stopped": "■"}
BAR = 12
"""The width of a bar in cells."""
LAYERS = 200
"""The most layers listed per transfer."""


@dataclass(eq=False)
class TransferRow:
    """A line of a transfer: its title, its state, or one layer."""

    job: Job
    cells: tuple[Spans, ...]
    part: str = ""
    """The kind of row: empty for the first, or a layer's digest."""


class TransfersScreen(Screen[None], inherit_bindings=False):
    """One list, redrawn a few times per second while something runs."""

    DEFAULT_CSS = """
    TransfersScreen { background: $kit-background; }
    TransfersScreen Rows { border: round $kit-accent; border-title-color: $kit-accent; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Cancel", id="transfers.cancel", tooltip="Cancel it; what was downloaded is kept"),
        Binding("r", "resume", "Resume", id="transfers.resume", tooltip="Continue where it stopped"),
        Binding("question_mark", "app.help", "Help", id="transfers.help", tooltip="All keys that work now"),
        Binding("escape,q,T", "close", "Back", id="transfers.close", tooltip="Back to the panes"),
    ]

    def __init__(self, context: Context, jobs: Jobs) -> None:
        super().__init__()
        self._moving, self._jobs = context, jobs
        self._rows: list[TransferRow] = []

    def compose(self) -> ComposeResult:
        """The list and the keys."""
        columns = [
            Column("", 1, sticky=True),
            Column("transfer", 24, flex=True, sticky=True),
            Column("", BAR, sticky=True),
            Column("", 5, "right", sticky=True),
        ]
        yield Rows[TransferRow](columns, lambda row: row.cells, lambda row: (id(row.job), row.part), titles=False)
        yield FooterBar()

    def on_mount(self) -> None:
        """Update the progress periodically."""
        self.query_one(Rows).border_title = "Transfers"
        self._look()
        self.query_one(Rows).focus()
        self.set_interval(TELL, self._look)

    def _look(self) -> None:
        rows = self.query_one(Rows)
        current = rows.current
        self._rows = [row for job in reversed(self._jobs.jobs) for row in _rows_of(job)]
        if not self._rows:
            hint = Job("", "", None, None)  # type: ignore[arg-type]
            text = (("No transfers yet: p pulls and P pushes the ModelKit under the cursor.", "muted"),)
            self._rows = [TransferRow(hint, ((), text, (), ()))]
        same = None
        if isinstance(current, TransferRow):
            same = next((row for row in self._rows if row.job is current.job and row.part == current.part), None)
        rows.show(self._rows, same)
        self._tell()

    @on(Rows.Highlighted)
    def _tell(self) -> None:
        """Show only the keys that work on the transfer under the cursor."""
        job = self._job
        keys = self._moving.ports.keys
        hints = []
        if job is not None and job.active:
            hints.append(KeyHint(keys.all_of("transfers.cancel"), "Cancel", "screen.stop"))
        elif job is not None and job.resumable:
            hints.append(KeyHint(keys.all_of("transfers.resume"), "Resume", "screen.resume"))
        hints.append(KeyHint(keys.all_of("transfers.help"), "Help", "app.help"))
        hints.append(KeyHint(keys.all_of("transfers.close"), "Back", "screen.close"))
        self.query_one(FooterBar).hints = tuple(hints)

    @property
    def _job(self) -> Job | None:
        row = self.query_one(Rows).current
        return row.job if isinstance(row, TransferRow) and row.job in self._jobs.jobs else None

    def action_stop(self) -> None:
        """Cancel the transfer under the cursor."""
        if self._job is None:
            self.notify("There is no transfer under the cursor.", markup=False)
        else:
            self._jobs.stop(self._job)

    def action_resume(self) -> None:
        """Continue the transfer under the cursor."""
        if self._job is None or not self._job.resumable:
            self.notify("There is no stopped transfer under the cursor.", markup=False)
        else:
            self._jobs.start(self._moving, self._job)

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)


def _rows_of(job: Job) -> list[TransferRow]:
    """The transfer, its progress, and while it runs its layers."""
    role = ROLES[job.state]
    percent = 100 if job.state == "done" else job.percent
    bar = bar_text(percent, 100, BAR)
    title = ((clean(job.title), "text+bold"),)
    rows = [TransferRow(job, (((MARKS[job.state], role),), title, ((bar, role),), ((f"{percent} %", "text"),)))]
    if said := _said(job):
        rows.append(TransferRow(job, ((), ((said, "bad" if job.state == "failed" else "muted"),), (), ()), "said"))
    if not job.active:
        return rows
    blobs = sorted(job.progress.blobs.values(), key=lambda blob: blob.descriptor.size, reverse=True)
    for blob in blobs[:LAYERS]:
        size = blob.descriptor.size
        percent = 100 * blob.done // size if size else 100
        name = f"  {_kind(blob.descriptor):<9} {blob.descriptor.digest.short}  {size_text(size):>8}"
        cells = (
            (),
            ((f"{name}  {blob.outcome or ''}".rstrip(), "faint"),),
            ((bar_text(percent, 100, BAR), "muted"),),
            ((f"{percent} %", "muted"),),
        )
        rows.append(TransferRow(job, cells, blob.descriptor.digest))
    if len(blobs) > LAYERS:
        rows.append(TransferRow(job, ((), ((f"  and {len(blobs) - LAYERS} more", "faint"),), (), ()), "more"))
    return rows


def _kind(descriptor: Descriptor) -> str:
    if "config" in descriptor.media_type:
        return "config"
    kind = packaging(descriptor).type
    return "layer" if kind == "other" else kind


def _said(job: Job) -> str:
    progress = job.progress
    if job.state == "failed" and job.error is not None:
        return clean(job.error.message)
    if job.state == "stopped":
        return f"Stopped; the {size_text(progress.done)} so far are kept."
    if job.state == "waiting":
        return "Waiting for the transfers before it."
    if job.state == "done":
        return size_text(progress.total) if progress.total else ""
    if job.asks:
        return f"It {WAITS}."
    if progress.note:
        return clean(progress.note)
    if progress.stalled:
        return "No data for some seconds; retrying automatically."
    return progress_text(progress)


async def show_transfers(context: Context) -> None:
    """Open the screen."""

    context.show(TransfersScreen(context, context.program.state(Jobs)))

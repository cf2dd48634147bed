"""The transfers pane: every transfer with its layers, bytes, rate and time left; cancel and go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from kittui.terminal import clean, size_text
from kittui.tui.context import Context
from kittui.tui.move.jobs import TELL, Job, Jobs
from kittui.tui.move.wording import progress_text
from kittui.tui.sizes import bar_text
from kittui.tui.widgets.rows import Column, Rows, Spans

ROLES = {"waiting": "muted", "running": "accent", "done": "good", "failed": "bad", "stopped": "warn"}
MARKS = {"waiting": "…", "running": "▸", "done": "✓", "failed": "✗", "stopped": "■"}
LAYERS = 200
"""Layers listed of one transfer at most."""


@dataclass(eq=False)
class TransferRow:
    """A transfer, or one layer of it."""

    job: Job
    cells: tuple[Spans, ...]
    digest: str = ""


class TransfersScreen(Screen[None]):
    """One list, redrawn a few times a second while something runs."""

    DEFAULT_CSS = """
    TransfersScreen { background: $kit-background; }
    TransfersScreen Rows { border: round $kit-accent; border-title-color: $kit-accent; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,T", "close", "Back", id="transfers.close", tooltip="Back to the panes"),
        Binding("x", "stop", "Cancel", id="transfers.cancel", tooltip="Cancel it; what is there is kept"),
        Binding("r", "resume", "Resume", id="transfers.resume", tooltip="Go on where it stopped"),
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
            Column("", 12),
            Column("", 5, "right"),
            Column("", 34),
        ]
        yield Rows[TransferRow](columns, lambda row: row.cells, lambda row: (id(row.job), row.digest), titles=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Look at the progress now and then."""
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
            text = (("No transfer yet: p pulls and P pushes the ModelKit under the cursor.", "muted"),)
            self._rows = [TransferRow(hint, ((), text, (), (), ()))]
        same = None
        if isinstance(current, TransferRow):
            same = next((row for row in self._rows if row.job is current.job and row.digest == current.digest), None)
        rows.show(self._rows, same)

    @property
    def _job(self) -> Job | None:
        row = self.query_one(Rows).current
        return row.job if isinstance(row, TransferRow) and row.job in self._jobs.jobs else None

    def action_stop(self) -> None:
        """Cancel the transfer under the cursor."""
        if self._job is not None:
            self._jobs.stop(self._job)

    def action_resume(self) -> None:
        """Go on with the transfer under the cursor."""
        if self._job is not None and self._job.state in ("failed", "stopped"):
            self._jobs.start(self._moving, self._job)

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)


def _rows_of(job: Job) -> list[TransferRow]:
    progress = job.progress
    said = progress_text(progress)
    if job.state == "running" and progress.note:
        said = clean(progress.note)
    elif job.state == "running" and progress.stalled:
        said = "stalled: no bytes for some seconds; it is tried again by itself"
    elif job.state == "failed" and job.error is not None:
        said = f"{clean(job.error.message)}  r Resume"
    elif job.state == "stopped":
        said = f"stopped, {size_text(progress.done)} are kept  r Resume"
    elif job.state == "done":
        said = size_text(progress.total)
    role = ROLES[job.state]
    percent = 100 if job.state == "done" else job.percent
    head = TransferRow(
        job,
        (
            ((MARKS[job.state], role),),
            ((clean(job.title), "text+bold"),),
            ((bar_text(percent, 100, 12), role),),
            ((f"{percent} %", "text"),),
            ((said, "muted"),),
        ),
    )
    if not job.active:
        return [head]
    layers = []
    for digest, blob in list(progress.blobs.items())[:LAYERS]:
        size = blob.descriptor.size
        percent = 100 * blob.done // size if size else 100
        layers.append(
            TransferRow(
                job,
                (
                    (),
                    ((f"  {digest.short}", "faint"),),
                    ((bar_text(percent, 100, 12), "muted"),),
                    ((f"{percent} %", "muted"),),
                    ((f"{size_text(size)} {blob.outcome or ''}".rstrip(), "faint"),),
                ),
                digest,
            )
        )
    return [head, *layers]


async def show_transfers(context: Context) -> None:
    """Open the pane."""
    from kittui.tui.move.service import moves_of

    moves = moves_of(context.ports)
    if moves is not None:
        context.show(TransfersScreen(context, moves.jobs))

"""The timeline screen: one value, file or tensor in each of a repository's versions, and where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.worker import Worker

from kittui.compare.words import value_words
from kittui.errors import KittuiError
from kittui.oci.target import Target
from kittui.terminal import age_text, clean, counted, some_of
from kittui.tui.panes.rows_screen import RowsScreen
from kittui.tui.panes.spacing import DRAW
from kittui.tui.panes.state import trouble_since
from kittui.tui.style.sizes import bar_text
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Rows
from kittui.usecases.diff.compare import DiffUseCase, Side
from kittui.usecases.diff.timeline import Following, Moment, Subject, TimelineUseCase

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository

_BAR: Final = 10
NAMED: Final = 2
"""The most tags of a version in the headline."""
SPELT: Final = 4
"""Tags named of the version under the cursor."""
COLUMNS: Final = (
    Column("", 1),
    Column("version", 16, sticky=True, flex=True),
    Column("age", 5, "right"),
    Column("digest", 12),
    Column("value", 24, flex=True),
)
HINTS: Final = (
    ("timeline.next", "Next change", "screen.change(1)"),
    ("timeline.compare", "Compare with the previous one", "screen.compare"),
    ("timeline.filter", "Filter", "screen.filter"),
    ("timeline.copy", "Copy", "screen.copy"),
    ("timeline.help", "Help", "app.help"),
    ("timeline.close", "Back", "screen.close"),
)


class TimelineScreen(RowsScreen[Moment]):
    """The versions of a repository, oldest first, each with its value; Enter compares with the previous one."""

    DEFAULT_CSS = """
    TimelineScreen Lines { height: 7; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "change(1)", "Next", id="timeline.next", tooltip="Go to the next version that changed it"),
        Binding(
            "N", "change(-1)", "Previous", id="timeline.previous", tooltip="Go to the previous version that changed it"
        ),
        Binding("d", "compare", "Compare", id="timeline.compare", tooltip="Compare it with the previous version"),
        Binding(
            "slash", "filter", "Filter", id="timeline.filter", tooltip="Filter by version, digest or value; Esc clears"
        ),
        Binding("r", "reload", "Reload", id="timeline.reload", tooltip="Read the versions again"),
        Binding("y", "copy", "Copy", id="timeline.copy", tooltip="Copy the visible versions and their values"),
        Binding("question_mark", "app.help", "Help", id="timeline.help", tooltip="All keys that work now"),
        Binding(
            "escape,q,i,H", "close", "Back", id="timeline.close", tooltip="Stop reading, clear the filter, or go back"
        ),
    ]

    BEGINS_ON_TOP = False

    def __init__(
        self, case: DiffUseCase, repository: Repository, subject: Subject, target: Target | None = None
    ) -> None:
        super().__init__(COLUMNS, self._cells, lambda moment: moment.digest or moment.tags)
        self._lines.can_focus = False
        self._case = case
        self._repository = repository
        self._subject = subject
        self._target = target
        self._moments: Sequence[Moment] = ()
        self._largest = 0.0
        self._following: Following | None = None
        self._far = ""
        self._reading: Worker[None] | None = None
        self._timer: Timer | None = None
        self._trouble = ""

    @property
    def found(self) -> Sequence[Moment]:
        """The versions as read."""
        return self._moments

    @property
    def title_words(self) -> str:
        """What is followed."""
        subject = self._subject
        return f"{subject.tensor} in {subject.path}" if subject.kind == "tensor" else subject.path

    def on_mount(self) -> None:
        """Begin."""
        self._header.where = (clean(self._repository.name, limit=60), clean(self.title_words, limit=80))
        self._rows.focus()
        self.hint(HINTS)
        self.action_reload()

    def action_reload(self) -> None:
        """Read the versions again."""
        if self._timer is not None:
            self._timer.stop()
            self.program.ports.forget(self._repository)
        self._far = ""
        self.say(f"reading all versions of {clean(self._repository.reference(), limit=80)} …")
        self._timer = self.set_interval(DRAW, lambda: self.spaced(self._draw_so_far))
        self._reading = self.run_worker(self._read(), group="timeline", exclusive=True)

    def _report(self, following: Following) -> None:
        self._following = following

    def _draw_so_far(self) -> None:
        """Show what has arrived since; which versions changed something is known once all are there."""
        following, self._following = self._following, None
        if following is not None:
            moments = following.moments
            versions = counted(len(moments), "version")
            self._far = f"{following.done:,} of {counted(following.total, 'tag')} read, {versions}"
            self.say(f"{self._far}; Esc stops")
            self._show(moments)

    def _show(self, moments: Sequence[Moment], current: Moment | None = None) -> None:
        self._moments = moments
        numbers = [abs(moment.value) for moment in moments if _is_number(moment.value)]
        self._largest = float(max(numbers, default=0))
        self.draw(current)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._draw_so_far()
        self._reading = None

    async def _read(self) -> None:
        try:
            case = TimelineUseCase(self._case.modelkit, self._case.inspector)
            timeline = await case.follow(self._repository, self._subject, self._report)
        except KittuiError as error:
            self._end()
            self._trouble = self._trouble or trouble_since(error, self.program.ports.clock())
            self.say_read(self._read_at, self._trouble)
            self.say(error.message)
            self._lines.show(Page([((clean(text), "bad"),) for text in (error.message, error.hint or "") if text]))
            self.program.fail(error)
            return
        self._end()
        more = f"  ▲ {timeline.incomplete.message}" if timeline.incomplete else ""
        self._trouble = ""
        self.say_read(self.program.ports.clock())
        self.say(summary(timeline.moments) + more)
        here = [moment for moment in timeline.moments if self._target in (moment.digest, *moment.tags)]
        changed = [moment for moment in timeline.moments if moment.changed]
        first = here[0] if here else changed[-1] if changed else None
        self._show(timeline.moments, None if self._rows.touched else first)

    def _cells(self, moment: Moment) -> Sequence[Spans]:
        value = clean(moment.problem or (value_words(moment.value) if moment.found else "not there"), limit=400)
        role = "bad" if moment.problem else "warn" if moment.changed else "text" if moment.found else "muted"
        spans: list[tuple[str, str]] = [(value, f"{role}+bold" if moment.changed else role)]
        if self._largest and _is_number(moment.value):
            bar = bar_text(round(abs(moment.value) / self._largest * 1000), 1000, _BAR)
            spans = [(f"{bar:<{_BAR}} ", "bar"), *spans]
        return (
            ((_mark(moment), "bad+bold" if moment.problem else "warn+bold" if moment.changed else "special+bold"),),
            ((clean(", ".join(moment.tags), limit=120), "key"),),
            ((age_text(moment.created, self.program.ports.clock()), "muted"),),
            ((moment.digest.short if moment.digest else "", "muted"),),
            spans,
        )

    @on(Rows.Highlighted)
    def _detail(self) -> None:
        moment = self._rows.current
        if moment is None:
            self._lines.show(Page([(("Nothing matches the filter." if self._needle else "", "muted"),)]))
            return
        before = self._before(moment)
        lines: list[Line] = [
            (
                (clean(some_of(moment.tags, SPELT), limit=200), "text+bold"),
                (f"  {clean(moment.created or 'time unknown', limit=40)}", "muted"),
            )
        ]
        if moment.problem:
            lines.append(((clean(moment.problem), "bad"),))
        elif moment.changed and before is not None:
            lines.append(((f"changed since {clean(some_of(before.tags, NAMED), limit=100)}", "muted"),))
            room = max(20, self._lines.size.width - 3) * max(1, (self._lines.size.height - len(lines)) // 2)
            lines += _both(before, moment, room)
        else:
            lines.append(((clean(value_words(moment.value, 4000) if moment.found else "not there"), "text"),))
        self._lines.show(Page(lines))

    def _before(self, moment: Moment) -> Moment | None:
        """The last version before it that had it."""
        at = next((number for number, each in enumerate(self._moments) if each is moment), 0)
        return next((each for each in reversed(self._moments[:at]) if each.found and each.problem is None), None)

    def action_change(self, step: int) -> None:
        """The next or previous version that changed it, around the ends."""
        shown = self._rows.rows
        changed = [number for number, moment in enumerate(shown) if moment.changed]
        others = sorted(changed, key=lambda number: (step * (number - self._rows.cursor) - 1) % len(shown))
        if not others:
            self.program.toast("None of the versions here changed it.")
        elif others == [self._rows.cursor]:
            self.program.toast("No other version here changed it.")
        else:
            self._rows.move_to(others[0])

    @on(Rows.Opened)
    def action_compare(self) -> None:
        """Compare the version under the cursor with the one before it."""
        moment = self._rows.current
        before = self._before(moment) if moment is not None else None
        if moment is None or before is None or moment.digest is None or before.digest is None:
            self.program.toast("There is no previous version to compare with.")
            return
        self.program.open_comparison(*(Side(self._repository, each.tags[0]) for each in (before, moment)))

    def text(self, row: Moment) -> str:
        """A version with its value."""
        value = row.problem or (value_words(row.value, 4000) if row.found else "not there")
        return f"{_mark(row)} {', '.join(row.tags)}\t{row.digest}\t{row.created or ''}\t{value}"

    def action_copy(self) -> None:
        """Copy the visible versions with their values, one per line."""
        self.program.copy("\n".join([self.title_words, *map(self.text, self._rows.rows)]))

    def action_close(self) -> None:
        """Stop reading, clear the filter, or go back."""
        if self._reading is None:
            if not self.drop_filter():
                self.dismiss()
            return
        self._reading.cancel()
        self._end()
        self.say(f"Stopped; the list is incomplete: {self._far or 'nothing was read'}")


def _mark(moment: Moment) -> str:
    """`~` changed, `?` not read and perhaps changed, `!` unreadable."""
    return "!" if moment.problem else "~" if moment.changed else "?" if moment.maybe else " "


def summary(moments: Sequence[Moment]) -> str:
    """A summary: how often it changed, and in which version last."""
    versions = counted(len(moments), "version")
    changed = [moment for moment in moments if moment.changed]
    unread = sum(moment.problem is not None for moment in moments)
    tail = f" · {unread} could not be read" if unread else ""
    tail += f" · {_order(moments)}"
    if not any(moment.found for moment in moments):
        return f"{versions} · none has it{tail}"
    if gone := sum(not moment.found and moment.problem is None for moment in moments):
        tail = f" · not there in {gone}{tail}"
    if maybe := sum(moment.maybe for moment in moments):
        tail = f" · {maybe} perhaps (?): content not read{tail}"
    if not changed:
        return f"{versions} · {'no change seen' if maybe else 'never changed'}{tail}"
    times = "once" if len(changed) == 1 else f"{len(changed)} times"
    return f"{versions} · changed {times}, last with {', '.join(changed[-1].tags[:NAMED])}{tail}"


def _order(moments: Sequence[Moment]) -> str:
    """The sort order, and why it is not by time."""
    dated = sum(moment.created is not None for moment in moments)
    if dated == len(moments):
        return "oldest first"
    return f"by version: {'some' if dated else 'no'} times are known"


def _both(before: Moment, moment: Moment, room: int) -> list[Line]:
    """What it was and what it is, each in so many cells: of long values the part where they begin to differ."""
    texts = [clean(value_words(each.value, 4000)) if each.found else "not there" for each in (before, moment)]
    same = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = max(0, min(same - room // 4, max(map(len, texts)) - room))
    lines: list[Line] = []
    for op, role, each, text in zip("-+", ("bad+bold", "good+bold"), (before, moment), texts, strict=True):
        shown = ("…" if start else "") + text[start : start + room - 2]
        shown += "…" if len(text) > start + room - 2 else ""
        lines.append(((f"{op} ", role), (shown, "text" if each.found else "muted")))
    return lines


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300

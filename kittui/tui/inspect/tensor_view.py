"""A model file as totals, a tree of modules with bars, and what is known of its architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from kittui.formats.weights import Weights
from kittui.terminal import clean, size_text
from kittui.tui.inspect.tensors import ModuleRow, Row, TensorRow, module_tree, shape_text, unfold_some, visible
from kittui.tui.style.sizes import bar_text
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.documents import clean_line, heading
from kittui.tui.widgets.lines import Line, Lines, Page
from kittui.tui.widgets.rows import Rows
from kittui.usecases.inspect.facts import ModelFacts

BAR = 18
ROOMY = 120
"""Columns from which the architecture has a column of its own."""
DTYPE_BAR = 24

_COLUMNS = (
    Column("module", 22, sticky=True, flex=True),
    Column("type", 6),
    Column("shape", 12),
    Column("parameters", 11, "right"),
    Column("bytes", 8, "right"),
    Column("share", 6, "right"),
    Column("", BAR),
)


class Totals(Widget):
    """Two lines: how much there is, and of which types; where it is narrow, the architecture in a third."""

    DEFAULT_CSS = """
    Totals { height: auto; padding: 1 1 1 2; color: $kit-text; background: $kit-background; }
    """
    figures: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=True)
    types: reactive[tuple[tuple[str, float], ...]] = reactive((), layout=True)
    summary: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=True)
    warning: reactive[str] = reactive("", layout=True)

    def render(self) -> Content:
        """Figures first, the rest quieter."""
        lines = [_spaced(self.figures, "$kit-text bold")]
        pieces: list[tuple[str, str]] = []
        for name, share in self.types:
            bar = bar_text(round(share * 1000), 1000, DTYPE_BAR)
            pieces += [(name, "$kit-special"), (" ", ""), (bar, "$kit-bar"), (f" {_percent(share)}   ", "$kit-muted")]
        lines.append(Content.assemble(*pieces))
        if self.summary:
            lines.append(_spaced(self._fitting(), "$kit-text"))
        if self.warning:
            lines.append(Content.assemble((f"▲ {self.warning}", "$kit-warn")))
        return Content("\n").join(lines)

    def _fitting(self) -> tuple[tuple[str, str], ...]:
        """As much of the summary as one line holds."""
        shown = self.summary
        while len(shown) > 1 and _spaced(shown, "").cell_length > self.content_size.width > 0:
            shown = shown[:-1]
        return shown


class TensorView(Vertical):
    """The tensors of one model; `/` keeps those whose name holds a text."""

    DEFAULT_CSS = """
    TensorView { height: 1fr; background: $kit-background; }
    TensorView Horizontal { height: 1fr; }
    TensorView Rows { width: 1fr; padding: 0 1; }
    TensorView.low Totals { padding: 0 1 1 2; }
    TensorView Lines { width: 54; border-left: solid $kit-line; padding: 0 1; display: none; }
    TensorView.roomy Lines { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._tree: list[Row] = []
        self._total = 0
        self._needle = ""
        self._totals = Totals()
        self._facts = Lines()
        self._rows: Rows[Row] = Rows(_COLUMNS, self._cells, id)
        self._summary: tuple[tuple[str, str], ...] = ()

    def compose(self) -> ComposeResult:
        """Totals over tree and architecture."""
        yield self._totals
        with Horizontal():
            yield self._rows
            yield self._facts

    @property
    def rows(self) -> Rows[Row]:
        """The tree, which takes the focus."""
        return self._rows

    @property
    def facts(self) -> Lines:
        """The architecture beside the tree."""
        return self._facts

    def show(self, tree: list[Row], weights: Weights, facts: ModelFacts, files: int) -> None:
        """Show a model, whose tree was created by `grown`."""
        self._tree, self._total = tree, weights.nbytes
        figures = [
            ("parameters", f"{weights.parameters:,}"),
            ("weights", size_text(weights.nbytes)),
            ("tensors", f"{len(weights.tensors):,}"),
            ("format", clean(weights.format)),
        ]
        if files > 1:
            figures.insert(3, ("files", str(files)))
        self._totals.figures = tuple(figures)
        whole = max(1, weights.parameters)
        self._totals.types = tuple((clean(name)[:12], count / whole) for name, count in _most(weights.dtypes))
        self._totals.warning = clean(weights.problem or "")
        self._summary = facts.summary
        self._facts.show(facts_page(facts, weights))
        self._lay_out()
        self.rebuild()

    def on_resize(self, event: events.Resize) -> None:
        """The architecture goes beside the tree where there is room, else into one line above it."""
        self.set_class(event.size.height < 28, "low")
        self._lay_out(event.size.width)

    def _lay_out(self, width: int | None = None) -> None:
        roomy = (self.size.width if width is None else width) >= ROOMY
        self.set_class(roomy and bool(self._facts.page.lines), "roomy")
        self._totals.summary = () if roomy else self._summary

    def rebuild(self) -> None:
        """Work out again which rows show."""
        self._rows.show(list(visible(self._tree, self._needle)))

    def find(self, text: str) -> tuple[int, int]:
        """Keep the tensors whose names hold the text; returns which of how many the cursor is on, from 1."""
        self._needle = text
        self.rebuild()
        return self._go(0, 1) if text else (0, 0)

    def find_next(self, step: int) -> tuple[int, int]:
        """Go to the next or previous of them, around the ends."""
        return self._go(self._rows.cursor + step, step)

    def _go(self, start: int, step: int) -> tuple[int, int]:
        rows = self._rows.rows
        found = [number for number, row in enumerate(rows) if isinstance(row, TensorRow)]
        if not found:
            return (0, 0)
        after = [number for number in found if (number - start) * step >= 0]
        wanted = (min(after) if step > 0 else max(after)) if after else (found[0] if step > 0 else found[-1])
        self._rows.move_to(wanted)
        return (found.index(wanted) + 1, len(found))

    @on(Rows.Opened)
    def _opened(self, event: Rows.Event) -> None:
        event.stop()
        row = self._rows.current
        if isinstance(row, ModuleRow):
            self._fold(row, not row.unfolded)

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        row = self._rows.current
        if isinstance(row, ModuleRow) and row.unfolded != event.unfold and not self._needle:
            self._fold(row, event.unfold)
        elif event.unfold:
            self._rows.action_move(1)
        elif row is not None:
            self._rows.to_parent(lambda one: one.depth)

    def _fold(self, row: ModuleRow, unfold: bool) -> None:
        row.unfolded = unfold
        self.rebuild()

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Event) -> None:
        event.stop()

    def _cells(self, row: Row) -> Sequence[Spans]:
        pad = "  " * row.depth
        whole = max(1, self._total)
        if isinstance(row, ModuleRow):
            open_ = row.unfolded or bool(self._needle)
            many = row.dtypes[0] if len(row.dtypes) == 1 else "mixed" if row.dtypes else ""
            name = [(pad + ("▾ " if open_ else "▸ "), "muted"), (clean(row.name), "key")]
            if row.problem:
                name.append((" ▲", "warn"))
            return (
                name,
                ((clean(many)[:7], "faint"),),
                ((f"{row.count:,} tensors", "faint"),),
                ((f"{row.parameters:,}", "muted"),),
                ((size_text(row.nbytes), "muted"),),
                ((_percent(row.nbytes / whole), "muted"),),
                ((bar_text(row.nbytes, whole, BAR), "bar"),),
            )
        tensor = row.tensor
        role = "bad" if tensor.problem else "text"
        return (
            ((f"{pad}  ", "muted"), (clean(row.name), role), (" ✗" if tensor.problem else "", "bad")),
            ((clean(tensor.dtype)[:12], "special"),),
            ((shape_text(tensor.shape), "number"),),
            ((f"{tensor.parameters:,}", "text"),),
            ((size_text(tensor.nbytes), "text"),),
            ((_percent(row.nbytes / whole), "text"),),
            ((bar_text(row.nbytes, whole, BAR), "accent"),),
        )

    @property
    def note(self) -> str:
        """What is wrong with the tensor under the cursor, or in which file its bytes lie."""
        row = self._rows.current
        if not isinstance(row, TensorRow):
            return ""
        return clean(row.tensor.problem or row.tensor.file or "")


def grown(weights: Weights) -> list[Row]:
    """The tree of a model, unfolded as far as a screen holds."""
    tree = module_tree(weights.tensors)
    unfold_some(tree)
    return tree


def facts_page(facts: ModelFacts, weights: Weights) -> Page:
    """Architecture, hyperparameters and metadata in full; texts are clean."""
    lines: list[Line] = []
    for section in facts.sections:
        lines += ["", heading(section.title)] if lines else [heading(section.title)]
        width = min(23, max((cell_len(name) for name, _ in section.pairs if cell_len(name) <= 23), default=0))
        for name, value in section.pairs:
            if cell_len(name) > width:
                lines += [((name, "muted"),), ((f"  {value}", "text"),)]
            else:
                lines.append(((f"{name}{' ' * (width - cell_len(name))}  ", "muted"), (value, "text")))
    said = [*weights.notes, *facts.problems]
    if said:
        lines += ["", heading("Notes")] if lines else [heading("Notes")]
        lines += [((clean_line(note), "muted"),) for note in said]
    return Page(lines)


def _most(dtypes: Mapping[str, int]) -> list[tuple[str, int]]:
    """The types that hold most, the others as one."""
    items = list(dtypes.items())
    if len(items) <= 4:
        return items
    return [*items[:3], ("others", sum(count for _, count in items[3:]))]


def _percent(share: float) -> str:
    if share <= 0:
        return "0 %"
    return f"{share:.0%}".replace("%", " %") if share >= 0.0995 else f"{max(share, 0.001) * 100:.1f} %"


def _spaced(pairs: Sequence[tuple[str, str]], style: str) -> Content:
    pieces: list[tuple[str, str]] = []
    for name, value in pairs:
        pieces += [(value, style), (f" {name}" if name else "", "$kit-muted"), ("   ", "")]
    return Content.assemble(*pieces[:-1]) if pieces else Content("")

"""Words the comparison's state: names of its sides, the current step, why nothing is shown."""

from __future__ import annotations

from kittui.compare.changes import FileChange, TensorChange, ValueChange
from kittui.compare.comparison import Comparison
from kittui.compare.words import progress_words
from kittui.oci.digest import Digest
from kittui.terminal import clean, size_text
from kittui.tui.compare.tree import FILTERS, Filter, Row
from kittui.usecases.diff.compare import Depth, Side
from kittui.usecases.diff.timeline import Subject


def doing_words(step: Comparison | None, depth: Depth, roomy: bool) -> str:
    """The step under way; where there is little room, how far it is comes before what it is."""
    if step is None or not step.doing:
        return "comparing values" if depth.content else "sampling" if depth.sample else "reading"
    if step.total and not roomy:
        return f"{size_text(step.done)} of {size_text(step.total)}"
    return clean(progress_words(step), limit=200)


def subject_of(row: Row) -> Subject | None:
    """What of a row can be followed over the versions."""
    subject = row.entry.subject
    if isinstance(subject, ValueChange) and row.entry.part == "value":
        return Subject("value", subject.path)
    if isinstance(subject, FileChange):
        return Subject("file", subject.path)
    return Subject("tensor", subject.file, subject.name) if isinstance(subject, TensorChange) else None


def nothing_words(comparison: Comparison, shown: Filter) -> str:
    """Why there is no row."""
    if comparison.identity == "identical":
        return "Both are the same manifest: nothing differs."
    if not comparison.complete:
        return "Reading …"
    if comparison.identity == "repacked":
        return "The same content, packed differently: nothing else differs."
    return "No changes of this kind." if shown is not FILTERS[0] else "No differences."


def key_of(sides: tuple[Side, Side]) -> tuple[str, ...]:
    """What makes two comparisons the same one."""
    return tuple(part for side in sides for part in (str(side.repository.source.place), side.reference))


def place_of(side: Side) -> str:
    """Who is asked for a side."""
    place = side.repository.source.place
    return "the local store" if place.kind == "local" else clean(place.host or str(place), limit=60)


def name_of(side: Side, sides: tuple[Side, Side]) -> str:
    """The tag, with as much before it as tells the two apart."""
    target = side.target[:19] if isinstance(side.target, Digest) else side.target
    a, b = (each.repository for each in sides)
    if a.source.place != b.source.place:
        place = side.repository.source.place
        return f"{target} ({'store' if place.kind == 'local' else place.host or place.directory.rpartition('/')[2]})"
    return f"{side.repository.name}:{target}" if a.name != b.name else target

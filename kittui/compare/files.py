"""Compares the files of two layers: added, removed, changed, moved, or not compared because they were not read."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kittui.compare.changes import FileChange, FileSide, Status


def compare_files(
    layer_type: str,
    a: Sequence[FileSide],
    b: Sequence[FileSide],
    layer: int = 0,
    proved: Mapping[str, bool] | None = None,
) -> tuple[FileChange, ...]:
    """Compare each path; results are in b's order, with removed ones at their old places.

    Contents are compared by digest, or by `proved`, which says for compared paths whether both sides are equal; files
    of equal size that were not both read are `not_compared`. Folders count only if their mode changed, or if they are
    empty. If a path is listed twice, the last one counts, as in tar.
    """
    first = {entry.path: entry for entry in a}
    second = {entry.path: entry for entry in b}
    busy_a, busy_b = _filled(first), _filled(second)
    changes: list[FileChange] = []
    pending = deque(path for path in first if path not in second)
    order_a = {path: number for number, path in enumerate(first)}
    for path, new in second.items():
        old = first.get(path)
        if old is None:
            if new.kind != "dir" or path not in busy_b:
                changes.append(
                    FileChange(layer_type, path, "added", size_b=new.size, mode_b=new.mode, note=new.note, layer=layer)
                )
            continue
        while pending and order_a[pending[0]] < order_a[path]:
            _removed(changes, layer_type, first[pending.popleft()], busy_a, layer)
        status, note = assess(old, new, (proved or {}).get(path))
        if new.kind == "dir" and old.kind == "dir" and status == "same":
            continue
        changes.append(
            FileChange(layer_type, path, status, old.size, new.size, old.mode, new.mode, note=note, layer=layer)
        )
    for path in pending:
        _removed(changes, layer_type, first[path], busy_a, layer)
    return tuple(changes)


def assess(a: FileSide, b: FileSide, proved: bool | None = None) -> tuple[Status, str]:
    """Assess one path's change; `proved` says whether the contents are equal, if they were compared."""
    notes = []
    status: Status = "same"
    if a.kind != b.kind:
        return "changed", f"{a.kind} → {b.kind}"
    if a.mode is not None and b.mode is not None and a.mode != b.mode:
        status = "changed"
        notes.append(f"mode {a.mode:o} → {b.mode:o}")
    if a.kind == "symlink" and a.link != b.link:
        return "changed", "; ".join([*notes, f"points to {a.link} → {b.link}"])
    if a.kind == "file":
        if a.oid or b.oid:
            content, words = _pointers(a, b)
            return (content if status == "same" else status), "; ".join([*notes, words])
        if a.note or b.note:
            notes.append(b.note or a.note)
        if a.size is None or b.size is None:
            return ("changed" if status == "changed" else "not_compared"), "; ".join([*notes, "size unknown"])
        if a.size != b.size or proved is False or (a.digest and b.digest and a.digest != b.digest):
            status = "changed"
        elif a.size and not proved and not (a.digest and b.digest):
            notes.append("same size, content not read")
            status = "changed" if status == "changed" else "not_compared"
    return status, "; ".join(notes)


def _pointers(a: FileSide, b: FileSide) -> tuple[Status, str]:
    """Compare two files, of which at least one is a Git LFS pointer, by the content that pointers stand for."""
    if a.oid and b.oid:
        if a.oid == b.oid:
            return "same", b.note
        return "changed", f"{a.note} → {b.note}" if a.note != b.note else f"{b.note}, now of another content"
    pointer, other = (a, b) if a.oid else (b, a)
    words = f"{a.note or 'the file itself'} → {b.note or 'the file itself'}"
    if other.digest is None:
        return "changed", words
    return "changed", f"{words}, {'with' if other.digest == pointer.oid else 'not with'} the content it stands for"


def find_moves(
    changes: Sequence[FileChange], a: dict[tuple[str, str], str], b: dict[tuple[str, str], str]
) -> tuple[FileChange, ...]:
    """Join removed and added files of equal content into moved ones, over all layers.

    `a` and `b` give digests by (layer type, path) for files that were read; empty files never move. Of several
    candidates, the one with the same file name is chosen, else the first.
    """
    gone: dict[tuple[str, str], deque[FileChange]] = defaultdict(deque)
    for change in changes:
        digest = a.get((change.layer_type, change.path))
        if change.status == "removed" and change.size_a and digest:
            gone[digest, ""].append(change)
            gone[digest, change.path.rpartition("/")[2]].append(change)
    taken: set[int] = set()
    moved: dict[int, FileChange] = {}

    def take(digest: str, name: str) -> FileChange | None:
        candidates = gone.get((digest, name), ())
        while candidates:
            if id(old := candidates.popleft()) not in taken:
                taken.add(id(old))
                return old
        return None

    for number, change in enumerate(changes):
        digest = b.get((change.layer_type, change.path))
        if change.status != "added" or not digest:
            continue
        old = take(digest, change.path.rpartition("/")[2]) or take(digest, "")
        if old is None:
            continue
        note = f"mode {old.mode_a:o} → {change.mode_b:o}" if _modes_differ(old, change) else ""
        moved[number] = replace(
            change, status="moved", size_a=old.size_a, mode_a=old.mode_a, path_a=old.path, note=note
        )
    return tuple(moved.get(number, change) for number, change in enumerate(changes) if id(change) not in taken)


def _modes_differ(old: FileChange, new: FileChange) -> bool:
    return old.mode_a is not None and new.mode_b is not None and old.mode_a != new.mode_b


def _filled(entries: dict[str, FileSide]) -> set[str]:
    """The listed folders that are not empty.

    A path may be of a hundred thousand folders: those above it are never put together.
    """
    folders = [path for path, entry in entries.items() if entry.kind == "dir"]
    paths = sorted(entries) if folders else []

    def filled(folder: str) -> bool:
        below = f"{folder.rstrip('/')}/"
        at = bisect_right(paths, below)
        return at < len(paths) and paths[at].startswith(below)

    return {folder for folder in folders if filled(folder)}


def _removed(changes: list[FileChange], layer_type: str, old: FileSide, busy: set[str], layer: int) -> None:
    if old.kind != "dir" or old.path not in busy:
        changes.append(
            FileChange(layer_type, old.path, "removed", old.size, mode_a=old.mode, note=old.note, layer=layer)
        )

"""What changed inside a pair of layers: files, texts, tensors; from headers and small files, or from all bytes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kittui.compare.changes import (
    FileSide,
    LayerChange,
    LayerDetail,
    Problem,
    TensorChange,
    TensorSide,
    TextChange,
    ValueChange,
)
from kittui.compare.contents import compare_contents, compare_values, may_be_text, metadata_of
from kittui.compare.documents import compare_documents
from kittui.compare.figures import find_numpy
from kittui.compare.files import compare_files
from kittui.compare.tensors import WINDOW, compare_tensors, random_windows, sampled_words
from kittui.compare.text import TEXT_LIMIT
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, Malformed
from kittui.formats.model_file import is_model_file, read_weights
from kittui.formats.tar import FileEntry
from kittui.formats.weights import Tensor, Weights
from kittui.usecases.look import SMALL, descriptor_of
from kittui.usecases.spool import IN_MEMORY, Spool
from kittui.usecases.views import SliceView, drive, together

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.look import Inspector
    from kittui.usecases.views import View

SMALL_MODEL = 64 * 1024
"""Bytes of a model file up to which its values are compared without being asked."""
SPOOLED = 1_000_000
"""Bytes of a compressed layer up to which it is read whole without being asked."""
ONE_SIDED = 64 * 1024
"""Bytes of an added or removed text up to which its lines are told."""
_AROUND = 768
"""Bytes of header and padding that come along with a small file, on average."""
_MERGE = 16 * 1024
_STRETCH = 1024 * 1024


@dataclass(slots=True)
class Budget:
    """Bytes of small files that may still be read without being asked, over the network and on this machine."""

    remote: int
    local: int

    def take(self, size: int, local: bool) -> bool:
        """Whether so many bytes may be read; they are taken off then."""
        left = self.local if local else self.remote
        if size > left:
            return False
        if local:
            self.local -= size
        else:
            self.remote -= size
        return True


@dataclass(slots=True)
class Access:
    """One side's layer: where it is read from, and what is known of it."""

    inspector: Inspector
    repository: Repository
    layer: Layer
    spool: Spool | None = None
    files: dict[str, FileEntry] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    """By path: sha256 of files that were read, or a word that is equal on both sides where the files are."""
    listed: bool = False
    verified: bool = False
    whole: bool = False
    """Whether all of the layer was read and its digest proved."""

    @property
    def local(self) -> bool:
        """Whether reading costs no traffic."""
        return self.spool is not None or self.repository.source.place.kind != "remote"

    async def list_files(self) -> None:
        """Fill `files`; of a path that is listed twice the last one counts, as in tar."""
        if self.spool is not None:
            listing = await self.spool.listing(self.layer)
        else:
            listing = await self.inspector.listing(self.repository, self.layer)
        self.files = {entry.path: entry for entry in listing.files}
        self.verified = listing.verified
        self.whole = self.spool is not None
        self.listed = True
        if listing.problem:
            raise KittuiError(listing.problem)

    async def view(self, entry: FileEntry) -> View:
        """A file's, or any stretch's, content."""
        if self.spool is not None:
            return SliceView(self.spool, entry.offset, entry.size)
        return await self.inspector.open(self.repository, self.layer, entry)

    async def weights(self, entry: FileEntry) -> Weights:
        """The tensors of a model file."""
        if self.spool is not None:
            return await drive(read_weights(entry.path, entry.size), await self.view(entry))
        return await self.inspector.weights(self.repository, self.layer, entry)

    async def read(self, entries: Iterable[FileEntry]) -> dict[str, bytes]:
        """Small files whole; neighbours are read in one stretch."""
        stretches: list[list[FileEntry]] = []
        for entry in sorted(entries, key=lambda entry: entry.offset):
            last = stretches[-1][-1] if stretches else None
            if (
                last is not None
                and self.layer.format == "tar"
                and entry.offset - (last.offset + last.size) <= _MERGE
                and entry.offset + entry.size - stretches[-1][0].offset <= _STRETCH
            ):
                stretches[-1].append(entry)
            else:
                stretches.append([entry])
        found: dict[str, bytes] = {}
        for contents in await together([self._stretch(stretch) for stretch in stretches]):
            found.update(contents)
        for path, content in found.items():
            self.digests[path] = hashlib.sha256(content).hexdigest()
        return found

    async def _stretch(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        start, end = entries[0].offset, max(entry.offset + entry.size for entry in entries)
        view = await self.view(FileEntry(entries[0].path, "file", end - start, 0, start))
        self.verified = self.verified and view.verified
        content = await view.read(0, end - start)
        return {entry.path: content[entry.offset - start : entry.offset - start + entry.size] for entry in entries}

    def sides(self) -> list[FileSide]:
        """What is known of each file."""
        return [
            FileSide(entry.path, entry.type, entry.size, entry.mode, self.digests.get(entry.path), entry.link)
            for entry in self.files.values()
        ]


@dataclass(slots=True)
class Opened:
    """A pair of layers under comparison."""

    change: LayerChange
    accesses: tuple[Access | None, Access | None]
    number: int = 0
    """The place of the pair among the comparison's layers."""
    texts: dict[str, TextChange] = field(default_factory=dict)
    metadata: dict[str, tuple[ValueChange, ...]] = field(default_factory=dict)
    tensors: dict[str, tuple[TensorChange, ...]] = field(default_factory=dict)
    model_pairs: list[tuple[FileEntry, FileEntry]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    """Sentences on files, by path."""
    problems: list[Problem] = field(default_factory=list)
    failed: bool = False

    @property
    def present(self) -> list[Access]:
        """The sides that there are."""
        return [access for access in self.accesses if access is not None]

    @property
    def pair(self) -> tuple[Access, Access] | None:
        """Both sides, where there are both and both could be listed."""
        a, b = self.accesses
        return (a, b) if a is not None and b is not None and a.listed and b.listed else None

    def fail(self, error: KittuiError, what: str = "") -> None:
        """Note that a part can't be compared."""
        where = f"{self.change.type} {self.change.path}".strip() + (f": {what}" if what else "")
        problem = Problem(where, error.message, error.hint, error.code)
        if problem not in self.problems:
            self.problems.append(problem)

    @property
    def unread(self) -> int:
        """Bytes of both layers, where something in them was not compared for want of reading it."""
        pair = self.pair
        if pair is None or all(access.whole and access.spool is None for access in pair):
            return 0
        values = any(change.status == "not_compared" for changes in self.tensors.values() for change in changes)
        if values or any(old.size == new.size and new.path not in pair[1].digests for old, new in self.common_files()):
            return sum(access.layer.size for access in pair)
        return 0

    def common_files(self) -> list[tuple[FileEntry, FileEntry]]:
        """Files with content that both sides have under one path, in b's order."""
        pair = self.pair
        if pair is None:
            return []
        found = []
        for path, new in pair[1].files.items():
            old = pair[0].files.get(path)
            if (
                old
                and old.type == new.type == "file"
                and not old.problem
                and not new.problem
                and (old.size or new.size)
            ):
                found.append((old, new))
        return found

    def digests(self, side: int) -> dict[tuple[str, str], str]:
        """Digests of files that only this side has, by layer type and path."""
        access, other = self.accesses[side], self.accesses[1 - side]
        if access is None:
            return {}
        return {
            (self.change.type, path): digest
            for path, digest in access.digests.items()
            if other is None or path not in other.files
        }

    def detail(self) -> LayerDetail:
        """What is known now."""
        a, b = self.accesses
        if any(not access.listed for access in self.present):
            return LayerDetail(problems=tuple(self.problems), verified=False)
        files = compare_files(self.change.type, a.sides() if a else (), b.sides() if b else (), self.number)
        equal = {path for path, digest in (a.digests if a and b else {}).items() if b and b.digests.get(path) == digest}
        noted = tuple(
            replace(change, note="; ".join(filter(None, (change.note, note))))
            if (note := self.notes.get(change.path))
            else change
            for change in files
        )
        return LayerDetail(
            noted,
            tuple(self.texts[path] for path in sorted(self.texts)),
            tuple((path, change) for path, changes in self.metadata.items() for change in changes),
            tuple(
                replace(tensor, status="same", note="") if tensor.status == "not_compared" and path in equal else tensor
                for path, changes in self.tensors.items()
                for tensor in changes
            ),
            tuple(self.problems),
            all(access.verified for access in self.present) and not self.failed,
        )

    def close(self) -> None:
        """Remove temporary files."""
        for access in self.present:
            if access.spool is not None:
                access.spool.close()


class LayerComparer:
    """Does one level after the other on pairs of layers. Errors of one layer become its problem."""

    def __init__(self, inspector: Inspector, holders: Sequence[Repository], budget: Budget) -> None:
        self._inspector = inspector
        self._holders = holders
        self._budget = budget

    def opened(
        self, change: LayerChange, number: int, a: tuple[Repository, Layer] | None, b: tuple[Repository, Layer] | None
    ) -> Opened:
        """Begin with a pair."""
        return Opened(
            change,
            (Access(self._inspector, *a) if a else None, Access(self._inspector, *b) if b else None),
            number,
        )

    async def list_files(self, opened: Opened, spool: bool = False) -> None:
        """The files of each side. Compressed layers are read whole where they are small, or with `spool`."""

        async def one(access: Access) -> None:
            try:
                await self._choose_holder(access)
                if self._spools(access, spool):
                    unpacked = Spool()
                    try:
                        await unpacked.fill(access.repository, access.layer)
                    except BaseException:
                        unpacked.close()
                        raise
                    access.spool = unpacked
                await access.list_files()
            except KittuiError as error:
                opened.fail(error)
                opened.failed = True

        await together([one(access) for access in opened.present])

    def _spools(self, access: Access, everything: bool) -> bool:
        """Whether a layer is read whole at once: what is small, and with `everything` what can't be read in parts."""
        size, compressed = access.layer.size, access.layer.compression != "none"
        if compressed and everything:
            return True
        limit = SPOOLED if compressed else IN_MEMORY if access.local else SMALL
        return size <= limit and self._budget.take(size, access.local)

    async def _choose_holder(self, access: Access) -> None:
        if access.local:
            return
        descriptor = descriptor_of(access.layer)
        for holder in self._holders:
            if await holder.has_blob(descriptor):
                access.repository = holder
                return

    async def read_headers(self, opened: Opened) -> None:
        """Tensors and metadata of model files, from their headers."""
        a, b = opened.accesses
        if any(not access.listed for access in opened.present):
            return
        models_a = {path: entry for path, entry in (a.files if a else {}).items() if _is_model(entry)}
        models_b = {path: entry for path, entry in (b.files if b else {}).items() if _is_model(entry)}
        only_a = [path for path in models_a if path not in models_b]
        only_b = [path for path in models_b if path not in models_a]
        pairs: list[tuple[FileEntry | None, FileEntry | None]] = [
            (models_a[path], entry) for path, entry in models_b.items() if path in models_a
        ]
        if len(only_a) == len(only_b) == 1:
            pairs.append((models_a[only_a[0]], models_b[only_b[0]]))
        else:
            pairs += [(models_a[path], None) for path in only_a]
            pairs += [(None, models_b[path]) for path in only_b]
        for old, new in pairs:
            path = new.path if new else old.path if old else ""
            try:
                await self._headers(opened, path, old, new)
            except Malformed as error:
                # Any kind of file may be called .bin: it is compared as bytes then.
                if not path.lower().endswith(".bin"):
                    opened.fail(error, path)
            except KittuiError as error:
                opened.fail(error, path)

    async def _headers(self, opened: Opened, path: str, old: FileEntry | None, new: FileEntry | None) -> None:
        a, b = opened.accesses
        weights_a = await a.weights(old) if a is not None and old is not None else None
        weights_b = await b.weights(new) if b is not None and new is not None else None
        opened.tensors[path] = compare_tensors(path, _sides(weights_a), _sides(weights_b))
        opened.metadata[path] = compare_documents(
            metadata_of(weights_a.metadata if weights_a else {}), metadata_of(weights_b.metadata if weights_b else {})
        )
        for weights in (weights_a, weights_b):
            if weights is not None and weights.problem:
                opened.fail(KittuiError(weights.problem), path)
        if old is not None and new is not None:
            opened.model_pairs.append((old, new))
            if opened.metadata[path] or any(
                change.status != "same" and change.status != "not_compared" for change in opened.tensors[path]
            ):
                self._settle(opened, path, equal=False)

    def _settle(self, opened: Opened, path: str, equal: bool) -> None:
        """Note that a file is proved the same or changed, without its digest being known."""
        pair = opened.pair
        if pair is None or path not in pair[0].files or path not in pair[1].files or path in pair[0].digests:
            return
        pair[0].digests[path] = "equal" if equal else "one"
        pair[1].digests[path] = "equal" if equal else "other"

    async def read_small_files(self, opened: Opened) -> None:
        """Read what both sides have in small files, the smallest first, and compare it for real."""
        pair = opened.pair
        if pair is None:
            return
        chosen: list[tuple[FileEntry, FileEntry]] = []
        for old, new in sorted(opened.common_files(), key=_effort):
            limit = SMALL_MODEL if new.path in opened.tensors else TEXT_LIMIT
            if max(old.size, new.size) > limit or not (old.size == new.size or may_be_text(new.path)):
                continue
            if not self._pay(pair, old.size, new.size):
                break
            chosen.append((old, new))
        for start in range(0, len(chosen), 256):
            part = chosen[start : start + 256]
            try:
                contents_a, contents_b = await together(
                    [pair[0].read(old for old, _ in part), pair[1].read(new for _, new in part)]
                )
            except KittuiError as error:
                opened.fail(error)
                return
            for _, new in part:
                if new.path in opened.tensors:
                    await self.compare_read(opened, new.path, contents_a[new.path], contents_b[new.path])
                    del contents_a[new.path]
            # Thousands of small files: one thread for all of them, not one for each.
            opened.texts.update(await in_thread(_compare_all, contents_a, contents_b))

    def _pay(self, pair: tuple[Access, Access], size_a: int, size_b: int) -> bool:
        """Take a file of both sides off the budget; over the network with the header and padding between files."""
        remote = (0 if pair[0].local else size_a + _AROUND) + (0 if pair[1].local else size_b + _AROUND)
        local = (size_a if pair[0].local else 0) + (size_b if pair[1].local else 0)
        return self._budget.take(remote, local=False) and self._budget.take(local, local=True)

    async def compare_read(self, opened: Opened, path: str, a: bytes, b: bytes) -> None:
        """Compare a file that is in memory on both sides."""
        if a == b:
            if path in opened.tensors:
                opened.tensors[path] = compare_values(opened.tensors[path], a, b, find_numpy)
            return
        if path in opened.tensors:
            opened.tensors[path] = await in_thread(compare_values, opened.tensors[path], a, b, find_numpy)
            return
        text = await in_thread(compare_contents, path, a, b)
        if text is not None:
            opened.texts[path] = text

    async def read_candidates_for_moves(self, all_opened: Sequence[Opened]) -> None:
        """Read small files that are on one side only and have the size of one on the other: one may be the other."""
        only: tuple[dict[int, list[tuple[Access, FileEntry, Opened]]], ...] = ({}, {})
        for opened in all_opened:
            if any(not access.listed for access in opened.present):
                continue
            for side, access in enumerate(opened.accesses):
                other = opened.accesses[1 - side]
                for entry in access.files.values() if access else ():
                    lonely = other is None or entry.path not in other.files
                    if access and lonely and entry.type == "file" and entry.size and not entry.problem:
                        only[side].setdefault(entry.size, []).append((access, entry, opened))
        for size in sorted(set(only[0]) & set(only[1])):
            candidates = [entry for entry in (*only[0][size], *only[1][size]) if entry[1].path not in entry[0].digests]
            if size > TEXT_LIMIT or not all(self._budget.take(size, access.local) for access, _, _ in candidates):
                break
            for access, entry, opened in candidates:
                try:
                    await access.read([entry])
                except KittuiError as error:
                    opened.fail(error, entry.path)

    async def read_one_sided_texts(self, opened: Opened) -> None:
        """The lines of small texts that were added or removed."""
        for side, access in enumerate(opened.accesses):
            other = opened.accesses[1 - side]
            if access is None or not access.listed or (other is not None and not other.listed):
                continue
            entries = [
                entry
                for path, entry in access.files.items()
                if entry.type == "file" and not entry.problem and 0 < entry.size <= ONE_SIDED and may_be_text(path)
            ]
            if other is not None:
                entries = [entry for entry in entries if entry.path not in other.files]
            chosen = [
                entry
                for entry in sorted(entries, key=lambda entry: entry.size)[:1000]
                if self._budget.take(entry.size, access.local)
            ]
            try:
                contents = await access.read(chosen)
            except KittuiError as error:
                opened.fail(error)
                continue
            for path, content in contents.items():
                sides = (content, None) if side == 0 else (None, content)
                text = await in_thread(compare_contents, path, *sides)
                if text is not None:
                    opened.texts[path] = text

    async def read_content(self, opened: Opened) -> None:
        """Read both layers once, whole and verified, and compare every value."""
        from kittui.usecases.diff_content import ContentReader

        pair = opened.pair
        if pair is None:
            return
        try:
            await ContentReader(self, opened, pair).run()
        except KittuiError as error:
            opened.fail(error)
            opened.failed = True

    async def sample(self, opened: Opened, windows: int) -> None:
        """Read random windows of what was not compared: a difference is proof, none is a bound and no more."""
        pair = opened.pair
        if pair is None:
            return
        chance = random.SystemRandom()
        paired = {new.path: (old, new) for old, new in [*opened.common_files(), *opened.model_pairs]}
        for path, (old, new) in paired.items():
            if path in opened.tensors:
                regions = [
                    (change.name, change.a.offset, change.b.offset, change.a.size)
                    for change in opened.tensors[path]
                    if change.status == "not_compared" and change.a and change.b and change.a.size == change.b.size
                ]
            elif old.size == new.size and path not in pair[0].digests:
                regions = [("", 0, 0, new.size)]
            else:
                continue
            total = sum(region[3] for region in regions)
            if not total:
                continue
            try:
                differing, count = await self._windows(pair, old, new, regions, windows, chance)
            except KittuiError as error:
                opened.fail(error, path)
                continue
            self._told(opened, path, differing, sampled_words(count, total))

    async def _windows(
        self,
        pair: tuple[Access, Access],
        old: FileEntry,
        new: FileEntry,
        regions: Sequence[tuple[str, int, int, int]],
        windows: int,
        chance: random.Random,
    ) -> tuple[set[str], int]:
        """Names of regions that differ in a window, and how many windows were read."""
        view_a, view_b = await pair[0].view(old), await pair[1].view(new)
        chosen = random_windows(sum(region[3] for region in regions), windows, chance)
        differing: set[str] = set()

        async def one(name: str, at_a: int, at_b: int, length: int) -> None:
            a, b = await together([view_a.read(at_a, length), view_b.read(at_b, length)])
            if a != b:
                differing.add(name)

        works = []
        for offset, length in chosen:
            start = 0
            for name, base_a, base_b, size in regions:
                low, high = max(offset, start), min(offset + length, start + size)
                if low < high:
                    works.append(one(name, base_a + low - start, base_b + low - start, high - low))
                start += size
        for begin in range(0, len(works), 16):
            await together(works[begin : begin + 16])
        return differing, len(chosen)

    def _told(self, opened: Opened, path: str, differing: set[str], words: str) -> None:
        if path in opened.tensors:
            opened.tensors[path] = tuple(
                replace(change, status="changed", nature="values", note=f"differs in a random window of {WINDOW} bytes")
                if change.name in differing
                else replace(change, note=words if not differing else "not seen to differ; not called same")
                if change.status == "not_compared"
                else change
                for change in opened.tensors[path]
            )
        if differing:
            self._settle(opened, path, equal=False)
            opened.notes[path] = "differs in random windows"
        else:
            opened.notes[path] = words


def _compare_all(a: dict[str, bytes], b: dict[str, bytes]) -> dict[str, TextChange]:
    found: dict[str, TextChange] = {}
    for path, content in a.items():
        text = compare_contents(path, content, b[path])
        if text is not None:
            found[path] = text
    return found


def _effort(pair: tuple[FileEntry, FileEntry]) -> int:
    return pair[0].size + pair[1].size


def _is_model(entry: FileEntry) -> bool:
    """Anything may be called .bin, and finding out costs reading: only those that are named as models are tried."""
    if entry.type != "file" or entry.problem or not is_model_file(entry.path):
        return False
    name = entry.path.rpartition("/")[2].lower()
    return not name.endswith(".bin") or "model" in name or "weight" in name


def _sides(weights: Weights | None) -> list[TensorSide]:
    return [_side(tensor) for tensor in weights.tensors] if weights is not None else []


def _side(tensor: Tensor) -> TensorSide:
    """A tensor whose place is not known, or whose header lies about it, has no bytes to compare."""
    readable = tensor.problem is None and tensor.offset is not None and tensor.file is None
    return TensorSide(
        tensor.name, tensor.dtype, tensor.shape, tensor.offset or 0, (tensor.nbytes or 0) if readable else 0
    )

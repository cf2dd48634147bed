"""Walks tar archives header by header (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Standard").

Only headers are read: large files are skipped at the price of a request, small ones are read through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.lfs import POINTER_LIMIT, SMALLEST, read_pointer
from kittui.formats.need import Need, Steps, fetch_exactly
from kittui.formats.tar_headers import check_header, header_number, pax_number, pax_records

BLOCK = 512
EXTENSION_LIMIT = 1024 * 1024
"""Bytes of one PAX or GNU long-name header read at most."""
CHAIN_LIMIT = 16
"""Extension headers before one entry at most."""
REPLACED = "replaced by a later entry of this path"
"""The note of an entry that does not count."""
_ZERO = bytes(BLOCK)

FileType = Literal["file", "dir", "symlink", "other"]


class FileEntry(NamedTuple):
    """One entry of a layer.

    `path` is exact (bytes that are not UTF-8 as lone surrogates), without trailing slash and without `./` parts. `size`
    is bytes of content, `offset` their start in the uncompressed layer, `mode` the permission bits. `problem`: why it
    can't be read. `note`: a remark. `oid` is the sha256 of the content that a Git LFS pointer stands for, empty for all
    other files.
    """

    path: str
    type: FileType
    size: int
    mode: int
    offset: int
    link: str = ""
    problem: str | None = None
    note: str = ""
    oid: str = ""


@dataclass(slots=True)
class Pace:
    """How far to read ahead, in bytes.

    `first` is asked for at the start and after a jump; each further window grows by a quarter of what was useful
    so far, up to `most`, so that wasted reading stays a fraction of what was needed. A file of more than `gap` bytes is
    skipped: about what the link transfers in one round trip.
    """

    first: int = 16 * 1024
    most: int = 4 * 1024 * 1024
    gap: int = 256 * 1024


def walk_budget() -> Budget:
    """The budget for listing one archive of any size."""
    return Budget("the archive", items=1_000_000, names=256 * 1024 * 1024, seconds=float("inf"))


DISK = Pace(1024 * 1024, 1024 * 1024, 1024 * 1024)
"""For content on this machine, where reading ahead is nearly free."""


class TarWalk:
    """A listing that grows while `steps` runs; what was found before a fault is kept."""

    def __init__(self, size: int | None, pace: Pace | None = None, budget: Budget | None = None) -> None:
        """`size` is the archive's length in bytes, None if unknown yet (a stream)."""
        self._budget = budget or walk_budget()
        self._counted = (0, 0)
        self.entries: list[FileEntry] = []
        self.complete = False
        self.problem: str | None = None
        self.position = 0
        """The next header's offset in the archive, in bytes: the walk's progress."""
        self._passed = 0
        """Where the last whole entry ended: an interrupted walk continues from there."""
        self._size = size
        self._pace = pace or Pace()
        self._start = 0
        self._window = b""
        self._useful = 0
        self._names = 0
        self._globals: dict[str, str] = {}

    def steps(self) -> Steps[None]:
        """Walk to the end marker; a malformed archive ends the walk with `problem` set, nothing is raised.

        Called again after it was closed early it continues after the last entry.
        """
        self.position = self._passed
        try:
            yield from self._walk()
            self.complete = True
        except Malformed as error:
            self.problem = error.message
        except TooLarge as error:
            self.problem = f"{error.message}; the rest is not listed"
        finally:
            self._window = b""
        self._mark_repeated()

    def _mark_repeated(self) -> None:
        """Mark files with the same path: the last one counts, for tar, for reading and for comparing alike."""
        places: dict[str, list[int]] = {}
        if len({entry.path for entry in self.entries}) == len(self.entries):
            return
        for number, entry in enumerate(self.entries):
            if entry.type != "dir":
                places.setdefault(entry.path, []).append(number)
        for numbers in places.values():
            for number in numbers[:-1]:
                self._note(number, REPLACED)
            if len(numbers) > 1:
                self._note(numbers[-1], f"the last of {len(numbers)} entries of this path: the one that counts")

    def _note(self, number: int, text: str) -> None:
        entry = self.entries[number]
        if text not in entry.note:
            self.entries[number] = entry._replace(note="; ".join(filter(None, (entry.note, text))))

    def ended(self, size: int) -> None:
        """Set the stream's length, now known, and mark a file that reaches past it."""
        if self.complete and self.position > size and self._leads_out(size):
            self.complete, self.problem = False, _cut_short(self.entries[-1])

    def _leads_out(self, size: int) -> bool:
        """Whether the last entry reaches past the archive's end; if so, mark it."""
        last = self.entries[-1] if self.entries else None
        if last is None or last.offset + last.size <= size:
            return False
        self.entries[-1] = last._replace(problem="the layer ends before this file does")
        return True

    def _refill(self) -> Steps[None]:
        """Read a window that starts at `position`; its size depends on what the last one held."""
        entries, names = self._counted
        self._counted = len(self.entries), self._names
        self._budget.spend("items", len(self.entries) - entries)
        self._budget.spend("names", self._names - names)
        pace, position = self._pace, self.position
        end = self._start + len(self._window)
        if self._window and position - end > pace.gap:
            self._useful //= 4
        elif self._window:
            self._useful += position - self._start
        wanted = max(BLOCK, min(pace.most, pace.first + self._useful // 4))
        if self._size is not None:
            wanted = min(wanted, self._size - position)
        self._start = position
        if wanted <= 0:
            self._window = b""
            return
        (self._window,) = yield (Need(position, wanted),)

    def _walk(self) -> Steps[None]:
        entries = self.entries
        extra: dict[str, str] | None = None
        chain = 0
        modes: dict[bytes, int] = {}
        while True:
            at = self.position - self._start
            head = self._window[at : at + BLOCK]
            if len(head) < BLOCK:
                self._hold(extra)
                yield from self._refill()
                head = self._window[:BLOCK]
                if len(head) < BLOCK:
                    if head or extra is not None:
                        raise Malformed(f"the archive ends inside a header at byte {self.position}")
                    return
            if head[0] == 0 and head == _ZERO:
                if extra is not None:
                    raise Malformed(f"an extension header at the end belongs to no entry (byte {self.position})")
                return
            check_header(head, self.position)
            kind = head[156]
            size = header_number(head[124:136], self.position)
            if kind in b"xXgLK":
                self._hold(extra)
                chain += 1
                if chain > CHAIN_LIMIT:
                    raise Malformed(
                        f"more than {CHAIN_LIMIT} extension headers before one entry at byte {self.position}"
                    )
                extra = yield from self._extension(kind, size, extra)
                continue
            chain = 0
            # A plain entry, kept cheap: this may run for 100,000 files.
            raw_mode = head[100:108]
            mode = modes.get(raw_mode)
            if mode is None:
                mode = header_number(raw_mode, self.position) & 0o7777
                if len(modes) < 1000:
                    modes[raw_mode] = mode
            content = self.position + BLOCK
            if extra is None and not self._globals and kind == 48 and head[345] == 0:
                name = head[: head.find(b"\0", 0, 100)] if head[99] == 0 else head[:100]
                self.position = content + (size + 511 & -512)
                self._names += len(name)
                path = name.decode("utf-8", "surrogateescape")
                if path[:1] == "." or "//" in path or "/." in path:
                    path = plain_path(path)
                entries.append(FileEntry(path, "file", size, mode, content))
            else:
                self._hold(extra)
                entry = yield from self._entry(head, kind, size, mode, content, extra)
                extra = None
                self._names += len(entry.path) + len(entry.link)
                entries.append(entry)
            if self._size is not None and self.position > self._size and self._leads_out(self._size):
                raise Malformed(_cut_short(entries[-1]))
            if SMALLEST <= size < POINTER_LIMIT and entries[-1].type == "file" and not entries[-1].problem:
                yield from self._look_for_pointer(entries[-1])

    def _look_for_pointer(self, entry: FileEntry) -> Steps[None]:
        """Note what a small file stands for if it is a Git LFS pointer. Its bytes are read with the headers."""
        at = entry.offset - self._start
        content = self._window[at : at + entry.size]
        if len(content) < entry.size and entry.size <= self._pace.most:
            # The entry is listed already: if interrupted here, the walk continues after it.
            after = self._passed = self.position
            self.position = entry.offset
            yield from self._refill()
            self.position = after
            content = self._window[: entry.size]
        pointer = read_pointer(content)
        if pointer is not None:
            self.entries[-1] = entry._replace(note=pointer.words, oid=pointer.oid)

    def _hold(self, extra: dict[str, str] | None) -> None:
        """Note where to continue, unless an extension header is waiting for its entry."""
        if extra is None:
            self._passed = self.position

    def _extension(self, kind: int, size: int, extra: dict[str, str] | None) -> Steps[dict[str, str] | None]:
        """Read a PAX or GNU long-name header; return its fields for the next entry, None if there are none."""
        if size > EXTENSION_LIMIT:
            raise Malformed(f"an extension header of {size} bytes at byte {self.position}")
        at = self.position + BLOCK - self._start
        body = self._window[at : at + size]
        if len(body) < size:
            body = yield from fetch_exactly(self.position + BLOCK, size, "an extension header")
        self.position += BLOCK + (size + 511 & -512)
        if kind in b"LK":
            text = body.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            return {**(extra or {}), "path" if kind == ord("L") else "linkpath": text}
        records = pax_records(body)
        if kind == ord("g"):
            self._globals.update(records)
            return extra
        return {**(extra or {}), **records}

    def _entry(
        self, head: bytes, kind: int, size: int, mode: int, content: int, extra: dict[str, str] | None
    ) -> Steps[FileEntry]:
        fields = {**self._globals, **(extra or {})} if self._globals else extra or {}
        name = head[:100].partition(b"\0")[0]
        if head[257:263] == b"ustar\0" and head[345]:
            name = head[345:500].partition(b"\0")[0] + b"/" + name
        path = fields.get("path") or name.decode("utf-8", "surrogateescape")
        link = ""
        problem = None
        if "size" in fields:
            size = pax_number(fields["size"], self.position)
        if "GNU.sparse.major" in fields or "GNU.sparse.map" in fields or "GNU.sparse.size" in fields:
            path = fields.get("GNU.sparse.name", path)
            problem = "a sparse file: its content is not laid out plainly and is not read"
        type_: FileType = "file"
        if kind in b"0\0007":
            if kind == 0 and path.endswith("/"):
                type_ = "dir"
        elif kind == ord("5"):
            type_ = "dir"
        elif kind in b"12":
            type_ = "symlink" if kind == ord("2") else "other"
            link = fields.get("linkpath") or head[157:257].partition(b"\0")[0].decode("utf-8", "surrogateescape")
            if kind == ord("1"):
                problem = f"a hard link to {link}"
        elif kind in b"346":
            type_, problem = "other", "a device" if kind != ord("6") else "a named pipe"
        elif kind == ord("S"):
            problem = "a sparse file: its content is not laid out plainly and is not read"
            content = yield from self._skip_sparse_maps(head, content)
        else:
            type_, problem = "other", f"an entry of unknown kind {chr(kind)!r}"
        has_content = type_ != "dir" and kind not in b"12346"
        self.position = content + ((size + 511 & -512) if has_content else 0)
        if not has_content:
            size = 0
        path = plain_path(path.rstrip("/") if type_ == "dir" else path)
        return FileEntry(path, type_, size, mode, content, link, problem)

    def _skip_sparse_maps(self, head: bytes, content: int) -> Steps[int]:
        """GNU's old sparse format: while a flag is set, a block of the map follows."""
        more, blocks = head[482], 0
        while more:
            block = yield from fetch_exactly(content, BLOCK, "a sparse map")
            content += BLOCK
            more, blocks = block[504], blocks + 1
            if blocks > 1000:
                raise Malformed(f"a sparse map without end at byte {self.position}")
        return content


def plain_path(path: str) -> str:
    """Drop empty and `.` parts from a path: `./a//b` becomes `a/b`, and `.` stays."""
    if path[:2] != "./" and "//" not in path and "/./" not in path and not path.endswith("/."):
        return path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts) or "."


def _cut_short(last: FileEntry) -> str:
    return f"the archive is cut short: it ends inside {last.path[:200]!r}"

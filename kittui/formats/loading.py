"""Finds what loading a file would import and run: follows every pickle in it to its end, whatever wraps it.

Pickles are found in a row, in zip archives (torch, numpy), in tar archives (torch before 0.2), after the headers of
object arrays, and in anything compressed (joblib, pandas). Content decides, not names. What can't be followed is
reported, never left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed, TooLarge
from kittui.formats.arrays import OBJECTS
from kittui.formats.hdf5 import MAGIC as HDF5
from kittui.formats.hdf5 import read_hdf5
from kittui.formats.inflate import compression_of, read_through
from kittui.formats.keras import class_names
from kittui.formats.lfs import read_pointer
from kittui.formats.long_json import decode_json
from kittui.formats.need import Cursor, Steps, run_bytes, shifted
from kittui.formats.npy import HEADER_LIMIT, MAGIC, header_length, parse_npy_header
from kittui.formats.pickle import follow_pickle
from kittui.formats.pickled import Global, Program
from kittui.formats.pytorch import BELIEVED, LEGACY_MAGIC
from kittui.formats.tar import TarWalk
from kittui.formats.zip import METHODS, Member, member_offset, open_member, read_member_starts, read_zip

LOADED = (
    ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".pk", ".joblib", ".dill", ".cloudpickle", ".sav", ".npy",
    ".npz", ".ptl", ".jit", ".torchscript", ".mar", ".keras", ".h5", ".hdf5",
)  # fmt: skip
"""Endings of files that are loaded with pickle, torch, joblib, dill, numpy or Keras."""
WRAPPINGS = (".gz", ".bz2", ".xz", ".lzma", ".z", ".lz4", ".zst", ".zip", ".tar", ".tgz")
"""Compression endings: the ending before them tells what a file is."""
MEMBERS = 500
"""Members of an archive that are opened at most."""
WHOLE = 16 * 1024 * 1024
"""Members up to this many bytes are read at once, and their checksum verified."""
DEPTH = 4
"""Maximum depth of files within files."""
_FIRST = 512
_FOREIGN = ((b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"Rar!", "a RAR archive"))


def is_loaded(path: str) -> bool:
    """Whether a file's name says that it is loaded by unpickling; a compression ending is ignored."""
    name = path.lower().rpartition("/")[2]
    while name.endswith(WRAPPINGS):
        name = name[: name.rindex(".")]
    return name.endswith(LOADED)


@dataclass(slots=True)
class Examined:
    """What was found in one file.

    `imports` are those of all its pickles; `pickles` counts those that were followed to their end. `faults` are things
    that no honest program writes, `code` what runs without being imported, `unread` what was not examined and why; each
    says where in the file it is.
    """

    imports: dict[Global, None] = field(default_factory=dict)
    pickles: int = 0
    faults: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def examine(path: str, size: int, budget: Budget) -> Steps[Examined]:
    """Look for pickles in a file of `size` bytes.

    Raises only the source's errors. If the file's name does not say that it is unpickled, other content is not
    reported.
    """
    examiner = _Examiner(budget)
    yield from examiner.file("", size, 0, named=is_loaded(path))
    return examiner.found


class _Examiner:
    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.found = Examined()

    def unread(self, where: str, reason: str) -> None:
        self.found.unread.append(f"{where}: {reason}" if where else reason)

    def fault(self, where: str, reason: str) -> None:
        self.found.faults.append(f"{where}: {reason}" if where else reason)

    def file(self, where: str, size: int, depth: int, *, named: bool) -> Steps[None]:
        """Examine content that can be read at any offset."""
        try:
            if depth > DEPTH:
                raise TooLarge("too large to show: files within files within files")
            cursor = Cursor(size, "it", self.budget, ahead=_FIRST)
            first = yield from cursor.look(_FIRST)
            how = compression_of(first)
            if size <= _FIRST and (pointer := read_pointer(first)) is not None:
                self.unread(where, f"a {pointer.words}, not the file itself")
            elif first[:4] in (b"PK\3\4", b"PK\5\6"):
                yield from self.zip(where, size, depth, named=named)
            elif first.startswith(HDF5):
                if named:
                    yield from self.hdf5(where, size)
            elif how is not None:
                yield from read_through(self.stream(where, depth + 1, named=named), how, size, self.budget)
            elif first[257:262] == b"ustar":
                yield from self.tar(where, size, depth)
            else:
                yield from self.plain(where, cursor, first, named=named)
        except ContentError as error:
            if named or isinstance(error, TooLarge):
                self.unread(where, error.message)

    def stream(self, where: str, depth: int, *, named: bool) -> Steps[None]:
        """Examine content that can only be read forward."""
        cursor = Cursor(None, "it", self.budget, ahead=_FIRST)
        first = yield from cursor.look(_FIRST)
        if first[:4] in (b"PK\3\4", b"PK\5\6") or first[257:262] == b"ustar" or compression_of(first) is not None:
            pieces: list[bytes] = []
            while piece := (yield from cursor.look(1 << 16)):
                self.budget.spend("memory", len(piece))
                pieces.append(cursor.grab(len(piece)))
            content = b"".join(pieces)
            run_bytes(self.file(where, len(content), depth, named=named), content)
        else:
            yield from self.plain(where, cursor, first, named=named)

    def plain(self, where: str, cursor: Cursor, first: bytes, *, named: bool) -> Steps[None]:
        """Examine content that is neither an archive nor compressed."""
        for magic, word in _FOREIGN:
            if first.startswith(magic):
                if named:
                    self.unread(where, f"it is {word}, which is not opened")
                return
        if first.startswith(MAGIC):
            yield from self.array(where, cursor)
        else:
            yield from self.pickles(where, cursor, named=named)

    def array(self, where: str, cursor: Cursor) -> Steps[None]:
        length = header_length((yield from cursor.look(_FIRST)))
        raw = yield from cursor.look(min(length, HEADER_LIMIT))
        tensor = parse_npy_header(raw, "it", 0, length)
        if tensor.dtype == OBJECTS:
            cursor.grab(length)
            yield from self.pickles(where, cursor, named=True)
        elif tensor.nbytes is None and tensor.problem:
            self.unread(where, f"an array of the type {tensor.dtype}, which is not known")

    def pickles(self, where: str, cursor: Cursor, *, named: bool) -> Steps[None]:
        """Follow consecutive pickles."""
        first: Program | None = None
        count = 0
        while (ahead := (yield from cursor.look(_FIRST))) and (count or ahead.strip(b"\0\r\n\t ")):
            if count and len(ahead) < _FIRST and not ahead.strip(b"\0\r\n\t "):
                return
            start = cursor.position
            program = yield from follow_pickle(cursor, self.budget)
            first = first or program
            if program.problem:
                binary = ahead[0] == 0x80 and ahead[1:2] < b"\x06"
                self.broken(f"from byte {start}" if start and not where else where, program, count, named, binary)
                return
            count += 1
            self.found.pickles += 1
            self.found.imports.update(dict.fromkeys(program.imports))
            if count == 5 and first.value == LEGACY_MAGIC:
                # An old checkpoint: its storages follow.
                return
        if not count and named:
            self.unread(where, "it is empty" if not ahead else "it starts like nothing that is known")

    def broken(self, where: str, program: Program, before: int, named: bool, binary: bool) -> None:
        """Report a pickle that ends in the middle as a fault, unless it may not be a pickle at all."""
        if program.imports and (named or binary or before):
            self.found.imports.update(dict.fromkeys(program.imports))
            self.fault(where, f"a pickle that can't be followed to its end: {program.problem}")
        elif binary and program.opcodes >= BELIEVED:
            self.fault(where, f"a pickle that can't be followed to its end: {program.problem}")
        elif before:
            self.unread(where, f"what follows its first {before} pickles is none ({program.problem})")
        elif named:
            self.unread(where, f"it starts like nothing that is known ({program.problem})")

    def tar(self, where: str, size: int, depth: int) -> Steps[None]:
        walk = TarWalk(size, budget=self.budget)
        steps = walk.steps()
        for needs in steps:
            while needs and len(walk.entries) <= MEMBERS:
                answers = yield needs
                try:
                    needs = steps.send(answers)
                except StopIteration:
                    break
            break
        steps.close()
        if walk.problem:
            self.unread(where, walk.problem)
        if len(walk.entries) > MEMBERS:
            self.unread(where, f"the archive has more than {MEMBERS} files")
        for entry in walk.entries[:MEMBERS]:
            if entry.type == "file" and not entry.problem:
                # Before 0.2, torch stored its pickle in a member of this name.
                named = is_loaded(entry.path) or entry.path == "pickle"
                inner = self.file(_within(where, entry.path), entry.size, depth + 1, named=named)
                yield from shifted(inner, entry.offset)

    def zip(self, where: str, size: int, depth: int, *, named: bool) -> Steps[None]:
        members = [one for one in (yield from read_zip(size, self.budget)) if not one.path.endswith("/")]
        names = Counter(member.path for member in members)
        # torch's storages are plain numbers, never unpickled.
        numbers = tuple(
            f"{name.removesuffix('.pkl')}/"
            for name in names
            if name.rpartition("/")[2] in ("data.pkl", "constants.pkl")
        )
        wanted = [one for one in members if not one.path.startswith(numbers) or is_loaded(one.path)]
        wanted.sort(key=lambda one: not is_loaded(one.path))
        if len(wanted) > MEMBERS:
            self.unread(where, f"{len(wanted) - MEMBERS} more files in the archive")
        for name in [name for name, count in names.items() if count > 1][:5]:
            self.fault(where, f"several members are called {name}: which one is loaded depends on the loader")
        wanted = wanted[:MEMBERS]
        for member, start in zip(wanted, (yield from read_member_starts(wanted, _FIRST)), strict=True):
            inner = _within(where, member.path)
            if "metadata.json" in names and member.path == "config.json" and not isinstance(start, Malformed):
                yield from self.keras(inner, member)
            elif member.path == "model.weights.h5":
                # In Keras archives, only the weights are in HDF5, and they run nothing.
                continue
            elif isinstance(start, Malformed) and member.method not in METHODS:
                if is_loaded(member.path):
                    self.unread(inner, f"compressed by a method that is not read ({member.method})")
            elif isinstance(start, Malformed) or (
                (is_loaded(member.path) or _may_load(start[1])) and not _is_plain_array(start[1])
            ):
                yield from self.member(inner, member, depth + 1)

    def hdf5(self, where: str, size: int) -> Steps[None]:
        """Examine an HDF5 file: Keras keeps its configuration in an attribute; nothing else can run."""
        found = yield from read_hdf5(size, self.budget)
        for text in filter(None, (found.problem, *found.notes)):
            self.unread(where, text)
        if isinstance(config := found.metadata.get("model_config"), str):
            self.configuration(f"{where}, model_config" if where else "model_config", config)

    def keras(self, where: str, member: Member) -> Steps[None]:
        """Examine a Keras configuration: its Lambda layers hold Python bytecode."""
        content = yield from open_member(member, self.budget)
        self.configuration(where, content.content)

    def configuration(self, where: str, text: str | bytes) -> None:
        """The classes that a Keras configuration names."""
        try:
            names = class_names(decode_json(text if isinstance(text, str) else text.decode(), budget=self.budget))
        except (ValueError, RecursionError):
            self.unread(where, "it is not valid JSON")
            return
        if "Lambda" in names or "__lambda__" in names:
            self.found.code.append(f"{where}: a Lambda layer, whose code is in the file and runs with the model")

    def member(self, where: str, member: Member, depth: int) -> Steps[None]:
        named = is_loaded(member.path)
        try:
            if member.method == 0 and member.compressed > WHOLE:
                start = yield from member_offset(member)
                yield from shifted(self.file(where, member.compressed, depth, named=named), start)
                return
            content, odd, _ = yield from open_member(member, self.budget)
        except ContentError as error:
            if named or isinstance(error, TooLarge):
                self.unread(where, error.message)
            return
        before = self.found.pickles
        run_bytes(self.file(where, len(content), depth, named=named and not member.encrypted), content)
        if odd is not None and (named or self.found.pickles > before):
            said = self.fault if self.found.pickles > before else self.unread
            said(where.rpartition(", ")[0], odd)


def _within(where: str, path: str) -> str:
    return f"{where}, {path[:500]}" if where else path[:500]


def _may_load(first: bytes) -> bool:
    """Whether content starts like a pickle, array or archive."""
    pickled = first[:1] == b"\x80" and first[1:2] in b"\2\3\4\5"
    return pickled or first.startswith((MAGIC, b"PK\3\4")) or compression_of(first) is not None


def _is_plain_array(first: bytes) -> bool:
    """Whether content starts like an array of numbers."""
    try:
        tensor = parse_npy_header(first, "it", 0, header_length(first))
    except Malformed:
        return False
    return tensor.nbytes is not None

"""Reads PyTorch checkpoints without unpickling: torch.save's zip (1.6 and later), and the row of pickles before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.need import Cursor, Steps, fetch, run_bytes, shifted
from kittui.formats.pickle import follow_pickle
from kittui.formats.pickled import Map, Program
from kittui.formats.rebuild import find_tensors
from kittui.formats.rebuilders import Found, Storage, storage_of
from kittui.formats.weights import LOOKUPS, Tensor, Weights, bytes_of, distinct
from kittui.formats.zip import Member, member_offset, member_offsets, open_member, read_member, read_zip

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
WHOLE = 16 * 1024 * 1024
"""Pickles in a zip archive up to this many bytes are read at once, and their checksum verified."""
FIRST = 4 * 1024
"""Bytes of a file that are read to decide whether it is a pickle."""
BELIEVED = 8
"""Minimum instructions for a damaged file to count as a pickle if nothing else says so."""
IMPORTS = 1000
"""Imports that are listed."""
_SYSTEM, _OBJECT, _KEYS = 2, 3, 4
"""The position of each part among an old checkpoint's five pickles, after magic number and protocol."""


def read_pytorch(size: int, budget: Budget, *, lookups: int = LOOKUPS) -> Steps[Weights]:
    """Read the tensors of a checkpoint, or the arrays of a bare pickle; raises Malformed for any other file.

    Locating a storage's bytes takes a short read for each; with more than `lookups` storages, the places are left out.
    """
    first = yield from fetch(0, 4)
    if first == b"PK\3\4":
        return (yield from _from_zip((yield from read_zip(size, budget)), budget, lookups))
    return (yield from read_pickles(size, budget))


def _from_zip(members: tuple[Member, ...], budget: Budget, lookups: int) -> Steps[Weights]:
    by_path = {member.path: member for member in members}
    # torch reads only the first member's folder.
    folder = f"{members[0].path.partition('/')[0]}/" if members else ""
    if f"{folder}data.pkl" not in by_path:
        folder = next((path[:-8] for path in by_path if path == "data.pkl" or path.endswith("/data.pkl")), "")
    if f"{folder}data.pkl" not in by_path:
        raise Malformed("a zip archive without data.pkl: no PyTorch checkpoint")
    part = _Part(by_path, folder, budget)
    tensors = yield from part.read("data", lookups)
    if f"{folder}constants.pkl" in by_path:
        # TorchScript's constants are not part of its state_dict.
        tensors += yield from part.read("constants", lookups, "constants.")
    if sum(member.path == f"{folder}data.pkl" for member in members) > 1:
        part.problems.append(f"several members are called {folder}data.pkl: which one is loaded depends on the loader")
    order = by_path.get(f"{folder}byteorder")
    if order is not None and order.size < 16 and (yield from read_member(order, budget)).strip() == b"big":
        tensors = [_big_endian(tensor) for tensor in tensors]
    problem = _problem(part.problems, tensors)
    return Weights("pytorch", tuple(distinct(tensors)), part.metadata, problem, tuple(part.notes))


class _Part:
    """A pickle in the archive, with the folder of its storages."""

    def __init__(self, by_path: Mapping[str, Member], folder: str, budget: Budget) -> None:
        self._by_path = by_path
        self._folder = folder
        self._budget = budget
        self.metadata: dict[str, Any] = {}
        self.problems: list[str | None] = []
        self.notes: list[str] = []

    def read(self, word: str, lookups: int, prefix: str = "") -> Steps[list[Tensor]]:
        program, start = yield from _program(self._by_path[f"{self._folder}{word}.pkl"], self._budget)
        found, cut = find_tensors(program, self._budget)
        self.problems += [program.problem, cut]
        self.metadata = self.metadata or _metadata(program)
        within = f"{self._folder}{word}/"
        storages = {path[len(within) :]: one for path, one in self._by_path.items() if path.startswith(within)}
        keys = [one.key for one in found if one.key is not None]
        plain = {key: one for key in keys if (one := storages.get(key)) and one.method == 0 and not one.encrypted}
        starts: dict[str, int | None] = {}
        if len(plain) <= lookups:
            starts = dict(zip(plain, (yield from member_offsets(list(plain.values()))), strict=True))
        elif lookups:
            self.notes.append(f"where the bytes of its {len(plain)} storages start was not looked up")
        meant = {storage.key for each in program.storages if (storage := storage_of(each)) is not None}
        unused = len(storages.keys() - meant)
        if unused and program.problem is None:
            self.notes.append(f"{unused} of {len(storages)} storages in {within} are used by no tensor")
        return [
            _stored(one._replace(name=prefix + one.name), storages.get(one.key or ""), starts.get(one.key or ""), start)
            for one in found
        ]


def _program(member: Member, budget: Budget) -> Steps[tuple[Program, int | None]]:
    """Follow a pickle that is a member of the zip archive; also return its first byte's offset if uncompressed.

    A large one is read by ranges, without verifying its checksum.
    """
    if member.method == 0 and member.compressed > WHOLE:
        start = yield from member_offset(member)
        cursor = Cursor(member.compressed, "the pickle", budget)
        return (yield from shifted(follow_pickle(cursor, budget), start)), start
    opened = yield from open_member(member, budget)
    cursor = Cursor(len(opened.content), "the pickle", budget)
    program = run_bytes(follow_pickle(cursor, budget), opened.content)
    program.problem = program.problem or opened.problem
    return program, opened.start if member.method == 0 else None


def _stored(one: Found, member: Member | None, start: int | None, base: int | None) -> Tensor:
    """Place a tensor in its storage, a member of the zip archive that starts at byte `start` of the file.

    `base`: where the pickle starts, for what lies in the pickle itself.
    """
    if one.key is None:
        return _unstored(one, base)
    nbytes = _nbytes(one)
    if member is None:
        return Tensor(one.name, one.dtype, one.shape, None, nbytes, one.problem or "its storage is missing")
    problem = one.problem
    if problem is None and one.width and (nbytes is None or one.first * one.width + nbytes > member.size):
        problem = "its storage is too small for its shape"
    offset = start + one.first * one.width if start is not None and one.plain and problem is None else None
    return Tensor(one.name, one.dtype, one.shape, offset, nbytes, problem, member=member.path)


def _unstored(one: Found, base: int | None) -> Tensor:
    offset = base + one.place if base is not None and one.place is not None else None
    return Tensor(one.name, one.dtype, one.shape, offset, one.nbytes, one.problem)


def _nbytes(one: Found) -> int | None:
    return bytes_of(one.shape, one.width * 8) if one.width else one.nbytes


def read_pickles(size: int | None, budget: Budget) -> Steps[Weights]:
    """Read the arrays of a bare pickle, or the tensors of an old checkpoint; raises Malformed for any other content.

    `size` is None for content being decompressed: then nothing has a place in the file.
    """
    cursor = Cursor(size, "the pickle", budget, ahead=FIRST)
    programs = [(yield from follow_pickle(cursor, budget))]
    if programs[0].value == LEGACY_MAGIC and type(programs[0].value) is int:
        # An old checkpoint is five pickles: magic number, protocol, system, object, storage keys.
        while len(programs) < _KEYS + 1 and not programs[-1].problem:
            programs.append((yield from follow_pickle(cursor, budget)))
    main = programs[_OBJECT] if len(programs) > _OBJECT else programs[0]
    if main.problem and not main.imports and main.opcodes < BELIEVED:
        raise Malformed(f"neither a PyTorch checkpoint nor a pickle: {main.problem}")
    found, cut = find_tensors(main, budget)
    if len(programs) == 1:
        tensors = [_unstored(one, 0 if size is not None else None) for one in found]
        problem = _problem([main.problem, cut], tensors)
        return Weights("pickle", tuple(distinct(tensors)), _metadata(main), problem)
    held = {storage.key: storage for each in main.storages if (storage := storage_of(each)) is not None}
    keys = programs[_KEYS].value if len(programs) > _KEYS else None
    known = keys if isinstance(keys, list) and size is not None else []
    starts = _legacy_starts(held, known, cursor.position, size or 0)
    tensors = []
    for one in found:
        start = starts.get(one.key or "")
        offset = start + one.first * one.width if start is not None and one.plain and not one.problem else None
        tensors.append(Tensor(one.name, one.dtype, one.shape, offset, _nbytes(one), one.problem))
    system = programs[_SYSTEM].value if len(programs) > _SYSTEM else None
    if isinstance(system, Map) and system.get("little_endian") is False:
        tensors = [_big_endian(tensor) for tensor in tensors]
    problem = _problem([programs[-1].problem, cut], tensors)
    return Weights("pytorch", tuple(distinct(tensors)), _metadata(main), problem)


def _legacy_starts(held: Mapping[str, Storage], keys: Sequence[Any], at: int, size: int) -> dict[str, int]:
    """Locate each storage's numbers: from byte `at`, in key order, each has a count of 8 bytes, then its numbers.

    Those before and after a storage of unknown length can still be located. Empty if they don't fill the file to its
    last byte.
    """
    lengths = [one.numbers * one.width if (one := held.get(str(key))) and one.width else None for key in keys]
    starts: dict[str, int] = {}
    unknown = lengths.count(None)
    for key, length in zip(keys, lengths, strict=True):
        if length is None:
            break
        starts[str(key)] = at + 8
        at += 8 + length
    if not unknown:
        return starts if at == size else {}
    end = size
    for key, length in zip(reversed(keys), reversed(lengths), strict=True):
        if length is None:
            break
        end -= length
        starts[str(key)] = end
        end -= 8
    return starts if at + 8 * unknown <= end else {}


def _big_endian(tensor: Tensor) -> Tensor:
    """Big-endian numbers have a type of their own: they can't be read like little-endian ones."""
    width = tensor.nbytes // tensor.parameters if tensor.nbytes and tensor.parameters else 2
    return tensor if width == 1 or tensor.dtype.startswith(">") else tensor._replace(dtype=f">{tensor.dtype}")


def _problem(problems: Iterable[str | None], tensors: Sequence[Tensor]) -> str | None:
    """Join all problems in one sentence."""
    strange = sum((tensor.problem or "").startswith("not understood") for tensor in tensors)
    words = [*dict.fromkeys(problem for problem in problems if problem)]
    if strange:
        words.append(f"{strange} tensors are not understood and are marked")
    return "; ".join(words) or None


def _metadata(program: Program) -> dict[str, Any]:
    metadata: dict[str, Any] = {"imports": [str(found) for found in program.imports[:IMPORTS]]}
    if isinstance(program.value, Map):
        for key, value in program.value.items():
            if isinstance(key, str) and isinstance(value, str | int | float | bool) and len(metadata) < 200:
                metadata[key[:200]] = _plain(value)
    return metadata


def _plain(value: str | float) -> str | float:
    if isinstance(value, str):
        return value[:1000]
    return value if not isinstance(value, int) or abs(value) < 1 << 64 else "a long number"

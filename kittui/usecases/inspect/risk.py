"""Risk at a glance: what a ModelKit's files could do when they are loaded. Says what was looked at, never "safe"."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kittui.errors import KittuiError, Malformed
from kittui.formats.model_file import PICKLES
from kittui.formats.need import Steps, fetch
from kittui.formats.pickle import Global
from kittui.formats.pytorch import read_pytorch
from kittui.formats.tar import FileEntry
from kittui.tasks import together
from kittui.usecases.inspect.files import ListedLayer
from kittui.usecases.inspect.views import drive

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector

Kind = Literal["pickle", "executable", "script", "licence"]

FILES_LIMIT = 200
"""Files that are opened at most; the report says how many were not."""
CONCURRENCY = 4
"""Files opened at once."""

ALLOWED = frozenset(
    {
        "collections.OrderedDict", "collections.defaultdict", "_codecs.encode", "numpy.dtype", "numpy.ndarray",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter", "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_parameter_with_state", "torch.Size", "torch.device", "torch.serialization._get_layout",
        "torch._tensor._rebuild_from_type_v2", "torch.nn.parameter.Parameter", "copy_reg._reconstructor",
        "copyreg._reconstructor", "__builtin__.object", "builtins.object", "__builtin__.set", "builtins.set",
        "builtins.frozenset", "builtins.bytearray", "builtins.complex", "datetime.datetime", "datetime.date",
        "datetime.timedelta", "datetime.timezone",
    }
)  # fmt: skip
"""Imports that rebuild arrays and plain values and do nothing else."""
_TORCH_TYPES = ("Storage", "Tensor")
_DTYPES = frozenset(
    {
        "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
        "complex128", "quint8", "qint8", "qint32",
    }
)  # fmt: skip

EXECUTABLES = (".exe", ".dll", ".so", ".dylib", ".msi", ".jar", ".class", ".com", ".scr", ".wasm", ".pyc")
SCRIPTS = (".sh", ".bash", ".bat", ".cmd", ".ps1", ".vbs")
_MAGICS = (
    (b"\x7fELF", "a Linux program or library"),
    (b"MZ", "a Windows program or library"),
    (b"\xcf\xfa\xed\xfe", "a macOS program or library"),
    (b"\xca\xfe\xba\xbe", "a macOS program or Java class"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth knowing before use; `path` is empty where it is about the whole ModelKit."""

    kind: Kind
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RiskReport:
    """`looked` says in one sentence what was looked at; `skipped` names what was not, and why."""

    findings: tuple[Finding, ...]
    looked: str
    skipped: tuple[str, ...]

    @property
    def badge(self) -> str:
        """A few words for a row: what was found, or that what was looked at held nothing known."""
        if not self.findings:
            return f"nothing known found: {self.looked}"
        kinds = dict.fromkeys(finding.kind for finding in self.findings)
        counts = [(kind, sum(finding.kind == kind for finding in self.findings)) for kind in kinds]
        return ", ".join(f"{count} {kind}" for kind, count in counts) + f": {self.looked}"


def is_allowed(found: Global) -> bool:
    """Whether an import is one of those that only rebuild plain values."""
    if str(found) in ALLOWED:
        return True
    return found.module == "torch" and (found.name.endswith(_TORCH_TYPES) or found.name in _DTYPES)


async def assess(
    inspector: Inspector, repository: Repository, kit: ModelKit, listed: Sequence[ListedLayer]
) -> RiskReport:
    """Judge the files of layers that were listed, opening pickles and what may be a program, a few kilobytes each."""
    findings = list(_licences(kit, listed))
    files = [(one.layer, entry) for one in listed if one.listing for entry in one.listing.files if entry.type == "file"]
    skipped = [f"layer {one.layer.path or one.layer.digest.short}: {one.problem}" for one in listed if one.problem]
    candidates: list[tuple[Layer, FileEntry]] = []
    for layer, entry in files:
        name = entry.path.lower()
        if name.endswith(SCRIPTS):
            findings.append(Finding("script", entry.path, "a script that a shell runs"))
        if name.endswith((*PICKLES, *EXECUTABLES)) or (entry.mode & 0o111 and "." not in name.rpartition("/")[2]):
            candidates.append((layer, entry))
    if len(candidates) > FILES_LIMIT:
        skipped.append(f"{len(candidates) - FILES_LIMIT} more files that may be pickles or programs")
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(layer: Layer, entry: FileEntry) -> tuple[list[Finding], str | None]:
        async with slots:
            try:
                view = await inspector.open(repository, layer, entry)
                return await drive(_judge(entry), view, threaded=True), None
            except KittuiError as error:
                return [], f"{entry.path}: {error.message}"

    for found, problem in await together(*(one(layer, entry) for layer, entry in candidates[:FILES_LIMIT])):
        findings += found
        if problem is not None:
            skipped.append(problem)
    opened = min(len(candidates), FILES_LIMIT)
    looked = f"names of {len(files)} files, {opened} opened for pickle imports and program formats"
    return RiskReport(tuple(findings), looked, tuple(skipped))


def _licences(kit: ModelKit, listed: Sequence[ListedLayer]) -> list[Finding]:
    def said(part: object) -> bool:
        return isinstance(part, dict) and bool(part.get("license"))

    if said(kit.kitfile.get("package")) or said(kit.kitfile.get("model")):
        return []
    for one in listed:
        for entry in one.listing.files if one.listing is not None else ():
            if entry.path.rpartition("/")[2].lower().startswith(("licence", "license", "copying")):
                return []
    return [Finding("licence", "", "no licence in the Kitfile and no licence file")]


def _judge(entry: FileEntry) -> Steps[list[Finding]]:
    first = yield from fetch(0, 16)
    for magic, text in _MAGICS:
        if first.startswith(magic):
            return [Finding("executable", entry.path, text)]
    name = entry.path.lower()
    if name.endswith(EXECUTABLES):
        return [Finding("executable", entry.path, "named as a program or library")]
    if not name.endswith(PICKLES):
        return []
    try:
        _, programs = yield from read_pytorch(entry.size, lookups=0)
    except Malformed:
        # Not a pickle, whatever its name: many .bin files are plain numbers.
        return []
    strange = [found for program in programs for found in program.imports if not is_allowed(found)]
    findings = []
    if strange:
        names = ", ".join(dict.fromkeys(str(found) for found in strange[:20]))
        findings.append(Finding("pickle", entry.path, f"loading it imports {names}"))
    for program in programs:
        if program.problem:
            findings.append(
                Finding("pickle", entry.path, f"a pickle that can't be followed to its end: {program.problem}")
            )
            break
    return findings

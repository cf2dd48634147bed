"""Assesses what a ModelKit's files could do when loaded. Reports what was checked, and never calls anything "safe"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kittui.budget import Budget
from kittui.errors import KittuiError
from kittui.formats.loading import WRAPPINGS, examine, is_loaded
from kittui.formats.need import Steps, fetch
from kittui.formats.pickled import Global
from kittui.formats.rebuilders import DTYPES
from kittui.formats.tar import FileEntry
from kittui.tasks import spread
from kittui.terminal import counted
from kittui.usecases.inspect.files import ListedLayer
from kittui.usecases.inspect.views import drive

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector

Kind = Literal["pickle", "executable", "script", "license"]

FILES_LIMIT = 200
"""Maximum files that are opened; the report says how many were not."""
OPENED = 4
"""Maximum files opened concurrently: each takes memory."""
REACH = 64 * 1024 * 1024
"""Maximum bytes read of one file, without arrays between pickles."""
NEAR = 8 * 1024 * 1024
"""The same for a file that is read over the network."""

ALLOWED = frozenset(
    {
        "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "collections.deque",
        "_codecs.encode", "numpy.dtype", "numpy.ndarray",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar", "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter", "torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse_tensor",
        "torch._utils._rebuild_parameter_with_state", "torch._utils._rebuild_meta_tensor_no_storage",
        "torch._utils._rebuild_nested_tensor", "torch._utils._rebuild_device_tensor_from_numpy",
        "torch._utils._rebuild_device_tensor_from_cpu_tensor", "torch._utils._rebuild_wrapper_subclass",
        "torch.Size", "torch.device", "torch.serialization._get_layout", "torch._tensor._rebuild_from_type_v2",
        "torch.nn.parameter.Parameter", "torch.per_tensor_affine", "torch.per_channel_affine", "torch.strided",
        "torch.jit._pickle.build_intlist", "torch.jit._pickle.build_tensorlist", "torch.jit._pickle.build_doublelist",
        "torch.jit._pickle.build_boollist", "torch.jit._pickle.build_tensor_from_id",
        "torch.jit._pickle.restore_type_tag", "joblib.numpy_pickle.NumpyArrayWrapper", "copy_reg._reconstructor",
        "copyreg._reconstructor", "__builtin__.object", "builtins.object", "__builtin__.set", "__builtin__.list",
        "__builtin__.dict", "__builtin__.bytearray", "__builtin__.complex", "builtins.set",
        "builtins.frozenset", "__builtin__.frozenset", "builtins.bytearray", "builtins.complex", "builtins.list",
        "builtins.dict", "builtins.slice", "builtins.range", "datetime.datetime", "datetime.date",
        "datetime.timedelta", "datetime.timezone",
    }
)  # fmt: skip
"""Imports that rebuild arrays and plain values and do nothing else."""
_SCRIPTED = "__torch__"
"""The pretended module of TorchScript's classes: Python has no such module, and torch compiles them from the file."""

EXECUTABLES = (".exe", ".dll", ".so", ".dylib", ".msi", ".jar", ".class", ".com", ".scr", ".wasm", ".pyc")
SCRIPTS = (".sh", ".bash", ".bat", ".cmd", ".ps1", ".vbs")
PLAIN = frozenset(
    {
        *("txt", "md", "markdown", "rst", "json", "jsonl", "ndjson", "yaml", "yml", "toml", "ini", "cfg", "conf"),
        *("lock", "log", "csv", "tsv", "xml", "html", "css", "js", "ts", "py", "pyi", "ipynb", "sql", "r", "c", "h"),
        *("cpp", "hpp", "java", "go", "rs", "cu", "proto", "png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "ico"),
        *("tif", "tiff", "pdf", "parquet", "arrow", "feather", "avro", "orc", "safetensors", "gguf", "ggml", "onnx"),
        *("tflite", "wav", "mp3", "flac", "ogg", "mp4", "avi", "mov", "webm", "ttf", "woff", "woff2", "jinja", "j2"),
        *("tmpl", "vocab", "bpe", "gitattributes", "gitignore", "dockerignore", "kitignore", "cff", "bib", "tex"),
        *("sig", "pem", "license", "licence", "readme", "makefile", "dockerfile", "kitfile", "modelfile", "copying"),
        *("notice", "authors"),
    }
)
"""Names, or endings of names, of files that no loader unpickles: these are not opened."""
_MAGICS = (
    (b"\x7fELF", "a Linux program or library"),
    (b"MZ", "a Windows program or library"),
    (b"\xcf\xfa\xed\xfe", "a macOS program or library"),
    (b"\xca\xfe\xba\xbe", "a macOS program or Java class"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know before use; `path` is empty if it concerns the whole ModelKit."""

    kind: Kind
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RiskReport:
    """`looked` says in one sentence what was checked; `skipped` lists what was not, and why.

    `followed` are the files that were read from start to end.
    """

    findings: tuple[Finding, ...]
    looked: str
    skipped: tuple[str, ...]
    followed: frozenset[str] = frozenset()

    @property
    def badge(self) -> str:
        """A few words for a row: what was found, or that nothing known was found in what was checked."""
        beside = f"; {len(self.skipped)} not looked at" if self.skipped else ""
        if not self.findings:
            return f"nothing known found in what was looked at: {self.looked}{beside}"
        kinds = dict.fromkeys(finding.kind for finding in self.findings)
        counts = [(kind, sum(finding.kind == kind for finding in self.findings)) for kind in kinds]
        return ", ".join(f"{count} {kind}" for kind, count in counts) + f": {self.looked}{beside}"


def is_allowed(found: Global) -> bool:
    """Whether an import only rebuilds plain values."""
    if str(found) in ALLOWED or found.module.partition(".")[0] == _SCRIPTED:
        return True
    plain = found.name.endswith(("Storage", "Tensor")) or found.name in DTYPES
    return found.module in ("torch", "torch.cuda", "torch.storage") and plain and "." not in found.name


def is_worth_opening(entry: FileEntry) -> bool:
    """Whether a loader may unpickle a file, or it may be a program: all except those named as plain data."""
    if entry.type != "file":
        return False
    name = entry.path.lower().rpartition("/")[2]
    ending = name
    while ending.endswith(WRAPPINGS):
        ending = ending[: ending.rindex(".")]
    if ending.rpartition(".")[2] not in PLAIN:
        return entry.size > 0
    return bool(entry.mode & 0o111 and "." not in name)


async def assess(
    inspector: Inspector,
    repository: Repository,
    kit: ModelKit,
    listed: Sequence[ListedLayer],
    *,
    reach: int | None = None,
) -> RiskReport:
    """Assess the files of listed layers, following the pickles in them to their ends.

    `reach`: maximum bytes read of one file.
    """
    findings = list(_licenses(kit, listed))
    files = [(one.layer, entry) for one in listed if one.listing for entry in one.listing.files if entry.type == "file"]
    skipped = [f"layer {one.layer.path or one.layer.digest.short}: {one.problem}" for one in listed if one.problem]
    candidates: list[tuple[Layer, FileEntry]] = []
    for layer, entry in files:
        name = entry.path.lower()
        if name.endswith(SCRIPTS):
            findings.append(Finding("script", entry.path, "a script that a shell runs"))
        if is_worth_opening(entry):
            candidates.append((layer, entry))
    # If not all can be opened, prefer those whose names say that they are loaded.
    candidates.sort(key=lambda one: not is_loaded(one[1].path))
    skipped += [f"{entry.path}: one of more than {FILES_LIMIT} files" for _, entry in candidates[FILES_LIMIT:]]
    local = repository.source.traits.free
    budgets = [
        Budget("it", input=reach or (REACH if local else NEAR), output=None, items=5_000_000, seconds=15)
        for _ in candidates[:FILES_LIMIT]
    ]

    async def one(candidate: tuple[tuple[Layer, FileEntry], Budget]) -> _Judged:
        (layer, entry), budget = candidate
        try:
            view = await inspector.open(repository, layer, entry)
            return await drive(_assess(entry, budget), view, threaded=True)
        except KittuiError as error:
            return _Judged([], [error.message], 0)

    work = list(zip(candidates, budgets, strict=False))
    judged = await spread(work, one, at_once=min(OPENED, repository.source.traits.at_once))
    followed: set[str] = set()
    for (_, entry), result in zip(candidates, judged, strict=False):
        findings += result.findings
        skipped += [f"{entry.path}: {reason}" for reason in result.unread]
        if not result.unread:
            followed.add(entry.path)
    pickles = sum(result.pickles for result in judged)
    looked = f"names of {counted(len(files), 'file')}, {len(judged)} opened, {counted(pickles, 'pickle')} followed"
    return RiskReport(tuple(findings), looked, tuple(skipped), frozenset(followed))


def _licenses(kit: ModelKit, listed: Sequence[ListedLayer]) -> list[Finding]:
    def said(part: object) -> bool:
        return isinstance(part, dict) and bool(part.get("license"))

    # An index has no Kitfile: each variant answers for itself.
    if kit.manifest.is_index or said(kit.kitfile.get("package")) or said(kit.kitfile.get("model")):
        return []
    for one in listed:
        for entry in one.listing.files if one.listing is not None else ():
            if entry.path.rpartition("/")[2].lower().startswith(("licence", "license", "copying")):
                return []
    return [Finding("license", "", "no license in the Kitfile and no license file")]


@dataclass(slots=True)
class _Judged:
    findings: list[Finding]
    unread: list[str]
    pickles: int


def _assess(entry: FileEntry, budget: Budget) -> Steps[_Judged]:
    first = yield from fetch(0, 16)
    for magic, text in _MAGICS:
        if first.startswith(magic):
            return _Judged([Finding("executable", entry.path, text)], [], 0)
    if entry.path.lower().endswith(EXECUTABLES):
        return _Judged([Finding("executable", entry.path, "named as a program or library")], [], 0)
    found = yield from examine(entry.path, entry.size, budget)
    strange = [one for one in found.imports if not is_allowed(one)]
    findings = []
    if strange:
        names = ", ".join(dict.fromkeys(str(one) for one in strange[:20]))
        more = f" and {len(strange) - 20} more" if len(strange) > 20 else ""
        findings.append(Finding("pickle", entry.path, f"loading it imports {names}{more}"))
    findings += [Finding("pickle", entry.path, fault) for fault in found.faults[:20]]
    findings += [Finding("script", entry.path, text) for text in found.code[:20]]
    return _Judged(findings, found.unread[:20], found.pickles)

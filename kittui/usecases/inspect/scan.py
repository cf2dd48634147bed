"""Runs ModelScan, if installed, as a separate program over a copy of the files."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kittui.disk.threads import held, in_thread
from kittui.errors import Malformed, Unsupported
from kittui.terminal import counted
from kittui.usecases.inspect.saving import save_file

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.files import FoundFile
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask

READ = (
    ".pkl", ".pickle", ".joblib", ".dill", ".dat", ".data", ".bin", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".zip",
    ".h5", ".keras", ".pb",
)  # fmt: skip
"""Endings of files that ModelScan 0.8.8 scans (its settings.py); no others are copied for it."""
TIMEOUT = 600
"""Time limit of a scan in seconds."""
REPORT_LIMIT = 16 * 1024 * 1024
"""Maximum bytes of a report."""
MEMORY = 8 * 1024**3
"""Maximum memory of the scanner in bytes."""


@dataclass(frozen=True, slots=True)
class ScanIssue:
    """One finding of ModelScan, in its own words."""

    path: str
    severity: str
    operator: str
    module: str
    description: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """`scanned` of `total` files were scanned; the report does not cover the others, including those in `skipped`.

    `failed` names files that the scanner could not read, with its reason.
    """

    version: str
    issues: tuple[ScanIssue, ...]
    scanned: int
    total: int
    skipped: tuple[str, ...]
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def badge(self) -> str:
        """What was found, and how many files were scanned."""
        looked = f"{self.scanned} of {counted(self.total, 'file')}"
        if self.issues:
            return f"ModelScan {self.version}: {counted(len(self.issues), 'finding')} in {looked}"
        return f"ModelScan {self.version}: no known-unsafe operators in {looked}"


async def scan_files(
    inspector: Inspector, repository: Repository, files: Sequence[FoundFile], *, ask: Ask | None = None
) -> ScanReport:
    """Copy the files that the scanner looks into to a temporary folder, scan them there, and delete it again.

    Raises Unsupported if ModelScan is not installed or fails, Malformed for a report that can't be read, and what
    reading the files raises.
    """
    program = shutil.which("modelscan")
    if program is None:
        raise Unsupported("ModelScan is not installed", hint="Install it beside kittui: uv tool install modelscan")
    create = partial(tempfile.mkdtemp, prefix="kittui-scan-")
    async with held(create, partial(shutil.rmtree, ignore_errors=True)) as created:
        folder = Path(created)
        names: dict[str, str] = {}
        await in_thread((folder / "files").mkdir)
        for number, found in enumerate(files):
            if not found.entry.path.lower().endswith(READ):
                continue
            # Only the suffix matters to the scanner; the rest of the name is not trusted.
            suffix = "".join(
                letter for letter in Path(found.entry.path).suffix.lower() if letter.isalnum() or letter == "."
            )
            name = f"{number:05}{suffix[:20]}"
            names[name] = found.entry.path
            target = folder / "files" / name
            await save_file(inspector, repository, found.layer, found.entry, target, ask=ask)
        report = folder / "report.json"
        command = [program, "scan", "-p", str(folder / "files"), "-r", "json", "-o", str(report), "--show-skipped"]
        status = await _run(command, folder)
        raw = await in_thread(_read, report)
        # 2 means that some file could not be read; the report still covers the others.
        if status not in (0, 1, 2, 3) or raw is None:
            raise Unsupported(f"ModelScan ended with status {status}", hint="Run modelscan by hand on unpacked files.")
        return _parse(raw, names, [found.entry.path for found in files])


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, TIMEOUT))


async def _run(command: Sequence[str], folder: Path) -> int:
    # Run it in a folder of its own: it would use settings in the current one.
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "")},
        preexec_fn=_limits,
    )
    try:
        return await asyncio.wait_for(process.wait(), TIMEOUT)
    except TimeoutError:
        raise Unsupported("ModelScan took too long", hint="Run modelscan by hand on unpacked files.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _read(report: Path) -> bytes | None:
    try:
        with report.open("rb") as file:
            return file.read(REPORT_LIMIT)
    except FileNotFoundError:
        return None


def _parse(raw: bytes, names: dict[str, str], files: Sequence[str]) -> ScanReport:
    """Parse a report over copies called `names` (copy's name -> path) of some of `files`; raises Malformed."""

    def path_of(source: Any) -> str:
        # A member of a zip archive is written after the archive's name: 00004.pt:m/data.pkl.
        copy = str(source).replace("\\", "/").partition(":")[0].rpartition("/")[2]
        return names.get(copy, copy)

    try:
        document: Any = json.loads(raw)
        summary = document["summary"]
        issues = tuple(
            ScanIssue(
                path_of(issue.get("source")),
                str(issue.get("severity", "")),
                str(issue.get("operator", "")),
                str(issue.get("module", "")),
                str(issue.get("description", "")),
            )
            for issue in document.get("issues") or []
        )
        scanned = {path_of(source) for source in (summary.get("scanned") or {}).get("scanned_files") or []}
        failed = {path_of(one.get("source")): str(one.get("description", "")) for one in document.get("errors") or []}
        skipped = tuple(path for path in files if path not in scanned and path not in failed)
        version = str(summary.get("modelscan_version", "?"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Malformed("ModelScan's report can't be read") from None
    return ScanReport(version, issues, len(scanned - failed.keys()), len(files), skipped, tuple(failed.items()))

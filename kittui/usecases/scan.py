"""ModelScan as a separate program over a copy of the files, where it is installed (the `scan` extra)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kittui.disk.threads import in_thread
from kittui.errors import Malformed, Unsupported
from kittui.usecases.saving import save_file

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.look import Ask, Inspector
    from kittui.usecases.viewing import FoundFile

TIMEOUT = 600
"""Seconds a scan may take."""
REPORT_LIMIT = 16 * 1024 * 1024
"""Bytes of a report read at most."""
MEMORY = 8 * 1024**3
"""Bytes of memory the scanner may use."""


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
    """`scanned` of `total` files were judged; nothing is said of the others, those in `skipped` among them."""

    version: str
    issues: tuple[ScanIssue, ...]
    scanned: int
    total: int
    skipped: tuple[str, ...]

    @property
    def badge(self) -> str:
        """What was found, and in how many files was looked."""
        if self.issues:
            return f"ModelScan {self.version}: {len(self.issues)} findings in {self.scanned} of {self.total} files"
        return f"ModelScan {self.version}: no known-unsafe operators in {self.scanned} of {self.total} files"


async def scan_files(
    inspector: Inspector, repository: Repository, files: Sequence[FoundFile], *, ask: Ask | None = None
) -> ScanReport:
    """Copy the files into a temporary folder, scan them there, and delete it again.

    Raises Unsupported where ModelScan is not installed or fails, Malformed for a report that can't be read, and what
    reading the files raises.
    """
    program = shutil.which("modelscan")
    if program is None:
        raise Unsupported("ModelScan is not installed", hint="Install it beside kittui: uv tool install modelscan")
    folder = Path(await in_thread(tempfile.mkdtemp, prefix="kittui-scan-"))
    try:
        names: dict[str, str] = {}
        for number, found in enumerate(files):
            # Only the suffix matters to the scanner; the rest of the name is not trusted.
            suffix = "".join(letter for letter in Path(found.entry.path).suffix if letter.isalnum() or letter == ".")
            name = f"{number:05}{suffix[:20]}"
            names[name] = found.entry.path
            target = folder / "files" / name
            await save_file(inspector, repository, found.layer, found.entry, target, ask=ask)
        report = folder / "report.json"
        command = [program, "scan", "-p", str(folder / "files"), "-r", "json", "-o", str(report), "--show-skipped"]
        status = await _run(command)
        if status not in (0, 1, 3):
            raise Unsupported(f"ModelScan ended with status {status}", hint="Run modelscan by hand on unpacked files.")
        raw = await in_thread(_read, report)
        return _parse(raw, names, len(files))
    finally:
        await in_thread(shutil.rmtree, folder, ignore_errors=True)


def _limits() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, TIMEOUT))


async def _run(command: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "")},
        preexec_fn=_limits if sys.platform != "win32" else None,
    )
    try:
        return await asyncio.wait_for(process.wait(), TIMEOUT)
    except TimeoutError:
        raise Unsupported("ModelScan took too long", hint="Run modelscan by hand on unpacked files.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _read(report: Path) -> bytes:
    try:
        with report.open("rb") as file:
            return file.read(REPORT_LIMIT)
    except FileNotFoundError:
        return b'{"summary": {}}'


def _parse(raw: bytes, names: dict[str, str], total: int) -> ScanReport:
    def path_of(text: Any) -> str:
        words = str(text).replace("\\", "/").rpartition("/")[2].partition(":")[0]
        return names.get(words, words)

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
        skipped = summary.get("skipped") or {}
        paths = tuple(path_of(one.get("source")) for one in skipped.get("skipped_files") or [])
        scanned = int((summary.get("scanned") or {}).get("total_scanned", 0))
        return ScanReport(str(summary.get("modelscan_version", "?")), issues, scanned, total, paths)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Malformed("ModelScan's report can't be read") from None

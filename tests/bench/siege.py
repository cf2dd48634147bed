"""The siege: files that are hostile by their shape, in every way that the program has to look at one.

`python -m tests.bench siege [--only NAME...] [--look NAME...]` packs each into an OCI layout, runs the commands and the
interface with 3 GB of address space, and prints a table: seconds of the processor, longest freeze, peak memory,
outcome. A command that ends with a fault, a freeze over a second, or takes more than 60 s of the processor is BROKEN.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.bench.places import KITTUI, Place, fresh
from tests.bench.rows import Row, render
from tests.bench.terminal import Terminal, Timeout
from tests.bench.watched import FORM
from tests.fakes.siege_files import ARTIFACTS, LAYERS, SIEGE

MEMORY = 3_000_000
"""Kilobytes of address space."""
WORK = 60
"""Seconds of the processor."""
PATIENCE = 400.0
"""Seconds by the clock: the machine may be busy with other things."""
FREEZE = 1.0
BAD = (b"Traceback", b"an internal error in kittui", b"Please report", b"please report")
LIMITED = ("sh", "-c", f'ulimit -v {MEMORY}; exec "$@"', "sh")
WATCHED = Path(__file__).with_name("watched.py")
COMMANDS: dict[str, Sequence[str]] = {
    "ls": ("ls", "REPO"),
    "show": ("show", "REPO:v1"),
    "tree": ("tree", "REPO:v1", "--tensors", "--risk", "-y"),
    "view": ("cat", "REPO:v1", "PATH", "--view", "-y"),
    "diff": ("diff", "REPO:v1", "REPO:v2", "-y"),
    "content": ("diff", "REPO:v1", "REPO:v2", "-y", "--content"),
    "unpack": ("unpack", "REPO:v1", "-d", "OUT", "-y"),
}
KEYS: dict[str, Sequence[bytes]] = {
    "list": (b"3", b"l", b"G"),
    "file": (b"7",),
    "viewer": (b"v", b"G", b"\x1b"),
    "risk": (b"8",),
    "kitfile": (b"4", b"G", b"5", b"G"),
    "compare": (b"2", b"g", b" ", b"j", b"d"),
    "change": (b"G", b"\r", b"G", b"n", b"]", b"\x1b", b"\x1b"),
}
"""What is pressed in the interface, a step after the other; each is waited for."""


@dataclass(frozen=True, slots=True)
class Run:
    """How one look went. `work`: seconds of the processor, `stall`: of the longest freeze, `memory`: MB."""

    seconds: float
    work: float
    stall: float
    memory: float
    outcome: str

    @property
    def broken(self) -> bool:
        """Whether it was what must not be."""
        return self.outcome.startswith("BROKEN") or self.stall > FREEZE or self.work > WORK


def tar_with(name: str, content: bytes) -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def pack(folder: Path, name: str) -> str:
    """A layout with the file or layer of this name as v1, and with a byte of it changed as v2; the file's path."""
    config, path = b'{"manifestVersion":"1.0.0","package":{},"code":[{"path":"."}]}', "f"
    layers = [("tar", tar_with("f", b"1")), ("tar", tar_with("f", b"2"))]
    fields: dict[str, object] = {}
    if name in SIEGE:
        content, path = SIEGE[name](), name
        middle = len(content) // 2
        other = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        layers = [("tar", tar_with(name, content)), ("tar", tar_with(name, other))]
    elif name in LAYERS:
        media, make = LAYERS[name]
        layers[0] = media, make()
    else:
        config, fields = ARTIFACTS[name]()
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(raw: bytes) -> dict[str, object]:
        hexa = hashlib.sha256(raw).hexdigest()
        (blobs / hexa).write_bytes(raw)
        return {"digest": f"sha256:{hexa}", "size": len(raw)}

    listed: list[object] = []
    kind = "application/vnd.oci.image.manifest.v1+json"
    for number, (ending, layer) in enumerate(layers, 1):
        media_type = f"application/vnd.kitops.modelkit.code.v1.{ending}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": "application/vnd.kitops.modelkit.config.v1+json", **put(config)},
            "layers": [{"mediaType": media_type, **put(layer)}],
            **fields,
        }
        named = {"org.opencontainers.image.ref.name": f"v{number}"}
        listed.append({"mediaType": kind, **put(json.dumps(manifest).encode()), "annotations": named})
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    return path


def command(place: Place, layout: Path, path: str, words: Sequence[str]) -> Run:
    """One command of the command line."""
    named = {"PATH": path, "OUT": str(place.folder / "out")}
    given = [named.get(word, word.replace("REPO", f"oci:{layout}")) for word in words]
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [*LIMITED, *KITTUI, *given], env=place.environment, stdout=said, stderr=said, start_new_session=True
        )
        timer = threading.Timer(PATIENCE, lambda: os.killpg(process.pid, signal.SIGKILL))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        said.seek(max(0, said.tell() - 20_000))
        last = said.read()
    outcome = f"exit {process.returncode}"
    if any(bad in last for bad in BAD) or process.returncode not in range(7):
        outcome = f"BROKEN {outcome}: {last[-300:].decode(errors='replace')}"
    return Run(seconds, usage.ru_utime + usage.ru_stime, 0, usage.ru_maxrss / 1000, outcome)


def interface(place: Place, layout: Path, name: str) -> Iterator[tuple[str, Run]]:
    """The steps of a session in the interface."""
    pulse = place.folder / "pulse"
    pulse.write_bytes(bytes(FORM.size))
    words = [*LIMITED, sys.executable, str(WATCHED), str(pulse), f"oci:{layout}:v1"]
    with pulse.open("r+b", buffering=0) as file, Terminal(words, place.environment, 120, 40) as terminal:
        for step, keys in {"open": (), **KEYS}.items():
            began, worked = time.monotonic(), _worked(terminal.pid)
            outcome = "ok"
            try:
                for key in keys or (b"",):
                    if key:
                        terminal.send(key)
                    _idle(terminal)
            except (Timeout, OSError) as error:
                outcome = f"BROKEN: {error}"
            last, stall, longest = FORM.unpack(file.read(FORM.size))
            file.seek(0)
            file.write(FORM.pack(last, 0, 0))
            file.seek(0)
            if outcome == "ok" and any(bad in terminal.painted for bad in BAD):
                outcome = f"BROKEN: a fault: {_around_fault(bytes(terminal.painted))}"
            if stall > FREEZE:
                sys.stderr.write(Path(f"{pulse}.where").read_text()[-6000:])
            if longest > FREEZE:
                outcome += f" (away {longest:.1f} s)"
            yield (
                step,
                Run(time.monotonic() - began, _worked(terminal.pid) - worked, stall, _peak(terminal.pid), outcome),
            )
            if outcome.startswith("BROKEN"):
                return
        status = -1
        for _ in range(3):  # it goes back everywhere but at the root
            terminal.send(b"q")
            try:
                status = terminal.ended(10)
                break
            except (Timeout, OSError):
                continue
        if status or any(bad in terminal.painted for bad in BAD):
            yield "quit", Run(0, 0, 0, 0, f"BROKEN: exit {status}")


def _around_fault(painted: bytes) -> str:
    """What was painted around the first word of a fault."""
    at = min(where for bad in BAD if (where := painted.find(bad)) >= 0)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", painted[max(0, at - 1500) : at + 500].decode(errors="replace"))[-900:]


def _idle(terminal: Terminal) -> None:
    """Wait until it paints nothing and computes nothing, its processes included."""
    limit = time.monotonic() + PATIENCE
    quiet = 0
    while time.monotonic() < limit:
        before = _worked(terminal.pid)
        came = terminal.settle(0.3, 0.4)
        if not Path(f"/proc/{terminal.pid}/stat").exists():
            raise Timeout("it ended")
        # Three times in a row: on a busy machine a program at work may not be given its turn for a while.
        quiet = quiet + 1 if not came and _worked(terminal.pid) - before < 0.02 else 0
        if quiet == 3:
            return
    raise Timeout(f"still busy after {PATIENCE:.0f} s")


def _worked(pid: int) -> float:
    """Seconds of the processor that a process and those it started have taken."""
    total = 0.0
    pending = [pid]
    while pending:
        one = pending.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            for task in Path(f"/proc/{one}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
        except (OSError, IndexError):
            continue
    return total


def _peak(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


def siege(name: str, looks: Sequence[str] = ()) -> Iterator[tuple[str, Run]]:
    """Every look at one file, by what it is called."""
    with fresh() as place:
        layout = place.folder / "layout"
        # In a process of its own: what this one has in memory would be counted as the memory of those it starts.
        with ProcessPoolExecutor(1, get_context("spawn")) as processes:
            path = processes.submit(pack, layout, name).result()
        for look, words in COMMANDS.items():
            if not looks or look in looks:
                yield look, command(place, layout, path, words)
        if not looks or "tui" in looks:
            yield from ((f"tui {step}", run) for step, run in interface(place, layout, name))


def main(arguments: list[str]) -> int:
    """Print a line for each look, then the table of the worst of each file; returns 1 where something was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench siege", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--look", nargs="*", default=[])
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    broken = 0
    for name in options.only or [*SIEGE, *LAYERS, *ARTIFACTS]:
        runs: dict[str, Run] = {}
        for look, run in siege(name, options.look):
            runs[look] = run
            broken += run.broken
            mark = "BROKEN " if run.broken else ""
            sys.stderr.write(
                f"{mark}{name} {look}: {run.seconds:.1f} s, at work {run.work:.1f}, stall {run.stall:.2f},"
                f" {run.memory:.0f} MB, {run.outcome[:400]}\n"
            )
            sys.stderr.flush()
        slowest = max(runs, key=lambda look: runs[look].work)
        frozen = max(runs, key=lambda look: runs[look].stall)
        worst = [look for look, run in runs.items() if run.broken]
        rows.append(
            Row(
                name,
                f"{runs[slowest].work:.1f} s at work ({slowest}), frozen {runs[frozen].stall:.2f} s ({frozen}),"
                f" {max(run.memory for run in runs.values()):.0f} MB",
                verdict="MISSED" if worst else "ok",
                note=", ".join(worst),
            )
        )
    print(render(rows))
    return int(broken > 0)

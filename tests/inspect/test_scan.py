"""ModelScan as a separate program: what it is given, and how what it says is read."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from kittui.cli.app import main
from kittui.errors import KittuiError, Malformed, Unsupported
from kittui.formats.tar import FileEntry
from kittui.modelkit import Layer
from kittui.usecases.inspect.files import FoundFile
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.scan import ScanReport, scan_files
from tests.fakes.layers import archive, layer_of, repository_of

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDED = (FIXTURES / "modelscan-0.8.8.json").read_text()
"""What ModelScan 0.8.8 wrote over files of these names; see the fixtures' README."""
FILES = {
    "model/evil.pkl": pickle.dumps(os.system, 2),
    "model/numbers.bin": b"\0" * 40,
    "model/model.safetensors": bytes(100_000),
    "model/fine.PKL": pickle.dumps([1]),
    "model/\x1b]8;;x\x07.pt": b"PK",
    "README.txt": b"words",
    "model/broken.npy": b"\x93NUMPY",
    "model/noext": b"x",
}


def program(folder: Path, body: str) -> None:
    """A stand-in for modelscan: a script that has its arguments in `a`, and the folder of files in `files`."""
    path = folder / "modelscan"
    path.write_text(
        f"#!{sys.executable}\nimport json, os, sys\na = sys.argv\nfiles = a[a.index('-p') + 1]\n"
        f"report = a[a.index('-o') + 1]\n{body}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


async def scanned(paths: dict[str, bytes] = FILES) -> ScanReport:
    content = archive(paths)
    repository: Any = repository_of(content)
    layer: Layer = layer_of(content)
    inspector = Inspector()
    listing = await inspector.listing(repository, layer)
    return await scan_files(inspector, repository, [FoundFile(layer, entry) for entry in listing.files])


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("bin_")
async def test_without_the_program_it_is_said() -> None:
    with pytest.raises(Unsupported, match="not installed"):
        await scanned()


async def test_a_recorded_report_is_read_right(bin_: Path) -> None:
    program(bin_, f"open(report, 'w').write({RECORDED!r})\nsys.exit(2)")
    report = await scanned()
    assert [(issue.path, issue.severity, issue.module, issue.operator) for issue in report.issues] == [
        ("model/evil.pkl", "CRITICAL", "posix", "system"),
        ("model/\x1b]8;;x\x07.pt", "CRITICAL", "posix", "system"),
        ("model/\x1b]8;;x\x07.pt", "CRITICAL", "__builtin__", "eval"),
    ]
    assert report.issues[0].description == "Use of unsafe operator 'system' from module 'posix'"
    assert (report.version, report.scanned, report.total) == ("0.8.8", 3, 8)
    # A checkpoint that was scanned is not among those that were not, for all its members.
    assert report.skipped == ("model/numbers.bin", "model/model.safetensors", "README.txt", "model/noext")
    assert report.failed == (("model/broken.npy", "module 'numpy.lib.format' has no attribute '_check_version'"),)
    assert report.badge == "ModelScan 0.8.8: 3 findings in 3 of 8 files"


async def test_it_sees_copies_of_what_it_reads_and_nothing_else(bin_: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    program(
        bin_,
        "found = {name: len(open(os.path.join(files, name), 'rb').read()) for name in sorted(os.listdir(files))}\n"
        f"json.dump([found, os.getcwd(), sorted(os.environ), a[1:2] + a[4:]], open({str(seen)!r}, 'w'))\n"
        "json.dump({'summary': {'modelscan_version': '1', 'scanned': {'total_scanned': 0}}}, open(report, 'w'))\n"
        "sys.exit(3)",
    )
    report = await scanned()
    found, cwd, environment, words = json.loads(seen.read_text())
    assert list(found) == ["00000.pkl", "00001.bin", "00003.pkl", "00004.pt", "00006.npy"]
    assert found["00001.bin"] == 40
    # No settings of the caller's folder, and none of its secrets.
    assert Path(cwd).name.startswith("kittui-scan-")
    assert not Path(cwd).exists()
    assert set(environment) <= {"PATH", "HOME", "LC_CTYPE", "PWD", "SHLVL", "_"}
    assert words[0] == "scan"
    assert words[-1] == "--show-skipped"
    assert report.badge == "ModelScan 1: no known-unsafe operators in 0 of 8 files"
    assert len(report.skipped) == 8


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("sys.exit(0)", Unsupported, "status 0"),
        ("sys.exit(4)", Unsupported, "status 4"),
        ("open(report, 'w').write('{'); sys.exit(1)", Malformed, "can't be read"),
        ("open(report, 'w').write('[' * 100000); sys.exit(1)", Malformed, "can't be read"),
        ("open(report, 'w').write('[]'); sys.exit(0)", Malformed, "can't be read"),
        ("open(report, 'w').write('{\"summary\": 7}'); sys.exit(0)", Malformed, "can't be read"),
        ("open(report, 'w').write('{\"summary\": {}, \"issues\": [1]}'); sys.exit(1)", Malformed, "can't be read"),
        ("os.kill(os.getpid(), 9)", Unsupported, "status -9"),
    ],
)
async def test_what_goes_wrong_is_an_error_with_words(
    bin_: Path, body: str, error: type[KittuiError], words: str
) -> None:
    program(bin_, body)
    with pytest.raises(error, match=words):
        await scanned()


async def test_a_file_that_can_not_be_read_ends_the_scan(bin_: Path) -> None:
    program(bin_, "sys.exit(0)")
    content = archive({"a.pkl": b"x" * 100})
    repository: Any = repository_of(content)
    beyond = FileEntry("a.pkl", "other", 0, 0o644, 512, problem="a device")
    with pytest.raises(Malformed, match="a device"):
        await scan_files(Inspector(), repository, [FoundFile(layer_of(content), beyond)])


def test_the_command_shows_findings_failures_and_what_was_left_out(
    bin_: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("KITOPS_HOME", str(FIXTURES / "kithome"))
    program(
        bin_,
        "names = os.listdir(files)\n"
        "json.dump({'summary': {'modelscan_version': '0.8.8', 'scanned': {'scanned_files': names}}, 'issues': [],"
        " 'errors': [{'source': name, 'description': 'too odd'} for name in names[:1]]}, open(report, 'w'))\n"
        "sys.exit(2)",
    )
    assert main(["tree", "local://127.0.0.1:5055/fraud:champion", "--scan"]) == 0
    out = capsys.readouterr().out
    assert "no known-unsafe operators in" in out
    assert "not scanned  model/fraud.safetensors" in out
    assert main(["tree", "local://127.0.0.1:5055/fraud:champion", "--scan", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["scan"]
    assert document["version"] == "0.8.8"
    assert document["badge"].startswith("ModelScan 0.8.8: ")
    assert isinstance(document["failed"], list)


@pytest.mark.skipif(shutil.which("modelscan") is None, reason="modelscan is not installed")
async def test_the_real_program_is_understood() -> None:
    report = await scanned()
    assert [issue.path for issue in report.issues] == ["model/evil.pkl"]
    assert report.version
    assert "model/model.safetensors" in report.skipped
    assert "model/fine.PKL" not in dict(report.failed)

"""Risk: what is found is named, and what was not looked at is said."""

from __future__ import annotations

import json
import os
import pickle
import stat
import sys
from pathlib import Path

import pytest

from kittui.demo.build import LAYOUT
from kittui.demo.pack import File, pack
from kittui.errors import Unsupported
from kittui.layout import LayoutSource
from kittui.oci.digest import Digest
from kittui.usecases.browse import ModelKits
from kittui.usecases.look import Inspector
from kittui.usecases.risk import RiskReport, assess
from kittui.usecases.scan import scan_files
from kittui.usecases.viewing import FoundFile, find_in_layers, list_layers

EVIL = pickle.dumps(os.system, 4)


async def report_of(tmp_path: Path, files: dict[str, File], kitfile: dict[str, object]) -> RiskReport:
    packed = pack(kitfile, files, version="1.0")
    blobs = tmp_path / "blobs/sha256"
    blobs.mkdir(parents=True)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    manifest = packed.descriptor
    for digest, content in {**packed.blobs, manifest.digest: packed.manifest}.items():
        (blobs / Digest.parse(str(digest)).hex).write_bytes(content)
    index = manifest.to_json() | {"annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (tmp_path / "index.json").write_text(f'{{"schemaVersion":2,"manifests":[{json.dumps(index)}]}}')
    repository = LayoutSource(tmp_path).repository(".")
    kit = await ModelKits().open(repository, "v1")
    inspector = Inspector()
    return await assess(inspector, repository, kit, await list_layers(inspector, repository, kit.layers))


KITFILE: dict[str, object] = {"manifestVersion": "1.0.0", "package": {"name": "x"}, "model": {"name": "m", "path": "m"}}


async def test_findings_name_the_file_and_the_reason(tmp_path: Path) -> None:
    files = {
        "m/evil.pkl": File(EVIL),
        "m/fine.pkl": File(pickle.dumps({"a": [1, 2, 3]})),
        "m/numbers.bin": File(b"\x01" * 500),
        "m/tool": File(b"\x7fELF" + bytes(60), 0o755),
        "m/hidden.bin": File(EVIL),
        "m/run.sh": File(b"echo\n"),
    }
    report = await report_of(tmp_path, files, KITFILE)
    found = {(finding.kind, finding.path) for finding in report.findings}
    assert found == {
        ("licence", ""),
        ("pickle", "m/evil.pkl"),
        ("pickle", "m/hidden.bin"),
        ("executable", "m/tool"),
        ("script", "m/run.sh"),
    }
    assert any("system" in finding.text for finding in report.findings)
    assert "6 files, 5 opened" in report.looked
    assert "safe" not in report.badge


async def test_a_badge_says_what_was_looked_at_where_nothing_was_found(tmp_path: Path) -> None:
    licensed = {**KITFILE, "package": {"name": "x", "license": "MIT"}}
    report = await report_of(tmp_path, {"m/a.txt": File(b"x")}, licensed)
    assert report.findings == ()
    assert "names of 1 files, 0 opened" in report.badge
    assert "safe" not in report.badge


async def test_the_scanner_runs_on_a_copy_and_its_words_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = LayoutSource(LAYOUT).repository("acme/fraud-detector")
    kit = await ModelKits().open(repository, "retired")
    inspector = Inspector()
    found = await find_in_layers(inspector, repository, kit.layers, "model/fraud.pkl")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="not installed"):
        await scan_files(inspector, repository, [found])
    program = tmp_path / "modelscan"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "a = sys.argv\n"
        "names = os.listdir(a[a.index('-p') + 1])\n"
        "report = {'summary': {'modelscan_version': '0.8.8', 'scanned': {'total_scanned': 1}, 'skipped':"
        " {'skipped_files': []}}, 'issues': [{'source': names[0] + ':x', 'severity': 'HIGH', 'operator': 'o',"
        " 'module': 'm', 'description': 'bad'}]}\n"
        "open(a[a.index('-o') + 1], 'w').write(json.dumps(report))\n"
        "sys.exit(1)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    report = await scan_files(inspector, repository, [FoundFile(found.layer, found.entry)])
    assert [(issue.path, issue.severity) for issue in report.issues] == [("model/fraud.pkl", "HIGH")]
    assert report.badge == "ModelScan 0.8.8: 1 findings in 1 of 1 files"

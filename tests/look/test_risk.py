"""Risk: what is found is named, and what was not looked at is said."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

from kittui.layout import LayoutSource
from kittui.oci.digest import Digest
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.inspect.files import list_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.risk import RiskReport, assess
from tests.demo.pack import File, pack

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

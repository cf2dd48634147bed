"""The catalogue and the folder for an auditor: what they hold, and that nothing in them is read as code."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
from pathlib import Path

import pytest

import kittui.demo
from kittui.trust.keyring import Keyring
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.trust.catalogue import Catalogue, Cataloguer
from kittui.usecases.trust.catalogue_formats import to_csv, to_html, to_markdown
from kittui.usecases.trust.evidence import Evidence
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.memory import MemorySource

DEMO = Path(kittui.demo.__file__).parent / "layout"
KEYS = Path(__file__).parent.parent / "fixtures" / "signed" / "keys"
HOSTILE = "=cmd|'/C calc'!A0 <script>alert(1)</script> | `x` \x1b[31m [a](javascript:b)"


async def hostile() -> Catalogue:
    repository = MemorySource().repository("fraud")
    package = {"name": HOSTILE, "version": "-1+1", "license": HOSTILE, "authors": [HOSTILE, "@SUM(A1)"]}
    repository.add_kit("fraud", "champion", package=package, model={"path": "m", "parameters": {HOSTILE: HOSTILE}})
    evidence = Evidence(Keyring, Inspector)
    return await Cataloguer(ModelKits(), evidence, {"champion"}, "champion").read([repository])


async def test_html_runs_nothing() -> None:
    page = to_html(await hostile())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page


async def test_markdown_links_nothing() -> None:
    text = to_markdown(await hostile())
    assert "<script" not in text
    assert "[a](" not in text
    assert "\x1b" not in text


async def test_csv_has_no_formulas() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(await hostile()))))
    assert len(rows) == 2
    assert len(rows[0]) == len(rows[1])
    assert not [cell for cell in rows[1] if cell.startswith(("=", "+", "-", "@"))]
    assert rows[1][rows[0].index("name")].startswith("'=cmd")


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", " =", "\t=", "\r\n+", "＝", "＋", "－", "＠", " ＝"])
async def test_csv_knows_what_a_formula_begins_with(begins: str) -> None:
    repository = MemorySource().repository("fraud")
    repository.add_kit("fraud", "champion", package={"name": f"{begins}1+1"})
    evidence = Evidence(Keyring, Inspector)
    catalogue = await Cataloguer(ModelKits(), evidence, {"champion"}, "champion").read([repository])
    header, row = csv.reader(io.StringIO(to_csv(catalogue)))
    assert row[header.index("name")].startswith("'")


def test_a_namespace_of_a_layout_is_one_as_of_a_registry(run: Run) -> None:
    report = run("report", f"oci:{DEMO}/acme/", "--json").json
    assert {kit["repository"].rpartition("layout/")[2] for kit in report["modelkits"]} == {
        "acme/card-transactions",
        "acme/fraud-detector",
        "acme/sentiment",
        "acme/support-bot",
    }
    board = run("board", f"oci:{DEMO}/acme/", "--json").json
    assert len(board["rows"]) == 3
    assert run("board", f"oci:{DEMO}/nobody/", "--json").json["rows"] == []


def test_metrics_are_what_was_measured(run: Run) -> None:
    report = run("report", f"oci:{DEMO}/acme/fraud-detector", "--json").json
    (metrics,) = [kit["metrics"] for kit in report["modelkits"] if "champion" in kit["tags"]]
    assert metrics == {"metrics.auc": "0.913", "metrics.recall_at_1pct": "0.774"}


@pytest.mark.real
def test_the_report_of_a_registry(run: Run, kit_registry: DockerRegistry) -> None:
    repository = f"{kit_registry.host}/fraud"
    assert run("promote", repository, "--yes", "--reason", "better").status == 0
    document = run("report", repository, "--json").json
    by_tag = {tag: kit for kit in document["modelkits"] for tag in kit["tags"]}
    assert by_tag["champion"]["stages"] == ["challenger", "champion"]
    assert by_tag["champion"]["licenses"]
    assert by_tag["v1.0.0"]["datasets"]
    shared = [dataset for dataset in document["datasets"] if len(dataset["modelkits"]) > 1]
    assert any(f"{repository}:" in model for dataset in shared for model in dataset["modelkits"])
    (history,) = document["histories"]
    assert {event["reason"] for event in history["events"]} == {"better"}
    for form in ("--markdown", "--html", "--csv"):
        ran = run("report", repository, form)
        assert (ran.status, by_tag["champion"]["digest"] in ran.out.replace("\\", "")) == (0, True)
    assert run("report", repository, "--csv", "--html").status == 2


@pytest.mark.real
def test_the_folder_for_an_auditor(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    reference = f"{kit_registry.host}/fraud:champion"
    key = ("--key", str(KEYS / "p256.pem"))
    assert run("sign", reference, *key).status == 0
    done = run("evidence", reference, "-d", "folder", *key, "--json").json
    folder = tmp_path / "folder"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == set(done["files"])
    assert {"manifest.json", "config.json", "bom.cdx.json", "history.json", "comparison.md", "SHA256SUMS.sig"} <= files
    assert (folder / "Kitfile").read_text() == run("cat", reference, "Kitfile").out
    assert hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest() == done["digest"].partition(":")[2]
    lines = [line.partition("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    listed = {name: found for found, _, name in lines}
    assert set(listed) == files - {"SHA256SUMS", "SHA256SUMS.sig"}
    for name, found in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == found
    said = [json.loads(path.read_text()) for path in folder.glob("statements/*.read.json")]
    assert [one["about"] for one in said] == ["signature"]
    raw = subprocess.run(["base64", "-d", folder / "SHA256SUMS.sig"], capture_output=True, check=True).stdout
    (tmp_path / "raw.sig").write_bytes(raw)
    words = ["openssl", "dgst", "-sha256", "-verify", str(KEYS / "p256.pub"), "-signature", str(tmp_path / "raw.sig")]
    words.append(str(folder / "SHA256SUMS"))
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    (folder / "SHA256SUMS").write_text("changed\n")
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0
    again = run("evidence", reference, "-d", "folder", "--json")
    assert (again.status, again.error["code"]) == (1, "conflict")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".folder")] == []

"""tree, cat and find as commands: exact JSON, raw bytes, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kittui.cli.app import main

FIXTURES = Path(__file__).parent.parent / "fixtures"
FRAUD = "local://127.0.0.1:5055/fraud:champion"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITOPS_HOME", str(FIXTURES / "kithome"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def test_tree_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", FRAUD, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["reference"] == FRAUD
    assert document["traffic"] == {"requests": 0, "bytes": 0}
    first = document["layers"][0]
    assert first["type"] == "model"
    assert first["compression"] == "none"
    assert first["complete"]
    assert first["verified"]
    assert first["files"][1] == {"path": "model/fraud.safetensors", "type": "file", "size": 2244, "mode": 0o644}


def test_cat_writes_the_source_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["cat", FRAUD, "src/train.py"]) == 0
    raw = capfdbinary.readouterr().out
    assert len(raw) == 271
    assert main(["cat", "local://127.0.0.1:5055/sentiment:v2.0.0", "model/model-00001-of-00002.safetensors"]) == 0
    packed = capfdbinary.readouterr().out
    assert main(["cat", "local://127.0.0.1:5055/sentiment:v2.0.0-none", "model/model-00001-of-00002.safetensors"]) == 0
    assert capfdbinary.readouterr().out == packed
    assert len(packed) == 37072


def test_cat_says_where_a_file_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cat", FRAUD, "README.md", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["path"], document["size"], document["layer"]["type"]) == ("README.md", 136, "docs")
    assert main(["cat", FRAUD, "Kitfile"]) == 0
    assert "manifestVersion" in capsys.readouterr().out


def test_what_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cat", FRAUD, "nope.txt", "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "not-found"
    assert main(["cat", FRAUD, "README.md", "--layer", "nothing"]) == 1
    assert main(["find", "nope.txt", "local://"]) == 1
    assert main(["find", "sha256:12", "local://"]) == 2
    assert main(["tree", "local://127.0.0.1:5055/fraud:nope", "--json", "--store", str(FIXTURES / "kithome")]) != 0


def test_find_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", "tuning.csv", "local://", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (match,) = document["matches"]
    assert (match["repository"], match["tag"], match["matched"]) == ("127.0.0.1:5055/fraud", "tuning", "file")
    assert match["file"] == {"path": "data/tuning.csv", "size": 847, "mode": 0o644}
    assert document["searched"]["modelkits"] > 10


def test_cat_prints_what_the_viewer_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cat", "local://127.0.0.1:5055/fraud:tuning", "data/tuning.csv", "--view"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["cat", "local://127.0.0.1:5055/fraud:tuning", "data/tuning.csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert lines[0].split() == rows[0].split(",")
    assert lines[1].split() == ["1", *rows[1].split(",")]
    assert len(lines) == len(rows)
    assert main(["cat", FRAUD, "model/fraud.safetensors", "--view", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)["view"]
    assert (view["kind"], view["ways"][0]["name"]) == ("model", "Tensors")
    assert main(["cat", FRAUD, "README.md", "--view"]) == 0
    assert capsys.readouterr().out.startswith("# Fraud scorer\n")

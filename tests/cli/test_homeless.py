"""A user without a home folder, or with one that can't be written; and `~` for users that do not exist."""

from __future__ import annotations

import json
import pwd
import re
from pathlib import Path

import pytest

import kittui
from kittui.cli.app import main
from kittui.config.loading import load_config
from kittui.disk.paths import NOWHERE, home_folder, is_nowhere, typed_path
from kittui.errors import UsageError
from kittui.store import store_root
from kittui.tui.change.ticks import folders, in_the_way

VARIABLES = (
    "HOME",
    "KITOPS_HOME",
    "KITTUI_CONFIG",
    *(f"XDG_{name}_HOME" for name in ("CONFIG", "CACHE", "STATE", "DATA")),
)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)


def test_nothing_is_there_and_nothing_can_be_written_without_a_home(homeless: None) -> None:
    assert home_folder({}) == NOWHERE
    assert home_folder({"HOME": "/x"}) == Path("/x")
    assert is_nowhere(store_root())
    loaded = load_config()
    assert loaded.problems == ()
    assert is_nowhere(loaded.path)


def test_reading_works_without_a_home(homeless: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "local://", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["repositories"] == []
    assert err == ""
    assert main(["history", "local://fraud", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"] == []
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert "no home folder is known" in out
    assert "Set KITOPS_HOME" in out
    assert "/dev/null" not in out


@pytest.mark.parametrize("store", ["kit", None])
def test_what_must_write_says_which_variable_to_set(
    homeless: None,
    store: str | None,
    kithome: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    layout = f"oci:{kithome.parent}/layout"
    monkeypatch.setenv("XDG_STATE_HOME", str(kithome.parent / "state"))
    assert main(["copy", "local://127.0.0.1:5055/fraud:v1.0.0", f"{layout}:v1", "--store", str(kithome)]) == 0
    monkeypatch.delenv("XDG_STATE_HOME")
    if store is not None:
        monkeypatch.setenv("KITOPS_HOME", str(kithome.parent / store))
    else:
        monkeypatch.setenv("XDG_STATE_HOME", str(kithome.parent / "state"))
    capsys.readouterr()
    assert main(["copy", f"{layout}:v1", "local://fraud:v1", "--json"]) == 1
    error = json.loads(capsys.readouterr().err.splitlines()[-1])["error"]
    assert error["code"] == "storage"
    assert ("XDG_STATE_HOME" if store else "KITOPS_HOME") in error["hint"]
    assert not (kithome.parent / "kit").exists()


def test_a_user_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="~nosuchuser"):
        typed_path("~nosuchuser/x")
    assert typed_path("./~nosuchuser/x") == Path("./~nosuchuser/x")


@pytest.mark.parametrize("text", ["~b", "~b/", "~nosuchuser/x", "\0", "a\0/b", "~"])
def test_a_folder_that_is_being_typed_is_never_an_error(text: str) -> None:
    assert isinstance(folders(text), list)
    assert in_the_way(text, ["x"]) == []


def test_a_user_that_does_not_exist_in_the_configuration_is_a_problem_of_its_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("layouts: ['~nosuchuser/kits']\ntheme: kittui-light\n")
    loaded = load_config(environ={"HOME": str(tmp_path), "KITTUI_CONFIG": str(path)})
    (problem,) = loaded.problems
    assert problem.key.startswith("layouts")
    assert "~nosuchuser" in problem.message
    assert loaded.config.theme == "kittui-light"
    path.write_text("layouts: ['~/kits']\n")
    loaded = load_config(environ={"HOME": str(tmp_path), "KITTUI_CONFIG": str(path)})
    assert loaded.config.layouts == (str(Path("~/kits").expanduser()),)
    loaded = load_config(environ={"HOME": str(tmp_path), "KITTUI_CONFIG": "~nosuchuser/config.yaml"})
    assert "no such file" in loaded.problems[0].message


@pytest.mark.parametrize("words", [["--ca-cert", "~nosuchuser/ca.pem"], ["--cert", "~nosuchuser/c.pem"]])
def test_a_user_that_does_not_exist_in_an_option(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "local://", *words]) == 2
    assert "~nosuchuser" in capsys.readouterr().err


def test_one_function_replaces_a_tilde() -> None:
    """Path.expanduser raises RuntimeError for a user that does not exist, and Path.home without a home folder."""
    found = [
        path.name
        for path in Path(kittui.__file__).parent.rglob("*.py")
        if path.name != "paths.py" and re.search(r"\bexpanduser\b|Path\.home\(", path.read_text())
    ]
    assert found == []

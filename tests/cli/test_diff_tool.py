"""`kittui diff --tool`: both sides of a file in the user's difftool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.command_line import Run
from tests.tui.test_outside import script, seen

pytestmark = pytest.mark.usefixtures("temporary")
FRAUD = "local://127.0.0.1:5055/fraud"


def test_the_command_line_opens_the_difftool(
    kittui: Run, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = seen(tmp_path, "tool")
    config = tmp_path / "difftool.yaml"
    config.write_text(f"difftool: {tool} {{old}} {{new}}\n")
    run = ("--config", str(config), "diff", f"{FRAUD}:champion", f"{FRAUD}:challenger", "--tool")
    assert kittui(*run, "src/train.py").status == 0
    old, new = (tmp_path / "tool.saw").read_text().splitlines()
    assert "/old/train.py 0o400" in old
    assert "/new/train.py 0o400" in new
    assert kittui(*run, "Kitfile").status == 0
    old, new = (tmp_path / "tool.saw").read_text().splitlines()
    assert "1.0.0" in old
    assert "1.1.0" in new
    assert kittui(*run, "src/nothing.py", "--json").error["code"] == "usage"
    refused = kittui(*run, "src/train.py", "--exit-code")
    assert refused.status == 2
    assert "--tool prints no comparison" in refused.err
    assert "no file src/nothing.py" in kittui(*run, "src/nothing.py").err
    assert not list(temporary.iterdir())


def test_a_missing_difftool_is_said_before_anything_is_read(
    kittui: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    ran = kittui("diff", f"{FRAUD}:nothing", f"{FRAUD}:gone", "--tool", "x")
    assert ran.status == 2
    assert "no difftool is set" in ran.err
    monkeypatch.setenv("EDITOR", script(tmp_path, "vim", "raise SystemExit(4)"))
    assert kittui("diff", f"{FRAUD}:champion", f"{FRAUD}:challenger", "--tool", "src/train.py").status == 4

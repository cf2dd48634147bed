"""What is published: the wheel works in an environment of its own, the source distribution is the whole repository."""

from __future__ import annotations

import email
import email.message
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import kittui
from tests.bench.terminal import Terminal

ROOT = Path(__file__).parents[2]
SHARED = (
    "share/man/man1/kittui.1",
    "share/bash-completion/completions/kittui",
    "share/zsh/site-functions/_kittui",
    "share/fish/vendor_completions.d/kittui.fish",
)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    [found] = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds kittui's wheel, and what it declares to need, in the versions of uv.lock."""
    uv = shutil.which("uv", path=os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")]))
    if uv is None:
        pytest.skip("uv is missing")
    folder = tmp_path_factory.mktemp("installed")
    constraints = folder / "constraints.txt"
    run(
        uv,
        "export",
        "--quiet",
        "--frozen",
        "--no-default-groups",
        "--no-emit-project",
        "--no-hashes",
        "-o",
        constraints,
    )
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "env")
    python = folder / "env" / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, "--constraints", constraints, wheel)
    return folder / "env"


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.mark.real
def test_an_installed_wheel_opens_its_demo(installed: Path, tmp_path: Path) -> None:
    program = installed / "bin" / "kittui"
    environment = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": os.defpath, "TERM": "xterm-256color"}

    version = subprocess.run([program, "--version"], env=environment, capture_output=True, check=True, text=True)
    with Terminal([str(program), "demo"], environment) as demo:
        demo.wait_for(b"fraud-detector", b"champion", timeout=60)
        demo.send(b"q")
        assert demo.ended(20) == 0

    assert version.stdout == f"kittui {kittui.__version__}\n"
    assert [path for path in SHARED if not (installed / path).is_file()] == []


@pytest.mark.real
def test_the_installed_file_completes_commands_in_bash(installed: Path, tmp_path: Path) -> None:
    script = f"""
        PATH={installed}/bin:$PATH
        source {installed}/share/bash-completion/completions/kittui
        COMP_WORDS=(kittui prom) COMP_CWORD=1
        _kittui_completion kittui
        echo "${{COMPREPLY[@]}}"
    """
    environment = {"HOME": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=True, text=True)
    assert done.stdout == "promote\n"


def test_the_wheel_holds_the_program_and_nothing_that_makes_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names}
    assert tops == {"kittui", *(f"kittui-{kittui.__version__}.{each}" for each in ("data", "dist-info"))}
    assert "kittui/demo/layout/index.json" in names


def test_the_readme_on_a_package_index_points_to_whole_addresses(wheel: Path) -> None:
    about = metadata(wheel)
    text = str(about.get_payload())

    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert about["Description-Content-Type"] == "text/markdown"
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert pictures
    assert all(target.startswith("https://raw.githubusercontent.com/") for target in pictures)
    assert {entry.partition(",")[0] for entry in about.get_all("Project-URL", [])} >= {"Homepage", "Issues"}


def test_the_source_distribution_is_the_whole_repository(tmp_path: Path) -> None:
    """With everything that the tests read in it, it passes them."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    tracked = set(run("git", "ls-files", "-z").split("\0")) - {""}
    tracked = {path for path in tracked if (ROOT / path).exists()}
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path)
    [archive] = tmp_path.iterdir()

    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    assert tracked - held == set()

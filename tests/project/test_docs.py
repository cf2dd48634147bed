"""Pages that follow from the program are current, and what the pages point to is there."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
import yaml

from kittui.cli.app import COMMANDS, program
from kittui.config import Flags, load_config

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]


def test_generated_pages_are_current() -> None:
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = module_from_spec(spec)
    sys.modules["generate"] = generate
    spec.loader.exec_module(generate)

    wanted = {page: make() for page, make in generate.PAGES.items()}
    found = {page: (ROOT / "docs" / page).read_text(encoding="utf-8") for page in wanted}
    assert found == wanted, "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#][^)]*)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / unquote(target.partition("#")[0])).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8")):
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{page.name} names {path}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_shown_exist_with_their_options(page: Path) -> None:
    for line in re.findall(r"^    kittui ([^#|\n]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        if not line.strip():
            continue
        first, *words = line.split()
        if first not in COMMANDS:
            assert re.search(r"[:./]", first), f"{page.name}: kittui {first}"
            continue
        command = program.get_command(click.Context(program), first)
        assert command is not None
        known = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("-")} <= known, f"{page.name}: kittui {line}"


def test_the_configuration_that_the_guide_shows_is_accepted_whole(tmp_path: Path) -> None:
    *_, example = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "guide.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "config.yaml").write_text(example)

    loaded = load_config(Flags(config=tmp_path / "config.yaml"), {"HOME": str(tmp_path)})

    assert loaded.problems == ()
    assert len(loaded.config.registries) == len(yaml.safe_load(example)["registries"])

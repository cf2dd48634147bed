"""The Kitfile's YAML is byte for byte what kit prints."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kittui.modelkit import kitfile_yaml, load_kitfile
from kittui.modelkit.kitfile import load_config
from kittui.modelkit.yaml_scalars import number_text
from kittui.modelkit.yaml_writer import yaml_text
from tests.fakes.kit_store import put_config

NAMES = ["edge-dups", "edge-minimal", "fraud-tuning", "fraud-v0.9.0", "fraud-v1.0.0", "fraud-v1.1.0", "refkit"]


def printed(path: Path) -> str:
    return path.read_text().split("\n", 1)[1]


@pytest.mark.parametrize("name", NAMES)
def test_is_what_kit_info_prints(name: str, golden: Path) -> None:
    kitfile = json.loads(printed(golden / f"inspect-{name}.txt"))["kitfile"]
    assert kitfile_yaml(kitfile) == printed(golden / f"info-{name}.txt")


def test_a_part_is_what_a_filter_prints(golden: Path) -> None:
    kitfile = json.loads(printed(golden / "inspect-fraud-v1.0.0.txt"))["kitfile"]
    assert yaml_text(kitfile["model"]["parameters"]) == printed(golden / "info-filter.txt")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (200, "200"),
        (999999, "999999"),
        (1000000, "1e+06"),
        (1234567, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (2**53 + 1, "9.007199254740992e+15"),
        (1e100, "1e+100"),
        (-0.5, "-0.5"),
        (0, "0"),
        (123456.789, "123456.789"),
    ],
)
def test_numbers_are_floats_as_go_writes_them(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("yes", '"yes"'),
        ("1.10", '"1.10"'),
        ("1.10.0", "1.10.0"),
        ("2020-01-02", '"2020-01-02"'),
        ("12:30", '"12:30"'),
        ("0x1f", '"0x1f"'),
        ("", '""'),
        ("a: b", "'a: b'"),
        ("it's #1", "'it''s #1'"),
        ("- x", "'- x'"),
        ("a\nb", "|-\n  a\n  b"),
        ("a\n", "|\n  a"),
        ("tab\there", '"tab\\there"'),
        ("\U0001f600", '"\\U0001F600"'),
        ("\x1b[31m", '"\\e[31m"'),
        ("Grüße", "Grüße"),
    ],
)
def test_texts_are_quoted_as_yaml_v3_quotes(text: str, written: str) -> None:
    expected = f"manifestVersion: {written}\n"
    assert kitfile_yaml({"manifestVersion": text}) == expected


def test_keys_are_sorted_by_the_numbers_in_them() -> None:
    assert yaml_text({"k10": 1, "k9": 2, "k1": 3}) == "k1: 3\nk9: 2\nk10: 1\n"


def test_entries_of_newer_kits_follow() -> None:
    kitfile = {"manifestVersion": "1", "prompts": [{"path": "p.md"}], "docs": [{}], "future": 1}
    assert kitfile_yaml(kitfile) == 'manifestVersion: "1"\ndocs:\n  - path: ""\nprompts:\n  - path: p.md\n'


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\x85\ufeff"), max_size=12)
PARAMETERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(PLAIN.filter(str.strip), PARAMETERS, min_size=1, max_size=4))
def test_whatever_it_says_is_yaml(parameters: dict[str, Any]) -> None:
    text = kitfile_yaml({"manifestVersion": "1.0.0", "model": {"parameters": parameters}})
    for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
        assert isinstance(node, yaml.MappingNode)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_document_is_written(value: Any) -> None:
    for kitfile in ({"model": value}, {"package": value, "code": value, "datasets": [value]}, {"docs": value}):
        assert kitfile_yaml(kitfile).endswith("\n")


ATOMS = [
    "a",
    "b",
    " ",
    "  ",
    "\n",
    "\t",
    ":",
    "-",
    "#",
    "'",
    '"',
    "\\",
    "[",
    "]",
    "{",
    "}",
    ",",
    "?",
    "!",
    "&",
    "*",
    "|",
    ">",
    "%",
    "@",
    "`",
    "1",
    "0",
    ".",
    "e",
    "é",
    "😀",
    "\u200b",
    "\x85",
    "\xa0",
    "\ufeff",
    "\r",
    "y",
    "true",
    "null",
    "~",
    "2020-01-02",
    "0x1f",
    "1_000",
    "12:30",
    "<<",
    "=",
    "---",
    "...",
    "\x07",
    "\x1b",
    "/",
    "http://x",
]
NUMBERS = [0, 1, -1, 255, 1e6, 999999, 1234567, 0.1, 1e-5, 0.0001, 1e21, 2**53 + 1, -0.0, 100000, 1e100]


def hostile_text(chance: random.Random) -> str:
    return "".join(chance.choice(ATOMS) for _ in range(chance.choice([0, 1, 1, 2, 2, 3, 4, 6])))


def hostile_value(chance: random.Random, depth: int = 0) -> Any:
    roll = chance.random()
    if depth < 4 and roll < 0.2:
        return [hostile_value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    if depth < 4 and roll < 0.45:
        keys = [hostile_text(chance) if chance.random() < 0.9 else "k" * 130 for _ in range(chance.randint(0, 4))]
        return {key: hostile_value(chance, depth + 1) for key in keys}
    if roll < 0.65:
        return chance.choice([*NUMBERS, True, False, None])
    return hostile_text(chance)


@pytest.mark.kit
@pytest.mark.parametrize("seed", range(5))
def test_kit_agrees_on_hostile_kitfiles(seed: int, tmp_path: Path) -> None:
    kit = shutil.which("kit")
    if kit is None:
        pytest.skip("kit is not installed")
    chance = random.Random(seed)
    kitfile = {
        "manifestVersion": hostile_text(chance),
        "package": {"name": hostile_text(chance), "authors": [hostile_text(chance) for _ in range(3)]},
        "model": {"path": "m", "parameters": {hostile_text(chance): hostile_value(chance) for _ in range(30)}},
        "datasets": [{"name": hostile_text(chance), "path": hostile_text(chance), "parameters": hostile_value(chance)}],
    }
    raw = json.dumps(kitfile, ensure_ascii=False).encode()
    put_config(tmp_path, "hostile", "t", raw)
    environment = {**os.environ, "KITOPS_HOME": str(tmp_path), "HOME": str(tmp_path)}
    asked = subprocess.run(
        [kit, "--progress", "none", "info", "hostile:t"], env=environment, capture_output=True, check=True
    )
    assert kitfile_yaml(load_config(raw)) == asked.stdout.decode()


def test_it_reads_its_own_writing(golden: Path) -> None:
    text = printed(golden / "info-fraud-v1.0.0.txt")
    assert kitfile_yaml(load_kitfile(text)) == text

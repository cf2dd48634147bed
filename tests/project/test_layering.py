"""What a module drags in when it is imported, asked of a fresh interpreter: contracts in pyproject.toml read sources,
this reads what really happened."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from functools import cache

import pytest

import kittui

DRAWING = ("textual", "rich")
HEADLESS = ("errors", "crashpoints", "oci", "modelkit", "formats", "compare", "disk", "store", "layout")
SERVICES = ("transfer", "state", "usecases")
PROBE = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(sorted({module.partition('.')[0] for module in sys.modules} | {
    '.'.join(module.split('.')[:2]) for module in sys.modules if module.startswith('kittui.')})))
"""


def modules(package: str) -> list[str]:
    """The package and everything in it."""
    root = f"kittui.{package}"
    return [
        module.name
        for module in pkgutil.walk_packages(kittui.__path__, "kittui.", onerror=lambda _: None)
        if module.name == root or module.name.startswith(root + ".")
    ]


@cache
def imported(package: str) -> frozenset[str]:
    """Top-level packages, and packages of kittui, that importing all of a package brings in."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(modules(package))], capture_output=True, check=True, timeout=60
    )
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize("package", HEADLESS + SERVICES)
def test_nothing_below_the_interface_imports_what_draws(package: str) -> None:
    assert imported(package).isdisjoint(DRAWING)


def test_the_registry_client_imports_no_interface() -> None:
    assert "textual" not in imported("registry")  # rich is another matter: httpx itself imports it where it can


@pytest.mark.parametrize("package", SERVICES)
def test_use_cases_bring_in_no_source_and_no_client(package: str) -> None:
    assert imported(package).isdisjoint({"httpx", "kittui.registry", "kittui.store", "kittui.layout", "kittui.config"})


@pytest.mark.parametrize("package", ["oci", "modelkit", "formats", "compare"])
def test_pure_packages_bring_in_no_event_loop_and_no_numbers(package: str) -> None:
    assert imported(package).isdisjoint({"asyncio", "httpx", "numpy", "pyarrow", "click"})


@pytest.mark.parametrize("package", ["tui"])
def test_the_interface_brings_in_no_transport_and_no_store(package: str) -> None:
    assert imported(package).isdisjoint({"httpx", "numpy", "kittui.registry", "kittui.store", "kittui.layout"})


def test_the_version_is_told_without_the_command_line_library() -> None:
    code = (
        "import sys, kittui.__main__; print([m for m in ('click', 'textual', 'httpx', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"

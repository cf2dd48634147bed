"""ModelKits as values: Kitfile, layers and their entries, filters, lifecycle stages. No input or output."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kittui.modelkit.filters import Filter, Selection, parse_filters, select
    from kittui.modelkit.kinds import Kind
    from kittui.modelkit.kitfile import load_kitfile, model_reference
    from kittui.modelkit.layers import Layer
    from kittui.modelkit.modelkit import ModelKit
    from kittui.modelkit.stages import STAGES, Stage, stage_of, stages_of
    from kittui.modelkit.yaml_writer import kitfile_yaml

__all__ = [
    "STAGES",
    "Filter",
    "Kind",
    "Layer",
    "ModelKit",
    "Selection",
    "Stage",
    "kitfile_yaml",
    "load_kitfile",
    "model_reference",
    "parse_filters",
    "select",
    "stage_of",
    "stages_of",
]

# The first screen needs only the stages; the Kitfile parsers are imported on first use.
_HOMES = {
    "filters": ("Filter", "Selection", "parse_filters", "select"),
    "kinds": ("Kind",),
    "kitfile": ("load_kitfile", "model_reference"),
    "yaml_writer": ("kitfile_yaml",),
    "layers": ("Layer",),
    "modelkit": ("ModelKit",),
    "stages": ("STAGES", "Stage", "stage_of", "stages_of"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

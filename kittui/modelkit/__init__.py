"""ModelKits as values: Kitfile, layers and their entries, filters, lifecycle stages. No input or output."""

from kittui.modelkit.filters import Filter, Selection, parse_filters, select
from kittui.modelkit.kinds import Kind
from kittui.modelkit.kitfile import load_kitfile, model_reference
from kittui.modelkit.kitfile_yaml import kitfile_yaml
from kittui.modelkit.layers import Layer
from kittui.modelkit.modelkit import ModelKit
from kittui.modelkit.recognise import FileKind, recognise
from kittui.modelkit.stages import STAGES, Stage, stage_of, stages_of

__all__ = [
    "STAGES",
    "FileKind",
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
    "recognise",
    "select",
    "stage_of",
    "stages_of",
]

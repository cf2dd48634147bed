"""The user's configuration as one value, read once at the start and handed down."""

from kittui.config.loading import ConfigProblem, Flags, Loaded, load_config
from kittui.config.values import Config, Registry

__all__ = ["Config", "ConfigProblem", "Flags", "Loaded", "Registry", "load_config"]

"""kittui: the terminal browser for ModelKits."""

__version__ = "0.2.0.dev0"

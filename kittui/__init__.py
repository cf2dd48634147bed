"""kittui: the terminal browser for ModelKits."""

__version__ = "0.1.0"

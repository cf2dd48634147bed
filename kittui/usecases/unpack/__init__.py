"""Unpacking a ModelKit into a folder."""

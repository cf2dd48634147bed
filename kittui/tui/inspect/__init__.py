"""Looks into layers: their files as rows, and file viewers."""

"""Colours and sizes."""

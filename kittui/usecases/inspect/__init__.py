"""Looks inside layers: their files, models and risks, from as few bytes as possible."""

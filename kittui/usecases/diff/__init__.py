"""Comparing two ModelKits level by level, and following one value over versions."""

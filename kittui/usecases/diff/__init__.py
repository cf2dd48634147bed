"""Compares two ModelKits level by level, and follows one value across versions."""

"""Viewers show files. Each is one module: it says which files it accepts, and turns them into data, without drawing."""

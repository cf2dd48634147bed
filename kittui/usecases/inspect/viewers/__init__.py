"""How files are shown. A viewer is one module: which files it takes, and what it makes of one, without drawing it."""

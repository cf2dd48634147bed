"""The board: which ModelKit of which repository is at which stage."""

"""The board: which ModelKit of which repository stands at which stage."""

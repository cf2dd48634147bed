"""Looking into layers: their files as rows, and viewers of a file."""

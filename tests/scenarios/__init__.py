"""Scenarios that read like use: headless as tests, slowly on the screen, or as a sandbox."""

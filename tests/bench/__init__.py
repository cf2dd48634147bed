"""What kittui costs: `python -m tests.bench [NAME...]` prints a table. Loopback only; no part of the tests."""

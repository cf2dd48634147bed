"""The interface over a repository of 10,000 tags; run in a pseudo-terminal by test_costs.py."""

from tests.tui.test_costs import huge

if __name__ == "__main__":
    huge(10_000).app().run()

"""What every test may use."""

pytest_plugins = ["fakes.docker_registry"]

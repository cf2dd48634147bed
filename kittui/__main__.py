"""The `kittui` program: answers --version at once, everything else through the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run kittui with the process's arguments and exit with its status."""
    if sys.argv[1:] == ["--version"]:
        from kittui import __version__

        sys.stdout.write(f"kittui {__version__}\n")
        return
    from kittui.cli.app import main as run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()

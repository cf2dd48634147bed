"""The `kittui` program: answers --version at once, everything else through the command line."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

# Until there is something to interrupt, Ctrl+C ends the process without Python's traceback. Importing `signal` would
# import enum first, which takes long enough to be interrupted.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def main() -> None:
    """Run kittui with the process's arguments and exit with its status."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_standard_files()
    if sys.argv[1:] == ["--version"]:
        from kittui import __version__

        sys.stdout.write(f"kittui {__version__}\n")
        return
    import resource

    # A crash in a library must not leave a file on disk that holds passwords and tokens.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    from kittui.cli.app import main as run_command_line

    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    sys.exit(run_command_line(sys.argv[1:]))


def _open_standard_files() -> None:
    """Put something in the place of standard files that were closed, so that no file opened later gets their numbers.

    Results for a closed stdout fail as they are written (the null device is open for reading only there).
    """
    for number, name, mode in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", errors="backslashreplace"))


if __name__ == "__main__":
    main()

"""Runs the user's own editor, pager and difftool on copies of files."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from kittui.errors import NotFound, UsageError

PATIENCE: Final = 3
"""Seconds for a program to end when kittui ends."""
_COMPARE: Final = {
    "vim": ("-d",),
    "nvim": ("-d",),
    "gvim": ("-f", "-d"),
    "code": ("--wait", "--diff"),
    "codium": ("--wait", "--diff"),
}
"""Options with which editors compare two files."""
_OLD, _NEW = "{old}", "{new}"


@dataclass(frozen=True, slots=True)
class Programs:
    """Commands as the user wrote them; empty if there is none. They are run without a shell."""

    editor: str = ""
    pager: str = ""
    difftool: tuple[str, ...] = ()

    def edit(self, copy: Path) -> list[str]:
        """The editor's command for a file; raises UsageError if none is set."""
        words = _words(self.editor, "$VISUAL or $EDITOR")
        if not words:
            raise UsageError(
                "no editor is set", hint="Install nano or vi, or set $EDITOR before you start kittui: export EDITOR=vim"
            )
        return [*words, str(copy)]

    def with_editor(self) -> Programs:
        """The same programs, with git's or the system's editor if none is set. Blocks."""
        return self if self.editor else replace(self, editor=_usual_editor())

    def page(self) -> list[str]:
        """The pager's command, which reads its stdin; raises UsageError if none is set."""
        words = _words(self.pager, "$PAGER")
        if not words:
            raise UsageError(
                "no pager is set", hint="Install less, or set $PAGER before you start kittui: export PAGER=less"
            )
        return words

    def compare(self, old: Path, new: Path) -> list[str]:
        """The difftool's command for two files: the configured one, else the editor if it can compare."""
        words = list(self.difftool)
        if not words:
            editor = _words(self.editor, "$VISUAL or $EDITOR")
            options = _COMPARE.get(Path(editor[0]).name) if editor else None
            if options is None:
                raise UsageError(
                    "no difftool is set",
                    hint='Set one in config.yaml, for example: difftool: "vimdiff {old} {new}"',
                )
            words = [editor[0], *(word for word in editor[1:] if word not in options), *options]
        if not any(_OLD in word or _NEW in word for word in words):
            words += [_OLD, _NEW]
        paths = {_OLD: str(old), _NEW: str(new)}
        # Replace both at once: a path may contain the other one's placeholder.
        return [re.sub(f"{_OLD}|{_NEW}", lambda found: paths[found[0]], word) for word in words]


def programs_of(environ: Mapping[str, str], difftool: tuple[str, ...] = ()) -> Programs:
    """The programs from the environment, and the configured difftool."""
    pager = environ.get("PAGER") or next((each for each in ("less", "more") if shutil.which(each)), "")
    return Programs(environ.get("VISUAL") or environ.get("EDITOR") or "", pager, difftool)


def _usual_editor() -> str:
    """git's global core.editor, not that of an untrusted repository; else an installed one."""
    with suppress(OSError, subprocess.SubprocessError):
        asked = ["git", "config", "--global", "--get", "core.editor"]
        said = subprocess.run(asked, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False)
        if said.stdout.strip():
            return said.stdout.strip()
    return next((name for name in ("nano", "vi") if shutil.which(name)), "")


def _words(command: str, where: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(
            f"the command in {where} can't be split into words: {error}", hint=f"It is {command!r}."
        ) from None


async def run_program(words: Sequence[str], *, held: int, stdin: IO[bytes] | None = None) -> int:
    """Run a program in this terminal until it ends; returns its status.

    It also keeps the descriptor `held` open. Ctrl+C is for the program, not for kittui. If this is cancelled, the
    program is ended. Raises NotFound, and UsageError if it can't be started.
    """
    with _interrupts_ignored():
        try:
            process = await asyncio.create_subprocess_exec(*words, stdin=stdin, pass_fds=(held,))
        except FileNotFoundError:
            raise NotFound(
                f"the program {words[0]} was not found",
                hint="Install it, or set another one in $VISUAL or $EDITOR, $PAGER, or difftool in config.yaml.",
            ) from None
        except OSError as error:
            raise UsageError(
                f"the program {words[0]} could not be started: {error.strerror or error}",
                hint="Set another one in $VISUAL or $EDITOR, $PAGER, or difftool in config.yaml.",
            ) from None
        try:
            return await process.wait()
        finally:
            await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Use a handler, not SIG_IGN, which the program would inherit."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)}
    for number in kept:
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def status_words(name: str, status: int) -> str:
    """Describe how a program failed."""
    if status < 0:
        with suppress(ValueError):
            return f"{Path(name).name} was ended by {signal.Signals(-status).name}"
    return f"{Path(name).name} ended with status {status}"

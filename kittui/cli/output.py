"""What a command prints: its result on stdout, everything else on stderr."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kittui.errors import KittuiError, Refused, TerminalNeeded
from kittui.terminal import clean

if TYPE_CHECKING:
    from rich.console import Console

Styled = str | tuple[str, str]
"""A cell: text, or text and a rich style. It is cleaned and never read as markup."""


class Printer:
    """One command's output. Untrusted text is cleaned here; JSON stays exact."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, yes: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.yes = yes
        self.asked = False
        """Whether the user was asked something: what was read before that may be outdated."""
        self._status = False
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    @property
    def coloured(self) -> bool:
        """Whether to print in colour on stdout."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def lively(self) -> bool:
        """Whether progress lines on stderr may overwrite each other."""
        return not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def asks(self) -> bool:
        """Whether the user can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def result(self, value: Any, human: Callable[[], None]) -> None:
        """Print the result: `value` as JSON with --json, otherwise whatever `human` prints."""
        self.clear()
        if self.as_json:
            sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")
        else:
            human()
        sys.stdout.flush()

    def console(self) -> Console:
        """A rich console on stdout: wide enough never to cut in a pipe, without markup, emoji or highlighting."""
        from rich.console import Console

        terminal = sys.stdout.isatty()
        return Console(
            file=sys.stdout,
            width=None if terminal else 100_000,
            force_terminal=terminal,
            no_color=not self.coloured,
            color_system="auto" if self.coloured else None,
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )

    def line(self, *parts: Styled) -> None:
        """Print one line of the result."""
        if not self.coloured:
            sys.stdout.write("".join(clean(part if isinstance(part, str) else part[0]) for part in parts) + "\n")
            return
        from rich.text import Text

        self.console().print(Text.assemble(*(_cleaned(part) for part in parts)))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Styled]], *, right: Iterable[int] = ()) -> None:
        """Print aligned columns under a header; the columns whose indices are in `right` are right-aligned."""
        from rich.cells import cell_len

        right = frozenset(right)
        cleaned = [[_cleaned(cell) for cell in row] for row in rows]
        widths = [
            max([cell_len(title), *(cell_len(row[number][0]) for row in cleaned)])
            for number, title in enumerate(header)
        ]
        for row in [[(title, "bold") for title in header], *cleaned]:
            parts: list[tuple[str, str]] = []
            for number, (text, style) in enumerate(row):
                space = " " * (widths[number] - cell_len(text))
                last = number == len(row) - 1
                parts.append((space + text if number in right else text if last else text + space, style))
                if not last:
                    parts.append(("  ", ""))
            self._raw(parts)

    def _raw(self, parts: list[tuple[str, str]]) -> None:
        if not self.coloured:
            sys.stdout.write("".join(text for text, _ in parts).rstrip() + "\n")
            return
        from rich.text import Text

        self.console().print(Text.assemble(*parts))

    def bytes(self, content: bytes) -> None:
        """Write raw bytes of the result."""
        sys.stdout.buffer.write(content)

    def status(self, text: str) -> None:
        """Show progress, on one line of stderr that the next one replaces; only where stderr is a terminal."""
        if self.lively:
            width = os.get_terminal_size(sys.stderr.fileno()).columns - 1 if sys.stderr.isatty() else 79
            sys.stderr.write("\r\x1b[2K" + clean(text)[: max(width, 20)])
            sys.stderr.flush()
            self._status = True

    def clear(self) -> None:
        """Clear the status line."""
        if self._status:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._status = False

    def note(self, text: str) -> None:
        """Print a note on stderr."""
        if not self.quiet:
            self.clear()
            sys.stderr.write(clean(text) + "\n")

    def warning(self, text: str) -> None:
        """Warn on stderr."""
        self.note(f"warning: {text}")

    def error(self, error: KittuiError) -> None:
        """Print an error on stderr: a JSON object, or the message and its hint."""
        self.clear()
        if self.as_json:
            said = {"code": error.code, "message": error.message, "hint": error.hint, "reference": error.reference}
            sys.stderr.write(json.dumps({"error": said}, ensure_ascii=True) + "\n")
            return
        where = f"{clean(error.reference)}: " if error.reference and error.reference not in error.message else ""
        sys.stderr.write(f"kittui: {where}{clean(error.message)}\n")
        if error.hint:
            sys.stderr.write(f"  {clean(error.hint)}\n")

    def confirm(self, plan: Sequence[str], question: str) -> None:
        """Show a plan and ask; returns if it may be carried out.

        Raises TerminalNeeded without a terminal and --yes, and Refused if the answer is no.
        """
        self.clear()
        if not (self.yes and self.quiet):
            for text in plan:
                sys.stderr.write(clean(text) + "\n")
            sys.stderr.flush()
        if self.yes:
            return
        if not self.asks:
            raise TerminalNeeded(
                "this command makes changes, and there is no terminal to confirm them on", hint="Add --yes to confirm."
            )
        if self.ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise Refused("nothing was changed", hint="Answer y, or give --yes.")

    def ask(self, question: str) -> str:
        """Ask for a line on the terminal; raises TerminalNeeded without one."""
        if not self.asks:
            raise TerminalNeeded("an answer is needed and there is no terminal to ask on")
        self.clear()
        self.asked = True
        sys.stderr.write(clean(question))
        sys.stderr.flush()
        return sys.stdin.readline().rstrip("\n")

    async def ask_secret(self, question: str) -> str:
        """Ask on the terminal without echo; raises TerminalNeeded without one."""
        from getpass import getpass

        if not self.asks:
            raise TerminalNeeded("an answer is needed and there is no terminal to ask on")
        self.clear()
        return await asyncio.to_thread(getpass, clean(question), sys.stderr)


def _cleaned(cell: Styled) -> tuple[str, str]:
    return (clean(cell), "") if isinstance(cell, str) else (clean(cell[0]), cell[1])

"""From a click command to an async function over the composition: options, errors, exit statuses, interruption."""

from __future__ import annotations

import asyncio
import errno
import functools
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kittui.cli.arguments import complete_references
from kittui.cli.options import DRY_RUN, Options, common_options
from kittui.cli.output import Printer
from kittui.errors import DiskFull, Interrupted, KittuiError, NetworkError, StorageError

if TYPE_CHECKING:
    from kittui.cli.compose import Composition
    from kittui.registry import Wait

_BUG = 1
logger = logging.getLogger("kittui.cli")


@dataclass(frozen=True, slots=True)
class Call:
    """What a command works with: the composition, the printer and the common options."""

    composition: Composition
    printer: Printer
    options: Options

    def preview(self, lines: Sequence[str], *documents: dict[str, Any], status: int = 0) -> None:
        """Raise Planned with --dry-run: call it when the plan is complete and nothing has changed yet."""
        if self.options.dry_run:
            raise Planned(lines, documents, status)

    @property
    def plan_is_shown(self) -> bool:
        """Whether the user sees the plan before it is applied."""
        return self.options.dry_run or not (self.printer.yes and self.printer.quiet)

    def check_write(self, reference: str) -> None:
        """Raise ReadOnly if changes are not allowed; a dry run makes none."""
        if not self.options.dry_run:
            self.composition.policy.check_write(reference)


class Planned(Exception):
    """The result of a dry run: the plan as text, and each of its parts as JSON."""

    def __init__(self, lines: Sequence[str], documents: Sequence[dict[str, Any]], status: int = 0) -> None:
        super().__init__(*lines)
        self.lines = tuple(lines)
        self.documents = tuple(documents)
        self.status = status

    @classmethod
    def merged(cls, planned: Sequence[Planned], status: int = 0) -> Planned:
        """Merge several plans into one."""
        lines = [line for one in planned for line in one.lines]
        return cls(lines, [document for one in planned for document in one.documents], status)

    def show(self, printer: Printer) -> int:
        """Print the plan, and return the exit status."""

        def human() -> None:
            for line in self.lines:
                printer.line(line)
            printer.note("dry run: nothing was changed")

        printer.result({"dry_run": True, "text": self.lines, "plans": self.documents}, human)
        return self.status


def command(
    name: str | None = None, *, changes: bool = False, **settings: Any
) -> Callable[[Callable[..., Awaitable[int | None]]], click.Command]:
    """Make a click command of `async def command(call: Call, ...)`; what it returns is the exit status (None: 0).

    With `changes` it takes --dry-run, and has to call `Call.preview` before it changes anything.
    Put it above the command's own click.argument and click.option decorators; the docstring is the help text.
    """

    def decorate(function: Callable[..., Awaitable[int | None]]) -> click.Command:
        @functools.wraps(function)
        def callback(**values: Any) -> int:
            context = click.get_current_context()
            options = Options.take(values, context.find_object(Options))
            return run(options, lambda call: function(call, **values))

        help_text = inspect.cleandoc(function.__doc__ or "")
        # click's overloads can't type settings that are passed through.
        make: Any = click.command(name=name, help=help_text, **settings)
        made: click.Command = make(common_options(DRY_RUN(callback) if changes else callback))
        return complete_references(made)

    return decorate


def run(options: Options, work: Callable[[Call], Awaitable[int | None]]) -> int:
    """Open the composition, do the work in an event loop, and return its exit status. Errors are left to `guarded`."""
    from kittui.cli.compose import Composition

    printer = Printer(as_json=options.json, quiet=options.quiet, yes=options.yes)
    log_to(options)

    async def within() -> int:
        def waiting(wait: Wait) -> None:
            if printer.lively or wait.seconds is not None:
                printer.status(str(wait))
            else:  # without a terminal, as in CI, progress lines are invisible, so a long silence gets its own line
                printer.note(str(wait))

        async with Composition(
            options.flags, on_warning=printer.warning, on_message=printer.note, on_wait=waiting
        ) as composition:
            composition.ask_secret = printer.ask_secret
            for problem in composition.problems:
                printer.warning(str(problem))
            try:
                return await work(Call(composition, printer, options)) or 0
            except Planned as planned:
                return planned.show(printer)
            except NetworkError as error:
                await composition.name_copies(error)
                raise

    try:
        return asyncio.run(within())
    except BrokenPipeError:
        # Handled here, as click ends the process with status 1 for it.
        _discard_stdout()
        return 0


def guarded(options: Options, work: Callable[[], int]) -> int:
    """Do the work and turn any error into a message on stderr and the contract's exit status."""
    printer = Printer(as_json=options.json, quiet=options.quiet)
    try:
        status = work()
        sys.stdout.flush()
    except KittuiError as error:
        logger.info("failed", exc_info=True)
        printer.error(error)
        return error.exit_status
    except (KeyboardInterrupt, asyncio.CancelledError, click.Abort) as stopped:
        # asyncio raises the first over the second, which carries a change's notes.
        notes: list[str] = getattr(stopped.__context__, "__notes__", []) or getattr(stopped, "__notes__", [])
        hint = " ".join(notes) or "Downloads so far are kept; run it again to continue."
        printer.error(Interrupted("interrupted", hint=hint))
        return Interrupted.exit_status
    except BrokenPipeError:
        _discard_stdout()
        return 0
    except OSError as error:
        logger.info("failed", exc_info=True)
        _flush_or_discard_stdout()
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StorageError
        where = f" ({error.filename})" if error.filename else ""
        printer.error(kind(f"{error.strerror or error}{where}", hint="Check the path, its permissions and free space."))
        return kind.exit_status
    except Exception as error:
        logger.exception("an internal error in kittui")
        if os.environ.get("KITTUI_DEBUG"):
            raise
        fault = KittuiError(
            f"internal error in kittui: {type(error).__name__}: {error}",
            hint="Please report it, with the log that --log-file FILE writes.",
        )
        printer.error(fault)
        return _BUG
    return status


def _flush_or_discard_stdout() -> None:
    """Discard what could not be written, or Python would try again at exit and print its own error."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_stdout()


def _discard_stdout() -> None:
    """The reader of stdout is gone, so whatever Python still flushes goes to /dev/null."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def log_to(options: Options) -> None:
    """Write kittui's log to --log-file, mode 0600; without it nothing is logged."""
    root = logging.getLogger("kittui")
    root.propagate = False
    if options.log_file is None:
        root.addHandler(logging.NullHandler())
        return
    descriptor = os.open(options.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    handler = logging.StreamHandler(os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

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
    """What a command works with: the opened composition, where to print, and the common options."""

    composition: Composition
    printer: Printer
    options: Options

    def preview(self, lines: Sequence[str], *documents: dict[str, Any], status: int = 0) -> None:
        """Raise Planned where --dry-run was given: call it when the plan is complete and nothing was changed yet."""
        if self.options.dry_run:
            raise Planned(lines, documents, status)

    @property
    def plan_is_shown(self) -> bool:
        """Whether somebody reads the plan before it is applied."""
        return self.options.dry_run or not (self.printer.yes and self.printer.quiet)

    def check_write(self, reference: str) -> None:
        """Raise ReadOnly where nothing may be changed; a dry run changes nothing."""
        if not self.options.dry_run:
            self.composition.policy.check_write(reference)


class Planned(Exception):
    """What a dry run found out: the plan in words, and each of its parts as JSON."""

    def __init__(self, lines: Sequence[str], documents: Sequence[dict[str, Any]], status: int = 0) -> None:
        super().__init__(*lines)
        self.lines = tuple(lines)
        self.documents = tuple(documents)
        self.status = status

    @classmethod
    def merged(cls, planned: Sequence[Planned], status: int = 0) -> Planned:
        """Several plans as one."""
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
        # click's overloads can't tell what settings that are passed on make of it.
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
            else:  # where nobody sees a line that is replaced, as in CI, silence is said in a line of its own
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
    """Do the work and turn whatever goes wrong into a message on stderr and contract's exit status."""
    printer = Printer(as_json=options.json, quiet=options.quiet)
    try:
        status = work()
        sys.stdout.flush()
    except KittuiError as error:
        logger.info("failed", exc_info=True)
        printer.error(error)
        return error.exit_status
    except (KeyboardInterrupt, asyncio.CancelledError, click.Abort) as stopped:
        # asyncio raises the first over the second, which a change has given its notes.
        notes: list[str] = getattr(stopped.__context__, "__notes__", []) or getattr(stopped, "__notes__", [])
        hint = " ".join(notes) or "What was downloaded so far is kept; run it again to continue."
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
        logger.exception("a fault in kittui")
        if os.environ.get("KITTUI_DEBUG"):
            raise
        fault = KittuiError(
            f"a fault in kittui itself: {type(error).__name__}: {error}",
            hint="Please report it, with what --log-file FILE writes down about it.",
        )
        printer.error(fault)
        return _BUG
    return status


def _flush_or_discard_stdout() -> None:
    """What could not be written isn't tried once more as Python ends, which would say so in its own words."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_stdout()


def _discard_stdout() -> None:
    """Whoever read stdout has gone; what Python still wants to flush goes nowhere."""
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

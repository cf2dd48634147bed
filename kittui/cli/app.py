"""The command line: a table of commands, each imported when called. Without a command, the interface opens."""

from __future__ import annotations

import difflib
import importlib
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from kittui import __version__
from kittui.cli.options import Options, common_options
from kittui.cli.run import Call, guarded, run
from kittui.errors import TerminalNeeded, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, str] = {
    "demo": "Try the interface on sample ModelKits.",
    "ls": "List the repositories of a source, or the tags of a repository.",
    "show": "Show one ModelKit: manifest, Kitfile, annotations, layers.",
    "tree": "List the layers of a ModelKit and the files in them, without pulling.",
    "cat": "Write one file's bytes to stdout, reading only them.",
    "diff": "Compare two ModelKits.",
    "find": "Find the ModelKits and tags that hold a file, layer or diffId.",
    "timeline": "Follow one value, file or tensor across a repository's versions.",
    "pull": "Pull ModelKits into the local store.",
    "push": "Push a ModelKit from the local store or a layout.",
    "copy": "Copy a ModelKit between any two sources.",
    "unpack": "Unpack a ModelKit, whole or in part.",
    "index": "List a ModelKit's variants with labels: create, add, remove, list, push.",
    "tag": "Give a ModelKit another tag without moving its layers.",
    "remove": "Untag or delete ModelKits.",
    "du": "Show disk usage, and what each removal would free.",
    "clean": "Delete ModelKits that are old, untagged or at a given stage.",
    "promote": "Make the challenger the champion.",
    "rollback": "Make the rollback ModelKit the champion again.",
    "undo": "Undo the last tag change.",
    "history": "Show who moved which tag, and when.",
    "verify": "Verify a ModelKit's signatures and attestations.",
    "sign": "Sign a ModelKit with a key.",
    "board": "Show which ModelKit is at which stage.",
    "prune": "Delete old records of tag moves from a registry.",
    "fleet": "Show one ModelKit in several registries, and promote across them.",
    "report": "Report on every ModelKit of a source, for an auditor.",
    "evidence": "Collect the evidence about a ModelKit in one folder, for an auditor.",
    "bom": "Write a ModelKit's bill of materials as CycloneDX.",
    "gate": "Evaluate the gates of a promotion without promoting.",
    "approve": "Approve a ModelKit for a tag.",
    "reject": "Reject a ModelKit for a tag.",
    "attest": "Attach a signed statement to a ModelKit.",
    "login": "Log in to a registry.",
    "logout": "Log out of a registry.",
    "doctor": "Check this terminal, the local store and a registry.",
}
"""Every command and its line in `--help`; `kittui.cli.commands.NAME` holds it as `command`."""


CALLED: dict[str, str] = {
    "rm": "remove",
    "untag": "remove",
    "delete": "remove --delete",
    "del": "remove --delete",
    "rmi": "remove --delete",
    "list": "ls",
    "inspect": "show",
    "info": "show",
    "cp": "copy",
    "mirror": "copy",
    "retag": "tag",
    "compare": "diff",
    "search": "find",
    "df": "du",
    "usage": "du",
    "gc": "clean",
    "log": "history",
    "revert": "undo",
    "extract": "unpack",
    "download": "pull",
    "upload": "push",
    "status": "board",
    "attach": "attest",
    "sbom": "bom",
}
"""What other programs call a command, and its name here."""


class Commands(click.Group):
    """Commands that are imported when called; a first word that is not a command opens the interface there."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(f"kittui.cli.commands.{cmd_name}").command
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command to run: the named one, or the interface for a single source or reference."""
        name = args[0]
        if name in COMMANDS:
            return name, self.get_command(ctx, name), args[1:]
        if name in CALLED:
            form = shlex.join([*CALLED[name].split(), *args[1:]])
            raise UsageError(f"{name} is called {CALLED[name].split()[0]} here", hint=f"kittui {form}")
        positional = [word for word in args if not word.startswith("-")]
        close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.75)
        if len(positional) > 1 or (close and not any(mark in name for mark in ":/.@")):
            hint = f"Did you mean kittui {close[0]}?" if close else "kittui --help lists the commands."
            raise UsageError(f"{name!r} is not a command", hint=hint)
        if "--help" in args or "-h" in args:
            click.echo(ctx.get_help())
            ctx.exit()
        return "open", open_command, args

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, options, and sources or references that the interface can open."""
        from kittui.cli.completion import complete

        return [*super().shell_complete(ctx, incomplete), *complete(ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table in `--help`, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="[SOURCE_OR_REF | COMMAND ...]",
)
@click.version_option(__version__, prog_name="kittui", message="%(prog)s %(version)s")
@common_options
@click.pass_context
def program(ctx: click.Context, /, **values: Any) -> int:
    """See, compare and move ModelKits in registries, OCI layouts and kit's store.

    Without a command the interface opens: on a registry (HOST[:PORT]), a repository or a ModelKit, or, with no
    argument, on the local store and the registries of the configuration.
    """
    ctx.obj = Options.take(values)
    if ctx.invoked_subcommand is None:
        return _open(ctx.obj, None)
    return 0


@click.command(name="open", hidden=True)
@click.argument("start")
@common_options
@click.pass_context
def open_command(ctx: click.Context, /, start: str, **values: Any) -> int:
    """Open the interface on a source, a repository or a ModelKit."""
    return _open(Options.take(values, ctx.find_object(Options)), start)


def _open(options: Options, start: str | None) -> int:
    need_terminal("kittui ls, show and the other commands work without one: kittui --help")
    from kittui.cli.interface import open_interface
    from kittui.cli.leaving import leaving_on_signals

    async def interface(call: Call) -> int:
        with leaving_on_signals():
            return await open_interface(call, start)

    return run(options, interface)


def need_terminal(hint: str) -> None:
    """Raise TerminalNeeded unless stdin and stdout are a terminal that the interface can be drawn on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TerminalNeeded("the interface needs a terminal, but stdin or stdout is not one", hint=hint)
    if os.environ.get("TERM") == "dumb":
        raise TerminalNeeded("the interface can't be drawn on a terminal of type dumb", hint=hint)


def main(arguments: list[str]) -> int:
    """Run the command line and return its exit status (contract: 0 done, 1 failed, 2 usage, 3, 4, 130)."""
    # A usage error comes before the options are parsed, and scripts want it as JSON too.
    options = Options(json="--json" in arguments)

    def work() -> int:
        if "_KITTUI_COMPLETE" in os.environ:  # click asks for the script, which is ours for bash
            importlib.import_module("kittui.cli.completion")
        try:
            status = program.main(args=arguments, prog_name="kittui", standalone_mode=False)
        except click.exceptions.Exit as leaving:
            return leaving.exit_code
        except SystemExit:
            # click exits this way when the reader of a help text closed the pipe: not an error here.
            raise BrokenPipeError from None
        except click.UsageError as error:
            said = error.ctx
            while said is not None and said.command.hidden:
                said = said.parent
            context = said.command_path if said else "kittui"
            raise UsageError(error.format_message(), hint=f"{context} --help shows how to use it.") from None
        except click.ClickException as error:
            raise UsageError(error.format_message()) from None
        return status if isinstance(status, int) else 0

    return guarded(options, work)

"""`kittui login`: save a login in kit's credentials file or the configured helper."""

from __future__ import annotations

import asyncio
import getpass
import sys

import click

from kittui.cli import run
from kittui.cli.logins import Logins
from kittui.cli.run import Call
from kittui.errors import TerminalNeeded, UsageError
from kittui.usecases.login import SECRET_LIMIT, login


@run.command("login", changes=True)
@click.argument("host")
@click.option("-u", "--username", metavar="USER", help="User name; without it, the password is an identity token.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
async def command(call: Call, host: str, username: str | None, password_stdin: bool) -> None:
    """Log in to a registry. The password is prompted for or read from stdin; it is never an argument.

    From stdin it may have several lines, like a cloud provider's key file. It is saved only if the registry accepts it.
    """
    call.check_write(host)
    call.preview(
        [f"Log in to {host}; the password is saved only if the registry accepts it"], {"action": "login", "host": host}
    )
    if password_stdin:
        given = await asyncio.to_thread(sys.stdin.buffer.read, 4 * SECRET_LIMIT + 2)
        password = _text(given).removesuffix("\n").removesuffix("\r")
        user = username or ""
    else:
        if not call.printer.asks:
            raise TerminalNeeded(
                "there is no terminal to ask for the password on", hint="Pipe it in with --password-stdin."
            )
        user = username if username is not None else call.printer.ask(f"User name for {host}: ").strip()
        password = await asyncio.to_thread(getpass.getpass, "Password: ")
    if not user and not password:
        raise UsageError("a user name and password are needed", hint="kittui login HOST -u USER")
    done = await login(Logins(call.composition), host, user, password)
    document = {"host": done.host, "username": done.username, "answer": done.answer, "kept": done.kept}
    call.printer.result(document, lambda: call.printer.line(f"Logged in to {done.host}; kept in {done.kept}."))


def _text(given: bytes) -> str:
    try:
        return given.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("the password on stdin is not text", hint="It must be UTF-8.") from None

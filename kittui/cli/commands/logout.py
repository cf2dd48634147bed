"""`kittui logout`: delete a registry's saved login."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.logins import Logins
from kittui.cli.run import Call
from kittui.usecases.login import logout


@run.command("logout", changes=True)
@click.argument("host")
async def command(call: Call, host: str) -> None:
    """Delete the login that kittui or kit saved for a registry."""
    call.check_write(host)
    call.preview([f"Delete the login for {host}"], {"action": "logout", "host": host})
    where = await logout(Logins(call.composition), host)
    document = {"host": host, "removed": where}
    call.printer.result(document, lambda: call.printer.line(f"Logged out of {host}: removed from {where}."))

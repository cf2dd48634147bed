"""The options that every command takes, before its name or after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from kittui.config import Flags

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Options:
    """Options from the command line; None if not given, so that the environment or the file decides."""

    json: bool = False
    plain_http: bool | None = None
    tls_verify: bool | None = None
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    store: str | None = None
    config: Path | None = None
    read_only: bool | None = None
    offline: bool | None = None
    no_refresh: bool | None = None
    yes: bool = False
    quiet: bool = False
    log_file: Path | None = None
    dry_run: bool = False

    @classmethod
    def take(cls, values: dict[str, Any], outer: Options | None = None) -> Options:
        """Take the common options out of a command's parameters, on top of those given before its name."""
        said = {field.name: values.pop(field.name, None) for field in fields(cls)}
        given = {name: value for name, value in said.items() if value is not None and (value or name == "tls_verify")}
        return replace(outer or cls(), **given)

    @property
    def flags(self) -> Flags:
        """The options that override the environment and the configuration file."""
        from kittui.config import Flags

        return Flags(**{field: getattr(self, field) for field in Flags.__slots__})


def _readable(_: click.Context, __: click.Parameter, value: str | None) -> Path | None:
    from kittui.disk.paths import typed_path

    return typed_path(value) if value is not None else None


_KEY = click.option("--key", callback=_readable, metavar="FILE", help="Key of the client certificate (PEM).")
_COMMON = (
    click.option("--json", is_flag=True, help="Print the result as JSON; errors as one JSON object on stderr."),
    click.option(
        "--plain-http", is_flag=True, default=None, help="Use HTTP: credentials cross the network unencrypted."
    ),
    click.option("--tls-verify", type=click.BOOL, metavar="BOOL", help="Check the registry's certificate (true)."),
    click.option(
        "--ca-cert", callback=_readable, metavar="FILE", help="Also trust these certificate authorities (PEM)."
    ),
    click.option("--cert", callback=_readable, metavar="FILE", help="Client certificate (PEM)."),
    _KEY,
    click.option("--store", metavar="DIR", help="kit's folder, instead of $KITOPS_HOME or the default."),
    click.option("--config", callback=_readable, metavar="FILE", help="Configuration file, instead of config.yaml."),
    click.option("--read-only", is_flag=True, default=None, help="Refuse every change."),
    click.option("--offline", is_flag=True, default=None, help="Contact no registry; read only the local store."),
    click.option("--no-refresh", is_flag=True, default=None, help="Check for moved stages only on request (r)."),
    click.option("-y", "--yes", is_flag=True, help="Carry out the plan without asking."),
    click.option("--quiet", is_flag=True, help="Show no progress and no warnings."),
    click.option("--log-file", callback=_readable, metavar="FILE", help="Write a log to FILE (no secrets, mode 0600)."),
)


DRY_RUN = click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")


def common_options(function: Decorated) -> Decorated:
    """Add the common options to a click command or group.

    A command that signs has its own --key; the client certificate's --key then goes before the command's name.
    """
    own = {name for parameter in getattr(function, "__click_params__", ()) for name in parameter.opts}
    for option in reversed(_COMMON):
        if option is not _KEY or "--key" not in own:
            function = option(function)
    return function

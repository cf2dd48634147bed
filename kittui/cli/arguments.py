"""Arguments that take references and complete them in the shell. The completion code is imported only for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_NAMES: Final = frozenset(
    {"reference", "references", "repository", "source", "sources", "origin", "destination", "news", "start", "a", "b"}
)
"""Arguments that take references, in every command."""


class ReferenceType(click.types.StringParamType):
    """Text that names a source, a repository or a ModelKit."""

    name = "text"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """References known on this machine that begin with the word."""
        from kittui.cli.completion import complete

        return complete(ctx, incomplete)


def complete_references(command: click.Command) -> click.Command:
    """Add completion to a command's reference arguments."""
    for param in command.params:
        if isinstance(param, click.Argument) and param.name in _NAMES and isinstance(param.type, type(click.STRING)):
            param.type = ReferenceType()
    return command

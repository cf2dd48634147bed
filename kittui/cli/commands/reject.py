"""`kittui reject`: one person rejects a ModelKit for a tag."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.reviewing import review_options, write_review
from kittui.cli.run import Call


@run.command("reject", changes=True)
@click.argument("reference")
@review_options
async def command(call: Call, reference: str, tag: str | None, signing_key: str | None, reason: str) -> None:
    """Reject a ModelKit for a tag (champion unless --for names another), signed with your own key.

    The statement has its own format, which no tool accepts as a signature. A later approval by the same person
    replaces it.
    """
    await write_review(call, "rejected", reference, tag, signing_key, reason)

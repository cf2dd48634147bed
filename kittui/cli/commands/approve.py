"""`kittui approve`: one person approves a ModelKit for a tag."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.reviewing import review_options, write_review
from kittui.cli.run import Call


@run.command("approve", changes=True)
@click.argument("reference")
@review_options
@click.option("--reviewed", is_flag=True, help="State that you reviewed every change against what the tag holds.")
async def command(
    call: Call, reference: str, tag: str | None, signing_key: str | None, reason: str, reviewed: bool
) -> None:
    """Approve a ModelKit for a tag (champion unless --for names another), signed with your own key.

    The statement covers the digest, the repository and the tag. A later rejection by the same person replaces it.
    With --reviewed it names what the tag holds now, and is refused if a review on this machine left changes unticked.
    """
    await write_review(call, "approved", reference, tag, signing_key, reason, reviewed=reviewed)

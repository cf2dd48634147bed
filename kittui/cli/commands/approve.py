"""`kittui approve`: one person's yes to a ModelKit getting a tag."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.reviewing import review_options, write_review
from kittui.cli.run import Call


@run.command("approve", changes=True)
@click.argument("reference")
@review_options
@click.option("--reviewed", is_flag=True, help="You went through every change against what the tag holds.")
async def command(
    call: Call, reference: str, tag: str | None, signing_key: str | None, reason: str, reviewed: bool
) -> None:
    """Approve of a ModelKit getting a tag, champion unless --for says otherwise; signed with your own key.

    The statement is about the digest, the repository and the tag. A later rejection by the same person takes it back.
    With --reviewed it names what the tag holds now; refused where a review on this machine left changes unticked.
    """
    await write_review(call, "approved", reference, tag, signing_key, reason, reviewed=reviewed)

"""What approve and reject share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kittui.cli.moving import parse_tag
from kittui.cli.run import Call
from kittui.cli.signing import key_option, preview_attached, signer_of
from kittui.trust.reviews import Decision
from kittui.usecases.browse.places import DEFAULT_TAG

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def review_options(function: Decorated) -> Decorated:
    """The options of approve and reject."""
    options = (
        click.option("--for", "tag", metavar="TAG", help="The tag that it may get, or may not (champion)."),
        key_option,
        click.option("--reason", default="", help="Why; kept in the statement."),
    )
    for option in reversed(options):
        function = option(function)
    return function


async def write_review(
    call: Call,
    decision: Decision,
    reference: str,
    tag: str | None,
    signing_key: str | None,
    reason: str,
    *,
    reviewed: bool = False,
) -> None:
    """Write one person's decision and print what was written.

    `reviewed`: they went through every change against what the tag holds now; raises NotFound where there is none.
    """
    from kittui.usecases.trust.sign import check_attach, review

    composition = call.composition
    wanted = parse_tag(tag) or composition.config.moves.champion
    located = await composition.places.locate(reference, changing=True)
    call.check_write(str(located))
    check_attach(located.repository)
    against = (await located.repository.resolve(wanted)).digest if reviewed else None
    await preview_attached(call, located, "Approve" if decision == "approved" else "Reject", signing_key)
    signer = await signer_of(call, signing_key)
    actor = composition.ledger.actor
    done = await review(
        located.repository, located.target or DEFAULT_TAG, signer, decision, wanted, actor, reason, against=against
    )

    def show() -> None:
        call.printer.line((done.reference, "bold"), "  ", (done.subject, "dim"))
        call.printer.line(f"  {decision} for {wanted}, signed by key {done.key}; attached as {done.manifest.short}")

    call.printer.result({**done.to_json(), "decision": decision, "tag": wanted, "reason": reason}, show)

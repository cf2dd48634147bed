"""What approve and reject share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kittui.cli.moving import parse_tag
from kittui.cli.run import Call
from kittui.cli.signing import key_option, preview_attached, signer_of
from kittui.errors import Refused
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.trust.reviews import Decision
from kittui.usecases.browse.places import DEFAULT_TAG, Located

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def review_options(function: Decorated) -> Decorated:
    """The options of approve and reject."""
    options = (
        click.option("--for", "tag", metavar="TAG", help="The tag it is approved or rejected for (champion)."),
        key_option,
        click.option("--reason", default="", help="The reason, kept in the statement."),
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

    `reviewed` states that they checked every change against what the tag holds now. Raises NotFound if the tag does not
    exist, and Refused if a review on this machine has unticked changes.
    """
    from kittui.usecases.trust.sign import check_attach, review

    composition = call.composition
    wanted = parse_tag(tag) or composition.config.moves.champion
    located = await composition.places.locate(reference, changing=True)
    call.check_write(str(located))
    check_attach(located.repository)
    against = await _reviewed_against(call, located, wanted) if reviewed else None
    await preview_attached(call, located, "Approve" if decision == "approved" else "Reject", signing_key)
    signer = await signer_of(call, signing_key)
    actor = composition.ledger.actor
    done = await review(
        located.repository, located.target or DEFAULT_TAG, signer, decision, wanted, actor, reason, against=against
    )

    def show() -> None:
        call.printer.line((done.reference, "bold"), "  ", (done.subject, "dim"))
        call.printer.line(f"  {decision} for {wanted}, signed by key {done.key}; attached as {done.manifest.short}")

    said = {"decision": decision, "tag": wanted, "reason": reason, "reviewed_against": against}
    call.printer.result({**done.to_json(), **said}, show)


async def _reviewed_against(call: Call, located: Located, wanted: Tag) -> Digest:
    """What the tag holds, unless a review on this machine has unticked changes."""
    from kittui.usecases.trust.words import left_text

    repository, target = located.repository, located.target or DEFAULT_TAG
    against = (await repository.resolve(wanted)).digest
    review = await call.composition.evidence.review(against, (await repository.resolve(target)).digest)
    if left := left_text(review, wanted):
        raise Refused(
            left,
            hint="Tick every change in the comparison with it (d and Space in kittui), or approve without --reviewed.",
            reference=str(located),
        )
    if review.empty:
        call.printer.warning(
            f"no change against {wanted} is ticked on this machine: the review is recorded on your word alone"
        )
    return against

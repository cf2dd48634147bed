"""`kittui tag`: retag a ModelKit, locally or in the registry."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.carrying import attached_lines, move_document, note_attached, referrers_option
from kittui.cli.moving import answers_of, plan_document, warn_unseen
from kittui.cli.progress import reporting
from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.terminal import size_text
from kittui.transfer.progress import Progress
from kittui.usecases.browse.places import DEFAULT_TAG
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.words import change_lines, verdict_lines

_NOTHING = "Nothing to do: the tag already points to this digest."


@run.command("tag", changes=True)
@click.argument("source", metavar="SOURCE_REF")
@click.argument("news", metavar="NEW_TAG_OR_REF...", nargs=-1, required=True)
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
@referrers_option
async def command(
    call: Call,
    source: str,
    news: tuple[str, ...],
    reason: str,
    confirm: tuple[str, ...],
    override: str,
    referrers: bool | None,
) -> None:
    """Give a ModelKit another tag: the same bytes, no layers moved.

    A name without / or : is a tag in the same repository. In another repository of the same registry its layers are
    mounted; in another registry they are copied.
    """
    composition = call.composition
    located = await composition.places.locate(source, changing=True)
    destinations: list[tuple[Repository, Tag]] = []
    for text in news:
        if "/" not in text and ":" not in text:
            destinations.append((located.repository, Tag.parse(text)))
            continue
        new = await composition.places.locate(text, changing=True, default=None)
        if not isinstance(new.target, Tag):
            raise UsageError(f"{text} has no tag", hint="Write REPOSITORY:TAG.", reference=text)
        destinations.append((new.repository, new.target))
    plan = await plan_retag(
        located.repository, located.target or DEFAULT_TAG, destinations, referrers, shown=call.plan_is_shown
    )
    call.check_write(located.repository.reference())
    verdicts = await composition.policy.assess(plan.here) if plan.here is not None else ()
    attached = [line for move in plan.elsewhere for line in attached_lines(move)]
    note_attached(call, plan.elsewhere)
    lines: list[str] = []
    for changes in plan.changes:
        lines += [f"Retag in {changes.place}", *(f"  {line}" for line in change_lines(changes.changes) or [_NOTHING])]
    lines += [f"  {line}" for line in verdict_lines(verdicts)]
    if plan.missing:
        lines.append(f"  {size_text(plan.missing)} are copied")
    lines += [*(f"  {note}" for note in plan.notes), *attached]
    here = [plan_document(plan.here, verdicts)] if plan.here is not None else []
    call.preview(lines, *here, *map(move_document, plan.elsewhere))
    if any(changes.changes for changes in plan.changes):
        composition.policy.stop(verdicts, override, located.repository.reference())
        call.printer.confirm(lines, "Move the tags?" if plan.overwritten else "Set the tags?")
    answers = answers_of(call, plan.overwritten, confirm, reason, override)
    progress = Progress()
    async with reporting(call, progress, "tag"):
        done = await apply_retag(plan, composition.ledger, composition.policy, answers, progress)

    for note in (note for moved in done.moved for note in moved.left):
        call.printer.warning(note)

    def show() -> None:
        for changed in done.done:
            for change in changed.changes:
                call.printer.line((changed.repository.reference(change.tag), "bold"), f"  {plan.manifest.digest}")
        if not any(changed.changes for changed in done.done):
            call.printer.line(_NOTHING)

    call.printer.result(done.to_json(), show)
    warn_unseen(call, [tag for changed in done.done for tag in changed.unseen])

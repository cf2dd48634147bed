"""What the commands that change tags share: plans in words, protected tags, many references."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from kittui.cli.run import Call, Planned
from kittui.errors import KittuiError, Refused, UsageError
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.tasks import note_around
from kittui.usecases.change.plan import Answers, Changed, ChangePlan
from kittui.usecases.change.policy import Verdict
from kittui.usecases.change.words import (
    change_lines,
    costs_of,
    notes_of,
    nothing_to_do,
    unseen_text,
    verdict_lines,
)

NOTHING: Mapping[str, Any] = MappingProxyType({})

Done = TypeVar("Done")


def parse_tag(text: str | None) -> Tag | None:
    """The tag given as an option, if any; raises BadReference."""
    return None if text is None else Tag.parse(text)


async def repository_of(call: Call, text: str, *, changing: bool = True) -> Repository:
    """The repository that a command works on and may change; raises UsageError if a tag was given too."""
    located = await call.composition.places.locate(text, changing=changing, default=None)
    if located.target is not None:
        raise UsageError(
            f"{text} names {located.target}; this works on a whole repository",
            hint="Leave the tag out.",
            reference=text,
        )
    return located.repository


def answers_of(
    call: Call, tags: Collection[str], confirm: Sequence[str], reason: str = "", override: str = "", action: str = ""
) -> Answers:
    """The options' answers to a plan; protected tags without --confirm are asked for."""
    typed = list(confirm)
    for tag in call.composition.policy.guarded(tags, action):
        if tag not in typed and call.printer.asks:
            answer = call.printer.ask(f"{tag} is protected. Type its name to continue: ")
            typed.append(answer.strip())
    return Answers(reason, typed, override, call.printer.asked)


def plan_lines(plan: ChangePlan, verb: str, verdicts: Sequence[Verdict] = ()) -> list[str]:
    """A plan as text, with the policy's refusals and warnings; its first line names the place."""
    lines = [*change_lines(plan.changes, plan.names), *notes_of(plan), *verdict_lines(verdicts), costs_of(plan)]
    return [f"{verb} {plan.place}", *(f"  {line}" for line in lines)]


def plan_document(plan: ChangePlan, verdicts: Sequence[Verdict] = ()) -> dict[str, Any]:
    """A plan as a dry run prints it in JSON."""
    return {
        "action": plan.action,
        "repository": plan.repository.reference(),
        "changes": [change.to_json() for change in plan.changes],
        "verdicts": [one.to_json() for one in verdicts],
    }


def warn_unseen(call: Call, tags: Sequence[str]) -> None:
    """Warn about tags that were moved although the registry still shows the old state."""
    if tags:
        call.printer.note(unseen_text(tags))


def show_changed(call: Call, plan: ChangePlan, done: Changed, more: Mapping[str, Any] = NOTHING) -> None:
    """The result of moving tags; `more` joins its JSON."""

    def show() -> None:
        for line in change_lines(done.changes):
            call.printer.line(line)
        if not done.changes:
            call.printer.line(nothing_to_do(plan))

    call.printer.result({**done.to_json(), **more}, show)
    warn_unseen(call, done.unseen)


async def agree(
    call: Call,
    plan: ChangePlan,
    verb: str,
    question: str,
    override: str = "",
    more: Sequence[str] = (),
    said: Mapping[str, Any] = NOTHING,
) -> None:
    """Show a plan with the policy's verdict, and ask; empty and refused plans raise no question.

    `more` are further lines of the plan, and `said` what joins its JSON.

    Raises ReadOnly, Refused (by a rule, or because the answer was no) and TerminalNeeded.
    """
    policy = call.composition.policy
    if not plan.changes:
        call.preview([nothing_to_do(plan)], {**plan_document(plan), **said})
        return
    call.check_write(plan.place)
    verdicts = await policy.assess(plan)
    lines = [*plan_lines(plan, verb, verdicts), *more]
    call.preview(lines, {**plan_document(plan, verdicts), **said})
    try:
        policy.stop(verdicts, override, plan.place)
    except Refused:
        for line in lines:
            call.printer.note(line)
        raise
    call.printer.confirm(lines, question)


async def for_each(call: Call, texts: Sequence[str], work: Callable[[str], Awaitable[Done]]) -> tuple[list[Done], int]:
    """Do the work for each reference; with several, a failure is reported and the others continue.

    Returns the results and the exit status of the first failure (0 if all succeeded).
    """
    if len(texts) == 1:
        return [await work(texts[0])], 0
    done: list[Done] = []
    planned: list[Planned] = []
    status = 0
    finished: list[str] = []
    for number, text in enumerate(texts):
        try:
            done.append(await work(text))
            finished.append(text)
        except asyncio.CancelledError as stopped:
            note_around(stopped, finished, texts[number + 1 :])
            raise
        except Planned as one:
            planned.append(one)
        except KittuiError as error:
            call.printer.error(error.at(text))
            status = status or error.exit_status
    if planned:
        raise Planned.merged(planned, status)
    return done, status


def one_or_many(documents: Sequence[dict[str, Any]], asked: int) -> Any:
    """The JSON of a command that takes several references: an object for one, a list for several."""
    return documents[0] if asked == 1 else list(documents)

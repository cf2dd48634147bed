"""`kittui fleet`: one ModelKit in several registries, and promoting across them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.errors import NotFound, UsageError
from kittui.usecases.change.plan import Answers
from kittui.usecases.trust.fleet import Member, Passed, Standing, promote_across, standings


@run.command("fleet", changes=True)
@click.argument("name", required=False)
@click.option(
    "--promote",
    "targets",
    multiple=True,
    metavar="MEMBER",
    help="Promote the previous member's champion to this member.",
)
@click.option(
    "--from", "origin", metavar="MEMBER", help="Take this member's champion instead of the previous member's."
)
@click.option("--reason", default="", help="The reason, kept in the history.")
@click.option("--confirm", multiple=True, metavar="TAG", help="Confirm moving the protected tag TAG.")
@click.option("--override", default="", metavar="REASON", help="Proceed although a rule refuses; recorded.")
async def command(
    call: Call,
    name: str | None,
    targets: tuple[str, ...],
    origin: str | None,
    reason: str,
    confirm: tuple[str, ...],
    override: str,
) -> int:
    """Show one ModelKit in each repository of a `fleet` in config.yaml, and which of them are behind.

    --promote copies the champion of the previous member (or of --from) with its signatures and statements, and promotes
    it under the member's own gates; repeat it to promote through several. A failure is reported, the exit status is
    then 1, and the same command continues where it stopped.
    """
    composition = call.composition
    fleets = composition.config.fleet
    if not fleets:
        raise UsageError("config.yaml has no fleet", hint="List its repositories in config.yaml: see the guide.")
    if name is not None and name not in fleets:
        raise NotFound(f"there is no fleet {name}", hint=f"config.yaml has {', '.join(fleets)}.")
    if targets and name is None:
        raise UsageError("--promote needs the name of a fleet", hint=f"config.yaml has {', '.join(fleets)}.")
    if targets and name is not None:
        members = _members(call, name)
        passed = await _promote(call, members, targets, origin, reason, confirm, override)
        call.printer.result([one.to_json() for one in passed], lambda: _print_passed(call, passed))
        return 1 if any(one.error is not None for one in passed) else 0
    keyring = await asyncio.to_thread(lambda: composition.keyring)
    stages = [stage.name for stage in composition.config.stages]
    champion = composition.config.moves.champion
    found: dict[str, list[Standing]] = {}
    for each in [name] if name else list(fleets):
        call.printer.status(f"reading {each}")
        found[each] = await standings(_members(call, each), stages, champion, composition.ledger, keyring)
    document: dict[str, Any] = {each: [one.to_json() for one in rows] for each, rows in found.items()}
    call.printer.result(document, lambda: _print(call, found))
    return 1 if any(one.problem for rows in found.values() for one in rows) else 0


def _members(call: Call, name: str) -> list[Member]:
    places = call.composition.places
    fleet = call.composition.config.fleet[name]
    return [Member(each, places.repository(places.parse(text).at(None))) for each, text in fleet.items()]


async def _promote(
    call: Call,
    members: Sequence[Member],
    targets: Sequence[str],
    origin: str | None,
    reason: str,
    confirm: Sequence[str],
    override: str,
) -> list[Passed]:
    composition = call.composition
    names = [member.name for member in members]
    unknown = [name for name in (*targets, *((origin,) if origin else ())) if name not in names]
    if unknown:
        raise NotFound(f"there is no member {unknown[0]}", hint=f"This fleet has {', '.join(names)}.")
    steps: list[tuple[Member, Member]] = []
    for target in targets:
        at = names.index(target)
        source = names.index(origin) if origin is not None else at - 1
        if source < 0 or source == at:
            raise UsageError(
                f"{target} is the first member, so there is none to promote from",
                hint="Use --from to choose the member to take the champion from.",
            )
        steps.append((members[source], members[at]))
    lines = [f"{first.repository.reference()} -> {last.repository.reference()}" for first, last in steps]
    plan = ["Promote across registries", *(f"  {line}" for line in lines)]
    ends = [{"from": first.repository.reference(), "to": last.repository.reference()} for first, last in steps]
    call.preview(plan, {"action": "fleet", "steps": ends})
    call.printer.confirm(plan, "Promote?")
    passed = []
    for first, last in steps:
        call.printer.status(f"promoting to {last.name}")
        passed.append(
            await promote_across(
                first,
                last,
                composition.ledger,
                composition.policy,
                composition.config.moves,
                Answers(reason, confirm, override, call.printer.asked),
            )
        )
        if passed[-1].error is not None and origin is None:
            break
    return passed


def _print(call: Call, found: dict[str, list[Standing]]) -> None:
    rows: list[Sequence[Styled]] = []
    for fleet, standing in found.items():
        for one in standing:
            known = "  ".join(f"{tag} {digest.short}" for tag, digest in one.stages.items())
            stages: Styled = known or ("not read" if one.problem else "no stage", "dim")
            state = (one.problem or one.state, "bold red" if one.problem else "" if one.stale is False else "yellow")
            rows.append(((fleet, "bold"), one.member.name, one.member.repository.reference(), stages, state))
    call.printer.table(("FLEET", "MEMBER", "REPOSITORY", "STAGES", "STATE"), rows)


def _print_passed(call: Call, passed: Sequence[Passed]) -> None:
    for one in passed:
        if one.error is not None:
            call.printer.line((f"{one.member.name}: ", "bold"), ("failed", "bold red"), f": {one.error.message}")
            if one.error.hint:
                call.printer.line(f"  {one.error.hint}")
            continue
        moved = ", ".join(change.tag for change in one.done.changes) if one.done else ""
        what = f"moved {moved}" if moved else "already there"
        call.printer.line((f"{one.member.name}: ", "bold"), f"{what}; {one.carried} statements copied too")
        for note in one.notes:
            call.printer.line(f"  {note}")

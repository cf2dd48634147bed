"""One ModelKit in several repositories: the state of each stage, what is behind, and promotion to the next one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kittui.errors import KittuiError
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository, at_once
from kittui.oci.tag import Tag
from kittui.tasks import spread
from kittui.transfer.progress import Progress
from kittui.trust.keyring import Keyring
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import NOBODY, Answers, Changed
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.readings import digest_at
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.transfer import apply_move, plan_move
from kittui.usecases.trust.chain import counts
from kittui.usecases.trust.history import MergedHistory, merged_history
from kittui.usecases.trust.names import plain_name


@dataclass(frozen=True, slots=True)
class Member:
    """One repository of a fleet, named by its purpose; each passes its ModelKits on to the next."""

    name: str
    repository: Repository


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's stages, or the `problem` why it can't be read.

    `stale`: its champion differs from that of the member before it, or is missing while that one has one; `behind` by
    so many versions. Both are None if unknown. `state` says it in words.
    """

    member: Member
    stages: dict[str, Digest] = field(default_factory=dict, hash=False)
    behind: int | None = None
    stale: bool | None = False
    problem: str = ""
    state: str = ""

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "name": self.member.name,
            "repository": self.member.repository.reference(),
            "stages": self.stages,
            "stale": self.stale,
            "behind": self.behind,
            "state": self.state,
            "problem": self.problem or None,
        }


async def standings(
    members: Sequence[Member], stages: Collection[Tag], champion: Tag, ledger: Ledger, keyring: Keyring
) -> list[Standing]:
    """Read the standing of every member; unreadable ones are marked."""
    found = await spread(
        members, lambda member: _standing(member, stages), at_once=at_once(member.repository for member in members)
    )
    before: Standing | None = None
    for at, here in enumerate(found):
        found[at] = await _compared(here, before, champion, ledger, keyring)
        before = here
    return found


async def _compared(
    here: Standing, before: Standing | None, champion: Tag, ledger: Ledger, keyring: Keyring
) -> Standing:
    """Compare a member with the one before it."""
    own = here.stages.get(champion)
    if here.problem:
        return replace(here, stale=None, state="can't be read")
    has = f"has a {champion}" if own is not None else f"no {champion}"
    if before is None:
        return replace(here, state=has)
    name = before.member.name
    if before.problem:
        return replace(here, stale=None, state=f"{has}; {name} can't be read")
    theirs = before.stages.get(champion)
    if theirs is None:
        return replace(here, state=f"{has}; {name} has none")
    if theirs == own:
        return replace(here, state=f"as {name}")
    if own is None:
        return replace(here, stale=True, state=f"no {champion}; {name} has one")
    try:
        trusted = keyring.for_repository(plain_name(before.member.repository))
        history = await merged_history(before.member.repository, ledger, trusted, (champion,))
        behind = versions_behind(history, champion, own)
    except KittuiError:
        behind = None
    state = f"another {champion} than {name}" if behind is None else f"{behind} behind {name}"
    return replace(here, stale=True, behind=behind, state=state)


async def _standing(member: Member, stages: Collection[Tag]) -> Standing:
    try:
        digests = await spread(
            list(stages), partial(digest_at, member.repository), at_once=member.repository.source.traits.at_once
        )
    except KittuiError as error:
        return Standing(member, problem=error.message)
    return Standing(member, {tag: at for tag, at in zip(stages, digests, strict=True) if at is not None})


def versions_behind(history: MergedHistory, tag: str, digest: Digest | None) -> int | None:
    """How many versions a tag has held after this one; None if it is not known to have held it."""
    certain = [event for event in history.events if event.tag == tag and (counts(event) or event.source == "none")]
    held = [event.after for event in certain] + [event.before for event in certain[-1:]]
    versions = list(dict.fromkeys(held))
    return versions.index(digest) if digest in versions else None


@dataclass(frozen=True, slots=True)
class Passed:
    """The result of passing a ModelKit on to one member: `done` if its tags moved (or were there already)."""

    member: Member
    done: Changed | None = None
    carried: int = 0
    notes: tuple[str, ...] = ()
    error: KittuiError | None = None

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        error = self.error
        return {
            "name": self.member.name,
            "repository": self.member.repository.reference(),
            "changes": [change.to_json() for change in self.done.changes] if self.done else [],
            "carried": self.carried,
            "notes": list(self.notes),
            "error": {"code": error.code, "message": error.message, "hint": error.hint} if error else None,
        }


async def promote_across(
    origin: Member,
    target: Member,
    ledger: Ledger,
    policy: Policy,
    stages: LifecycleTags,
    answers: Answers = NOBODY,
    progress: Progress | None = None,
) -> Passed:
    """Make the origin's champion that of a later member.

    It is copied as the member's challenger, with all attachments, and promoted there under the member's own gates.
    Never raises: errors are in the result, and another run continues where it stopped.
    """
    destination = target.repository
    count = 0
    notes: tuple[str, ...] = ()
    try:
        policy.check_write(destination.reference())
        digest = (await origin.repository.resolve(stages.champion)).digest
        move = await plan_move("copy", origin.repository, digest, destination)
        moved = await apply_move(replace(move, referrers=True), ledger, policy, progress=progress)
        count, notes = moved.carried, moved.left
        move = await plan_move("copy", origin.repository, digest, destination, stages.challenger)
        await apply_move(move, ledger, policy, answers, progress)
        plan = await plan_promote(destination, stages=stages, shown=False)
        done = await apply_changes(plan, ledger, policy, answers)
    except KittuiError as error:
        return Passed(target, None, count, notes, error)
    return Passed(target, done, count, notes)

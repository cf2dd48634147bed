"""The record of moves in the registry: written once for each move, signed, and there after any crash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kittui.crashpoints import crashing
from kittui.errors import CredentialError, Denied, KittuiError, RegistryError, TagMoved, Unreachable
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.digest import Digest
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.state.journal import Journal
from kittui.state.outbox import Outbox
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.moves import MOVE, Move, read_move
from kittui.trust.signing import public_key
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers, Changed
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote, plan_rollback
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from kittui.usecases.trust.recorder import Recorder
from kittui.usecases.trust.signer import KeySigner, Signer
from kittui.usecases.trust.verify import Signature, verify
from tests.fakes.memory import MemoryRepository, MemorySource

KEY = ec.generate_private_key(ec.SECP256R1())
STAGES = frozenset({"challenger", "champion", "rollback", "retired"})
POINTS = (
    "outbox",
    "journal",
    "history.before-fsync",
    "tags.before-put",
    "tags.after-put",
    "attach.before-manifest",
    "outbox.sent",
)


class Killed(BaseException):
    """The process dies here."""


class World:
    """A repository in memory and a machine that promotes in it."""

    def __init__(self, folder: Path, signer: Signer | None) -> None:
        self.repository: MemoryRepository = MemorySource().repository("fraud")
        self.old = self.repository.add_kit("fraud", "rollback", version="0").digest
        self.champion = self.repository.add_kit("fraud", "champion", version="1").digest
        self.challenger = self.repository.add_kit("fraud", "challenger", version="2").digest
        self.folder = folder
        self.signer = signer
        self.told: list[str] = []

    def ledger(self) -> Ledger:
        async def signer() -> Signer | None:
            return self.signer

        recorder = Recorder(Outbox(self.folder), Journal(self.folder), STAGES, signer, self.told.append)
        return Ledger.open(self.folder, "ann@host", recorder)

    async def promote(self, reason: str = "better") -> Changed:
        plan = await plan_promote(self.repository, stages=LifecycleTags())
        return await apply_changes(plan, self.ledger(), Policy(), Answers(reason))

    async def records(self) -> list[tuple[Move, Signature]]:
        keyring = Keyring((TrustedKey("ann", public_key(KEY)),))
        found = []
        for digest in (self.old, self.champion, self.challenger):
            for one in (await verify(self.repository, digest, keyring)).signatures:
                assert one.predicate_type == MOVE
                assert one.verdict.statement is not None
                move = read_move(one.verdict.statement.predicate)
                assert move is not None
                assert move.subject == digest
                found.append((move, one))
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, KeySigner(KEY))


def told(records: list[tuple[Move, Signature]]) -> list[tuple[str, str, Digest | None, Digest | None, str]]:
    return sorted((move.action, move.tag, move.before, move.after, one.status) for move, one in records)


async def test_a_promotion_is_recorded_on_both_digests(world: World) -> None:
    await world.promote()
    records = await world.records()
    assert told(records) == [
        ("promote", "champion", world.champion, world.challenger, "verified"),
        ("promote", "rollback", world.old, world.champion, "verified"),
    ]
    assert {(move.actor, move.repository, move.reason) for move, _ in records} == {
        ("ann@host", "registry.test/fraud", "better")
    }
    events = world.ledger().history.events()
    assert {move.id for move, _ in records} == {event.id for event in events}
    assert world.told == []
    assert Outbox(world.folder).records() == []


async def test_records_are_of_the_published_form(world: World) -> None:
    # Importing it takes seconds, which every worker would pay that collects this file.
    import jsonschema

    schema = json.loads((Path(__file__).parents[2] / "docs" / "record.schema.json").read_text())
    await world.promote()
    found = [one.verdict.statement for _, one in await world.records()]
    assert len(found) == 2
    for statement in found:
        assert statement is not None
        jsonschema.validate(statement.predicate, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**statement.predicate, "after": "v1"}, schema)


async def test_rolling_back_and_undoing_are_recorded_too(world: World) -> None:
    await world.promote()
    plan = await plan_rollback(world.repository)
    await apply_changes(plan, world.ledger(), Policy(), Answers("broken"))
    undo = await plan_undo(world.repository, world.ledger())
    await apply_undo(undo, world.ledger(), Policy())
    found = [(move.action, move.tag, move.before, move.after) for move, _ in await world.records()]
    assert ("rollback", "champion", world.challenger, world.champion) in found
    assert ("undo", "champion", world.champion, world.challenger) in found
    assert len(found) == 4


async def test_without_a_key_the_record_is_unsigned(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    await world.promote()
    assert {one.status for _, one in await world.records()} == {"unsigned"}


async def test_other_tags_are_not_recorded(world: World) -> None:
    plan = await plan_promote(
        world.repository, Tag("challenger"), Tag("v9"), stages=LifecycleTags(rollback=Tag("former"))
    )
    await apply_changes(plan, world.ledger(), Policy())
    assert await world.records() == []


async def test_nothing_moves_where_the_key_does_not_sign(world: World) -> None:
    class Broken:
        key = public_key(KEY)

        async def sign(self, message: bytes) -> bytes:
            raise CredentialError("no token")

    world.signer = Broken()
    with pytest.raises(CredentialError):
        await world.promote()
    assert world.repository.tagged["champion"] == world.champion
    world.signer = KeySigner(KEY)
    await world.promote()
    assert len(await world.records()) == 2
    assert Outbox(world.folder).records() == []


async def test_what_did_not_happen_is_not_recorded(world: World) -> None:
    plan = await plan_promote(world.repository)

    def intrude(repository: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "rollback"):
            repository.tagged["champion"] = world.old

    world.repository.source.after_put.append(intrude)
    with pytest.raises(TagMoved):
        await apply_changes(plan, world.ledger(), Policy())
    world.repository.source.after_put.clear()
    world.repository.tagged["champion"] = world.challenger
    await world.promote()
    assert told(await world.records()) == [("promote", "rollback", world.old, world.champion, "verified")]
    assert Outbox(world.folder).records() == []


def failing(error: Callable[[], KittuiError]) -> Callable[[MemoryRepository, str, str], None]:
    def fail(_: MemoryRepository, verb: str, what: str) -> None:
        if verb == "PUT" and ":" in what:
            raise error()

    return fail


@pytest.mark.parametrize(
    "error",
    [lambda: Unreachable("down"), lambda: RegistryError("sick", status=503), lambda: Denied("no push today")],
    ids=["unreachable", "503", "denied"],
)
async def test_what_the_registry_may_take_later_is_sent_with_the_next_change(
    world: World, error: Callable[[], KittuiError]
) -> None:
    world.repository.source.hooks.append(failing(error))
    await world.promote()
    assert world.repository.tagged["champion"] == world.challenger
    assert await world.records() == []
    assert len(world.told) == 1
    assert world.told[0].startswith("the move will be recorded in the registry with the next change here: ")
    world.repository.source.hooks.clear()
    await world.promote()
    assert len(await world.records()) == 2


async def test_a_registry_that_takes_no_records_keeps_the_history_here(world: World) -> None:
    world.repository.source.hooks.append(failing(lambda: RegistryError("MANIFEST_INVALID", status=400)))
    await world.promote()
    assert [text.split(":")[0] for text in world.told] == [
        "the registry keeps no record of the move, this machine does"
    ]
    assert Outbox(world.folder).records() == []
    assert len(world.ledger().history.events()) == 2


async def test_a_source_that_keeps_none_is_not_asked(world: World) -> None:
    world.repository.source.powers["attach"] = Power("no", "it keeps none")
    await world.promote()
    assert await world.records() == []
    assert world.told == []


def crashes() -> Iterator[tuple[str, int]]:
    for point in POINTS:
        for number in range(1, 13 if point == "journal" else 5):
            yield point, number


@pytest.mark.parametrize(("point", "number"), crashes())
async def test_killed_anywhere_a_rerun_ends_the_same_with_one_record_for_each_move(
    world: World, point: str, number: int
) -> None:
    reached = 0

    def die() -> None:
        nonlocal reached
        reached += 1
        if reached == number:
            raise Killed

    with crashing(point, die), suppress(Killed, BaseExceptionGroup):
        await world.promote()
    assert world.repository.tagged["champion"] in (world.champion, world.challenger)
    await world.promote()
    assert world.repository.tagged["champion"] == world.challenger
    assert world.repository.tagged["rollback"] == world.champion
    assert told(await world.records()) == [
        ("promote", "champion", world.champion, world.challenger, "verified"),
        ("promote", "rollback", world.old, world.champion, "verified"),
    ]
    assert Outbox(world.folder).records() == []


def test_what_is_no_record_on_disk_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.mkdir()
    documents: list[Any] = [
        [],
        {"id": 1},
        {"id": "a", "repository": "r", "manifest": "m", "content": "c", "state": "x"},
    ]
    for number, document in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(document))
    (folder / "torn.json").write_text('{"id":')
    assert Outbox(tmp_path).records() == []


async def test_two_who_promote_at_once_are_both_recorded(tmp_path: Path) -> None:
    world = World(tmp_path / "a", KeySigner(KEY))
    other = World(tmp_path / "b", KeySigner(KEY))
    other.repository = world.repository

    async def attempt(one: World) -> None:
        try:
            await one.promote()
        except TagMoved:
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(attempt(world))
        group.create_task(attempt(other))
    assert world.repository.tagged["champion"] == world.challenger
    moves = [move for move, _ in await world.records()]
    assert [move.after for move in moves if move.tag == "champion"].count(world.challenger) >= 1
    assert len({move.id for move in moves}) == len(moves)

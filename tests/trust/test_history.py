"""The history put together: from any machine, with what happened outside kittui, and without what is forged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kittui.errors import Unreachable
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.state.journal import Journal
from kittui.state.outbox import Outbox
from kittui.trust.bundles import write_referrer
from kittui.trust.documents import write_time
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.moves import MOVE, Move, write_move
from kittui.trust.signing import public_key
from kittui.trust.statements import write_statement
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote, plan_rollback
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.trust import chain
from kittui.usecases.trust.chain import TagEvent
from kittui.usecases.trust.held import held_at
from kittui.usecases.trust.history import MergedHistory, merged_history
from kittui.usecases.trust.prune import old_records, prune
from kittui.usecases.trust.recorder import Recorder
from kittui.usecases.trust.sign import attach, attest, sealed
from kittui.usecases.trust.signer import KeySigner, Signer
from tests.fakes.memory import MemoryRepository, MemorySource

OPS, MALLORY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
KEYRING = Keyring((TrustedKey("ops", public_key(OPS)),))
TAGS = (Tag("champion"), Tag("rollback"))


class World:
    """A repository that machines with folders of their own move tags in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository: MemoryRepository = MemorySource().repository("fraud")
        self.kits = [self.repository.add_kit("fraud", f"v{number}", version=str(number)).digest for number in range(5)]
        self.repository.tagged["champion"] = self.kits[0]

    def ledger(self, machine: str, key: ec.EllipticCurvePrivateKey | None = OPS) -> Ledger:
        async def signer() -> Signer | None:
            return KeySigner(key) if key is not None else None

        folder = self.folder / machine
        recorder = Recorder(Outbox(folder), Journal(folder), set(TAGS), signer, lambda _: None)
        return Ledger.open(folder, f"{machine}@host", recorder)

    async def promote(self, number: int, machine: str, key: ec.EllipticCurvePrivateKey | None = OPS) -> None:
        self.repository.tagged["challenger"] = self.kits[number]
        await apply_changes(await plan_promote(self.repository), self.ledger(machine, key), Policy(), Answers("why"))

    async def history(self, machine: str = "looker", keyring: Keyring = KEYRING) -> MergedHistory:
        return await merged_history(self.repository, Ledger.open(self.folder / machine), keyring, TAGS)

    async def champion(self, machine: str = "looker", keyring: Keyring = KEYRING) -> list[TagEvent]:
        return [event for event in (await self.history(machine, keyring)).events if event.tag == "champion"]

    def move(self, before: int | None, after: int, **changes: Any) -> Move:
        ends = {"before": None if before is None else self.kits[before], "after": self.kits[after]}
        fields = {"actor": "eve@host", "action": "promote", "repository": "registry.test/fraud", "tag": "champion"}
        return Move(**{"id": f"forged-{after}", "time": datetime.now(UTC), **fields, **ends, **changes})

    async def write(self, move: Move, on: int, key: ec.EllipticCurvePrivateKey | None) -> None:
        await self.state(write_move(move), on, key)

    async def state(self, predicate: Mapping[str, Any], on: int, key: ec.EllipticCurvePrivateKey | None) -> None:
        if key is not None:
            await attest(self.repository, self.kits[on], KeySigner(key), MOVE, predicate)
            return
        manifest = await self.repository.manifest(self.kits[on])
        content = await sealed(write_statement(manifest.digest, "x", MOVE, predicate), None)
        await attach(self.repository, write_referrer(manifest.descriptor, content, MOVE, ""), content)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ends(world: World, events: list[TagEvent]) -> list[tuple[int | None, int | None]]:
    def number(digest: str | None) -> int | None:
        return None if digest is None else world.kits.index(Digest(digest))

    return [(number(event.before), number(event.after)) for event in events]


async def test_every_machine_sees_what_all_did(world: World) -> None:
    await world.promote(1, "ann")
    await world.promote(2, "ben")
    await apply_changes(await plan_rollback(world.repository), world.ledger("carl"), Policy())
    for machine, sources in (("looker", ["registry"] * 3), ("ben", ["registry", "both", "registry"])):
        events = await world.champion(machine)
        assert ends(world, events) == [(2, 1), (1, 2), (0, 1)]
        assert [event.actor for event in events] == ["carl@host", "ben@host", "ann@host"]
        assert [event.source for event in events] == sources
        assert {(event.proof, event.signer, event.counted) for event in events} == {("verified", "ops", True)}


async def test_moves_without_a_record_were_made_outside(world: World) -> None:
    await world.promote(1, "ann")
    world.repository.tagged["champion"] = world.kits[3]
    (outside, recorded) = await world.champion()
    assert (outside.source, outside.action) == ("none", "moved outside kittui")
    assert ends(world, [outside, recorded]) == [(1, 3), (0, 1)]
    assert outside.since == recorded.time
    await world.promote(2, "ann")
    assert ends(world, await world.champion()) == [(3, 2), (1, 3), (0, 1)]


async def test_unsigned_records_are_shown_and_prove_nothing(world: World) -> None:
    await world.promote(1, "ann", None)
    await world.promote(2, "ann", None)
    events = await world.champion(keyring=Keyring())
    assert ends(world, events) == [(1, 2), (0, 1)]
    assert {(event.proof, event.counted) for event in events} == {("unsigned", True)}
    history = await world.history(keyring=Keyring())
    held = held_at(history, "champion", datetime.now(UTC) + timedelta(seconds=1))
    assert (held.digest, held.certainty) == (world.kits[2], "recorded")
    assert {event.counted for event in await world.champion()} == {False}


async def test_an_unsigned_record_does_not_hide_a_move_outside(world: World) -> None:
    await world.promote(1, "ann")
    world.repository.tagged["champion"] = world.kits[3]
    await world.write(world.move(1, 3, actor="ann@host"), 3, None)
    told = [(event.action, event.proof, event.counted) for event in await world.champion()]
    assert sorted(told) == [
        ("moved outside kittui", "", True),
        ("promote", "unsigned", False),
        ("promote", "verified", True),
    ]


async def test_a_forged_record_changes_nothing(world: World) -> None:
    await world.promote(1, "ann")
    true = await world.champion()
    await world.write(world.move(0, 3), 3, MALLORY)
    await world.write(world.move(3, 1), 1, MALLORY)
    await world.write(world.move(0, 1, id="unsigned"), 1, None)
    forged = [event for event in await world.champion() if event not in true]
    assert {event.proof for event in forged} == {"unknown key", "unsigned"}
    assert {event.counted for event in forged} == {False}
    assert [event for event in await world.champion() if event.counted] == true
    held = held_at(await world.history(), "champion", datetime.now(UTC) + timedelta(seconds=1))
    assert (held.digest, held.certainty) == (world.kits[1], "certain")


async def test_the_id_of_a_true_record_can_not_be_taken(world: World) -> None:
    await world.promote(1, "ann")
    (true,) = await world.champion()
    await world.write(world.move(0, 1, id=true.id, actor="eve@host"), 1, MALLORY)
    for machine in ("looker", "ann"):
        history = await world.history(machine)
        (found,) = [event for event in history.events if event.tag == "champion"]
        assert (found.actor, found.proof) == ("ann@host", "verified")
        assert any("contradict" in note for note in history.notes)


@pytest.mark.parametrize(
    "change",
    [
        {"repository": "registry.test/other"},
        {"after": "other"},
        {"time": "yesterday"},
        {"actor": ["x"]},
        {"before": {"deep": 1}},
        {"after": None, "before": None},
        {"tag": ""},
    ],
    ids=str,
)
async def test_foreign_and_strange_records_are_left_out(world: World, change: dict[str, Any]) -> None:
    await world.promote(1, "ann")
    predicate = {**write_move(world.move(0, 1)), **change}
    if change.get("after") == "other":
        predicate["after"] = world.kits[3]
    await world.state(predicate, 1, OPS)
    history = await world.history()
    assert ends(world, [event for event in history.events if event.tag == "champion"]) == [(0, 1)]
    assert any("left out" in note for note in history.notes)


async def test_a_record_from_the_future_is_named_and_does_not_count(world: World) -> None:
    await world.promote(1, "ann")
    await world.write(world.move(1, 2, time=datetime.now(UTC) + timedelta(days=2)), 1, OPS)
    await world.write(world.move(0, 1, time=datetime.now(UTC) + timedelta(days=2)), 1, OPS)
    events = await world.champion()
    assert [(event.proof, event.counted) for event in events] == [("dated in the future", False), ("verified", True)]


async def test_control_characters_are_kept_for_the_terminal_to_clean(world: World) -> None:
    await world.promote(1, "ann")
    await world.write(world.move(0, 1, reason="\x1b[31mred\x07", actor="\u202eeve"), 1, None)
    assert any("\x1b" in event.reason for event in await world.champion())


async def test_without_the_registry_this_machine_tells_what_it_did(world: World) -> None:
    await world.promote(1, "ann")

    def fail(_: MemoryRepository, verb: str, what: str) -> None:
        raise Unreachable("down")

    world.repository.source.hooks.append(fail)
    history = await world.history("ann")
    assert [event.source for event in history.events] == ["local", "local"]
    assert history.notes == ("the records in the registry could not be read: down",)
    assert (await world.history("looker")).events == ()


async def test_clocks_that_differ_make_no_gaps(world: World) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    await world.write(world.move(0, 1, id="a", time=now), 1, OPS)
    await world.write(world.move(1, 2, id="b", time=now - timedelta(seconds=30)), 2, OPS)
    world.repository.tagged["champion"] = world.kits[2]
    assert {event.source for event in await world.champion()} == {"registry"}


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("apart", [0, 2, -2])
async def test_moves_that_crossed_are_named_and_the_one_that_stayed_is_the_last(
    world: World, last: int, apart: int
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=2)
    for number, who in ((1, "ann"), (2, "ben")):
        when = start + timedelta(seconds=apart if number == 2 else 0)
        await world.write(world.move(0, number, id=f"id-{number}", actor=who, time=when), number, OPS)
    world.repository.tagged["champion"] = world.kits[last]
    history = await world.history()
    events = [event for event in history.events if event.tag == "champion"]
    assert ends(world, events) == [(0, last), (0, 3 - last)]
    assert all(event.counted for event in events)
    (note,) = history.notes
    names = [str(world.kits[number]).partition(":")[2][:12] for number in (0, 3 - last, last)]
    assert f"both moved it from {names[0]}, to {names[1]} and to {names[2]}" in note
    held = held_at(history, "champion", datetime.now(UTC))
    assert (held.digest, held.certainty) == (world.kits[last], "certain")


async def test_moves_from_one_digest_long_after_each_other_did_not_cross(world: World) -> None:
    for number, minutes in ((1, 20), (2, 2)):
        when = datetime.now(UTC) - timedelta(minutes=minutes)
        await world.write(world.move(0, number, id=f"id-{number}", time=when), number, OPS)
    world.repository.tagged["champion"] = world.kits[2]
    history = await world.history()
    assert ends(world, list(history.events)) == [(0, 2), (1, 0), (0, 1)]
    assert [event.source for event in history.events] == ["registry", "none", "registry"]
    assert history.notes == ()


async def test_champion_on_a_date(world: World) -> None:
    day = datetime(2026, 9, 1, tzinfo=UTC)
    await world.write(world.move(0, 1, id="a", time=day), 1, OPS)
    await world.write(world.move(2, 3, id="b", time=day + timedelta(days=10)), 3, OPS)
    world.repository.tagged["champion"] = world.kits[3]
    history = await world.history()

    def at(days: float) -> tuple[int, str]:
        held = held_at(history, "champion", day + timedelta(days=days))
        assert held.digest is not None
        return world.kits.index(Digest(held.digest)), held.certainty

    assert at(-1) == (0, "recorded")
    assert at(5) == (1, "uncertain")
    assert at(20) == (3, "certain")
    assert held_at(history, "retired", day).certainty == "unknown"


async def test_ten_thousand_events_are_put_together_quickly(world: World) -> None:
    ledger = Ledger.open(world.folder / "busy")
    reference = world.repository.reference()
    lines = [
        f'{{"id": "{n}", "time": "2026-01-01T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z", "actor": "a", '
        f'"action": "promote", "repository": "{reference}", "tag": "champion", '
        f'"before": "{world.kits[n % 2]}", "after": "{world.kits[(n + 1) % 2]}", "reason": ""}}'
        for n in range(10_000)
    ]
    ledger.history.path.parent.mkdir(parents=True)
    ledger.history.path.write_text("\n".join(lines) + "\n")
    history = await merged_history(world.repository, ledger, KEYRING, (Tag("champion"),))
    assert len(history.events) == 10_000
    assert {event.source for event in history.events} == {"local"}


@pytest.mark.parametrize("bridged", [False, True])
def test_forged_moves_of_one_minute_are_looked_at_a_few_times_each(
    monkeypatch: pytest.MonkeyPatch, bridged: bool
) -> None:
    looks = 0
    apart = chain._apart

    def counting(one: str, other: str) -> timedelta:
        nonlocal looks
        looks += 1
        return apart(one, other)

    monkeypatch.setattr(chain, "_apart", counting)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    true = TagEvent(write_time(start), "ann", "promote", "champion", "a", "b")
    forged = [
        TagEvent(
            write_time(start + timedelta(seconds=n % 60)), "eve", "promote", "champion", f"x{n}", f"y{n}", id=f"{n:04}",
            source="registry", proof="unknown key",
        )
        for n in range(1000)
    ]  # fmt: skip
    now = write_time(start + timedelta(hours=1))
    events, notes = chain.chained([true, *forged], "champion", (now, "b"), bridged=bridged)
    assert (events[0], notes) == (true, [])
    assert sorted(event.id for event in events[1:]) == [event.id for event in forged]
    assert not any(event.counted for event in events[1:])
    assert looks <= 2 * len(forged)


async def test_records_that_prove_nothing_do_not_push_out_those_that_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.usecases.trust.history.DIGESTS_LIMIT", 20)
    for number in range(1, 5):
        await world.promote(number, "one")
    del world.repository.tagged["challenger"]
    for tag in [tag for tag in world.repository.tagged if tag.startswith("v")]:
        del world.repository.tagged[tag]
    true = await world.champion()
    for number in range(30):
        fake = Digest.of(b"%d" % number)
        move = replace(world.move(None, 4, id=f"f{number}"), before=fake)
        await world.write(move, 4, MALLORY if number % 2 else None)
    found = await world.champion()
    assert [event for event in found if event.counted] == true
    assert len(true) == 4


async def test_pruning_keeps_the_newest_records_of_each_tag(world: World) -> None:
    for number in (1, 2, 3):
        await world.promote(number, "one")
    before = await world.history()
    held = {tag: held_at(before, tag, datetime.now(UTC) + timedelta(minutes=1)).digest for tag in TAGS}
    newest = {tag: next(event for event in before.events if event.tag == tag) for tag in TAGS}
    old = old_records(before, 1)
    assert sorted((event.tag, event.after) for event in old) == sorted(
        (event.tag, event.after) for event in before.events if event.record and event is not newest[Tag(event.tag)]
    )
    assert await prune(world.repository, old)
    after = await world.history()
    assert {event.record for event in after.events if event.record} == {event.record for event in newest.values()}
    assert {tag: held_at(after, tag, datetime.now(UTC) + timedelta(minutes=1)).digest for tag in TAGS} == held
    assert old_records(after, 1) == []


async def test_pruning_leaves_forged_records_alone_and_they_push_none_out(world: World) -> None:
    await world.promote(1, "one")
    await world.promote(2, "two", MALLORY)
    history = await world.history()
    assert old_records(history, 1) == []

"""Trust in the interface: words for signatures, the history of all machines, and the time line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.errors import NetworkError
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.trust.documents import parse_time
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.keys import key_name
from kittui.trust.moves import MOVE, Move, write_move
from kittui.trust.signing import public_key
from kittui.tui.app import KittuiApp
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.usecases.trust.history import MergedHistory
from kittui.usecases.trust.sign import attest, sign
from kittui.usecases.trust.signer import KeySigner
from tests.change.kits import Kits, on, ready, said
from tests.tui.waiting import LARGE, SMALL, browse, quiet, text_of, until

OPS, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
SIZES = pytest.mark.parametrize("size", [SMALL, (120, 35), LARGE], ids=str)


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    made = Kits(tmp_path)
    made.world.keyring = Keyring((TrustedKey("ops", public_key(OPS)),))
    return made


async def record(kits: Kits, time: str, before: Digest | None, after: Digest, key: ec.EllipticCurvePrivateKey) -> None:
    """A promotion that another machine made."""
    moment = parse_time(time)
    assert moment is not None
    move = Move(f"id-{time}", moment, "dana@far", "promote", "registry.test/fraud", "champion", before, after, "QA yes")
    await attest(kits.fraud, after, KeySigner(key), MOVE, write_move(move))


def held(pilot: Pilot[Any]) -> str:
    """The line that says what champion pointed to."""
    return next((line for line in text_of(pilot).splitlines() if line[3:].startswith("champion ")), "")


@SIZES
async def test_h_shows_this_machine_and_the_records_of_others(kits: Kits, size: tuple[int, int]) -> None:
    nine, one, two = (Digest.parse(kits.fraud.tagged[tag]) for tag in ("v0.9.0", "v1.0.0", "v1.1.0"))
    reference = kits.fraud.reference()
    kits.ledger.history.append(
        Event("mine", "2026-03-01T10:00:00Z", "ada@here", "tag", reference, "champion", None, nine, "first")
    )
    await record(kits, "2026-05-01T10:00:00Z", nine, one, OPS)
    kits.fraud.tagged["champion"] = two
    async with kits.app().run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("H")
        await until(pilot, on(pilot, HistoryScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.history.events) == 3)
        assert [(event.action, event.source) for event in screen.history.events] == [
            ("moved outside kittui", "none"),
            ("promote", "registry"),
            ("tag", "local"),
        ]
        await until(pilot, lambda: "moved outside kittui" in text_of(pilot))
        shown = text_of(pilot)
        assert "no record" in shown
        await pilot.press("j")
        await until(pilot, lambda: "dana@far" in text_of(pilot))
        assert "valid (ops)" in text_of(pilot)
        assert "QA yes" in text_of(pilot)
        assert one.short in held(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "ada@here" in text_of(pilot) and nine.short in held(pilot))
        await pilot.press("t")
        await pilot.press(*"2026-06-01", "enter")
        await until(pilot, lambda: "at 2026-06-01T00:00:00Z:" in text_of(pilot))
        assert one.short in held(pilot)
        assert "? champion" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def walked(kits: Kits) -> tuple[Digest, Digest, Digest]:
    """A past: nine, then one, then two were champion, which is two now."""
    nine, one, two = (Digest.parse(kits.fraud.tagged[tag]) for tag in ("v0.9.0", "v1.0.0", "v1.1.0"))
    reference = kits.fraud.reference()
    past = [("2026-03-01", None, nine), ("2026-04-01", nine, one), ("2026-05-01", one, two)]
    for number, (day, before, after) in enumerate(past):
        kits.ledger.history.append(
            Event(f"mine-{number}", f"{day}T10:00:00Z", "ada@here", "tag", reference, "champion", before, after, day)
        )
    kits.fraud.tagged["champion"] = two
    return nine, one, two


async def opened(pilot: Pilot[Any]) -> Any:
    """Press H, and wait until all of the history is there."""
    await ready(pilot)
    await pilot.press("H")
    await until(pilot, on(pilot, HistoryScreen))
    screen: Any = pilot.app.screen
    await until(pilot, lambda: len(screen.history.events) >= 3 and "newest first" in text_of(pilot))
    return screen


@pytest.mark.parametrize(
    ("keys", "sides"),
    [
        (("d",), ("one", "two")),
        (("j", "d"), ("nine", "one")),
        (("j", "j", "space", "k", "k", "d"), ("nine", "two")),
        (("j", "j", "D"), ("nine", "two")),
        (("j", "space", "space", "d"), ("nine", "one")),
    ],
)
async def test_moves_are_compared_with_each_other_and_with_now(
    kits: Kits, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], sides: tuple[str, str]
) -> None:
    digests = dict(zip(("nine", "one", "two"), await walked(kits), strict=True))
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(KittuiApp, "open_comparison", lambda _, a, b: compared.append((a.target, b.target)))
    async with kits.app().run_test(size=LARGE) as pilot:
        await opened(pilot)
        await pilot.press(*keys)
        await until(pilot, lambda: compared)
        assert compared == [(digests[sides[0]], digests[sides[1]])]


async def test_what_is_the_same_now_is_not_compared(kits: Kits) -> None:
    await walked(kits)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("D")
        await until(pilot, lambda: "Both point to the same digest." in text_of(pilot))


@SIZES
async def test_a_tag_is_restored_to_an_entry_by_the_ordinary_plan_and_undone(kits: Kits, size: tuple[int, int]) -> None:
    nine, _, two = await walked(kits)
    async with kits.app().run_test(size=size, notifications=True) as pilot:
        screen = await opened(pilot)
        await pilot.press("j", "j", "R")
        await until(pilot, on(pilot, PlanDialog))
        assert "Restore champion" in text_of(pilot)
        assert f"{two.short}" in text_of(pilot)
        assert nine.short in text_of(pilot)
        await pilot.press("escape")
        assert kits.fraud.tagged["champion"] == two
        await pilot.press("R")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press(*"back", "enter", "k", "enter")
        await until(pilot, lambda: kits.fraud.tagged["champion"] == nine)
        await until(pilot, lambda: len(screen.history.events) == 4)
        newest = screen.history.events[0]
        assert (newest.tag, newest.before, newest.after, newest.reason) == ("champion", two, nine, "back")
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.fraud.tagged["champion"] == two)


async def test_to_restore_from_the_history_leaves_the_marks_of_the_panes(kits: Kits) -> None:
    nine, _, _ = await walked(kits)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("space")
        marks = browse(pilot).marks
        assert marks
        screen = await opened(pilot)
        await pilot.press("j", "j", "R")
        await until(pilot, on(pilot, PlanDialog))
        assert "Restore" in [choice.label for choice in pilot.app.screen._choices]
        await pilot.press("enter", "k", "enter")
        await until(pilot, lambda: kits.fraud.tagged["champion"] == nine and len(screen.history.events) == 4)
        await quiet(pilot)
        assert browse(pilot).marks == marks


async def test_old_records_are_pruned_after_a_plan(kits: Kits) -> None:
    nine, one, two = (Digest.parse(kits.fraud.tagged[tag]) for tag in ("v0.9.0", "v1.0.0", "v1.1.0"))
    for day, left, got in (("2026-03-01", None, nine), ("2026-04-01", nine, one), ("2026-05-01", one, two)):
        await record(kits, f"{day}T10:00:00Z", left, got, OPS)
    kits.fraud.tagged["champion"] = two
    before = set(kits.fraud.manifests)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("X")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"0", "enter")
        assert "Write a number from 1." in text_of(pilot)
        await pilot.press("backspace", *"2", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        assert "2026-03-01  promote champion" in text_of(pilot)
        await pilot.press("escape")
        assert set(kits.fraud.manifests) == before
        await pilot.press("X")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"2", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("k", "enter")
        await until(pilot, lambda: "1 record deleted." in text_of(pilot))
        assert len(before - set(kits.fraud.manifests)) == 1


async def test_what_was_not_read_is_not_said_not_to_be_there(kits: Kits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Esc in the midst of reading leaves what is known, which is not all."""
    await walked(kits)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await ready(pilot)
        program = browse(pilot).program
        read = program.ports.trust.history

        async def half(*arguments: Any) -> AsyncIterator[MergedHistory]:
            async for found in read(*arguments):
                yield found
                await asyncio.Event().wait()

        program.ports = replace(program.ports, trust=replace(program.ports.trust, history=half))
        await pilot.press("H")
        await until(pilot, lambda: "reading the registry's records" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped; the list is incomplete." in text_of(pilot))
        assert "The registry's records were not all read." in text_of(pilot)
        await pilot.press("X")
        await until(pilot, lambda: "Prune after they are." in said(pilot))
        assert isinstance(pilot.app.screen, HistoryScreen)


async def test_a_mark_stays_with_its_move_when_the_history_is_read_again(
    kits: Kits, monkeypatch: pytest.MonkeyPatch
) -> None:
    nine, one, two = await walked(kits)
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(KittuiApp, "open_comparison", lambda _, a, b: compared.append((a.target, b.target)))
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        screen = await opened(pilot)
        await pilot.press("j", "j", "space")
        screen._read()
        await quiet(pilot)
        await pilot.press("k", "k", "d", "j", "j", "d")
        await until(pilot, lambda: compared == [(nine, two)])
        assert "The tag did not exist before or after this move, so there is nothing to compare." in said(pilot)
        await pilot.press("space")
        assert (screen._marked, screen._rows.marked) == (None, set())
        await pilot.press("k", "space")
        assert [key[0] for key in screen._rows.marked] == ["mine-1"]
        monkeypatch.setattr(kits.ledger.history, "events", lambda *_, **__: [], raising=True)
        screen._read()
        await until(pilot, lambda: all(event.id != "mine-1" for event in screen.history.events))
        await quiet(pilot)
        assert (screen._marked, screen._rows.marked) == (None, set())
    assert one != two


async def test_a_pruning_that_fails_shows_what_is_left(kits: Kits) -> None:
    nine, one, two = (Digest.parse(kits.fraud.tagged[tag]) for tag in ("v0.9.0", "v1.0.0", "v1.1.0"))
    for day, left, got in (("2026-03-01", None, nine), ("2026-04-01", nine, one), ("2026-05-01", one, two)):
        await record(kits, f"{day}T10:00:00Z", left, got, OPS)
    kits.fraud.tagged["champion"] = two
    delete = kits.fraud.delete
    gone: list[Digest] = []

    async def once(digest: Digest) -> None:
        if gone:
            raise NetworkError("the line went dead", hint="Try again.")
        gone.append(digest)
        await delete(digest)

    kits.fraud.delete = once  # type: ignore[method-assign]
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        screen = await opened(pilot)
        before = len(screen.history.events)
        await pilot.press("X")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press("ctrl+u")
        pilot.app.screen.query_one(Input).value = "9" * 5000
        await pilot.press("enter")
        await until(pilot, lambda: "Write a number from 1." in text_of(pilot))
        pilot.app.screen.query_one(Input).value = "1"
        await pilot.press("enter")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("k", "enter")
        await until(pilot, lambda: "the line went dead" in said(pilot))
        await until(pilot, lambda: len(screen.history.events) == before - 1)
    assert len(gone) == 1


async def test_what_is_gone_from_the_registry_is_not_restored(kits: Kits) -> None:
    nine, _, two = await walked(kits)
    del kits.fraud.manifests[nine]
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("j", "j", "R")
        await until(pilot, lambda: any(each.severity == "error" for each in pilot.app._notifications))
        assert kits.fraud.tagged["champion"] == two


async def test_a_record_by_an_unknown_key_is_shown_and_proves_nothing(kits: Kits) -> None:
    nine, one = (Digest.parse(kits.fraud.tagged[tag]) for tag in ("v0.9.0", "v1.0.0"))
    await record(kits, "2026-05-01T10:00:00Z", nine, one, OTHER)
    async with kits.app().run_test(size=(220, 45)) as pilot:
        await ready(pilot)
        await pilot.press("6")
        await until(pilot, lambda: "unknown key" in text_of(pilot))
        await pilot.press("H")
        await until(pilot, lambda: "Unproven, and inconsistent" in text_of(pilot))
        assert "unknown: " in held(pilot)


async def test_the_word_is_in_details_and_tags_once_it_was_asked(kits: Kits) -> None:
    await sign(kits.fraud, Tag("champion"), KeySigner(OPS))
    await sign(kits.fraud, Tag("challenger"), KeySigner(OTHER))
    async with kits.app().run_test(size=(220, 45)) as pilot:
        await ready(pilot)
        tags = browse(pilot).tags_pane

        def words(tag: str) -> set[str]:
            row = next(row for row in tags.body.rows if row.target == Tag(tag))
            return {text for cell in tags._cells(row) for text, _ in cell}

        assert "valid (ops)" in words("champion") & words("v1.0.0")
        assert "not checked" in words("rollback")
        assert "valid (ops)" in text_of(pilot)
        await ready(pilot, "challenger")
        await ready(pilot, "rollback")
        await quiet(pilot)
        assert "unknown key" in words("challenger")
        assert "unsigned" in words("rollback")


async def test_details_say_what_came_of_each_signature(kits: Kits) -> None:
    await sign(kits.fraud, Tag("champion"), KeySigner(OPS))
    await sign(kits.fraud, Tag("champion"), KeySigner(OTHER))
    async with kits.app().run_test(size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("4", "G")
        await quiet(pilot)
        lines = ["".join(span[0] for span in line) for line in browse(pilot).details_pane.page.lines if line]
        at = lines.index("valid (ops)")
        said = sorted(line.partition("  ")[2].partition("  ")[2] for line in lines[at + 1 : at + 3])
        assert said == [
            f"key {key_name(public_key(OTHER))} is not a trusted key",
            f"signed by ops with key {key_name(public_key(OPS))} (ECDSA P-256 with SHA-256)",
        ]

"""Sign, approve, reject and attest by keys: what is asked, what a key file or a signing command may do wrong."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.cli.compose import Composition
from kittui.cli.interface import _listen
from kittui.cli.ports import build_ports
from kittui.compare.review import Review
from kittui.config import Flags
from kittui.demo.stage import Stage, set_up
from kittui.errors import Denied
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.state.reviews import Reviews
from kittui.trust.reviews import DETAILS
from kittui.trust.statements import REVIEW, SIGNED, TEST_RESULT
from kittui.tui.app import KittuiApp
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.usecases.trust import sign as signing
from kittui.usecases.trust.verify import Signature
from tests.change.kits import on, ready, said
from tests.tui.waiting import EARLY, LARGE, SMALL, browse, burst, fill_in, read_first, seen, text_of, until

KEY = ec.generate_private_key(ec.SECP256R1())
FRAUD = "acme/fraud-detector"


class Desk:
    """The program over a copy of the demo's ModelKits, key files, and what was stated so far."""

    def __init__(self, composition: Composition, stage: Stage, app: KittuiApp) -> None:
        self.composition, self.app = composition, app
        self.repository = composition.places.source(stage.place).repository(FRAUD)

    async def stated(self, tag: str = "challenger") -> Sequence[Signature]:
        """What is attached to a tag by now."""
        digest = (await self.repository.resolve(Tag(tag))).digest
        self.composition.evidence.forget()
        return (await self.composition.evidence.statements(self.repository, digest)).signatures


Open = Callable[..., Any]


@pytest.fixture
def desk(tmp_path: Path) -> Open:
    """Opens the program with a configuration, as the command does."""
    trust = f"trust: [{{name: me, key: {tmp_path / 'me.pub'}}}]\n"
    for name, how in (("me", NoEncryption()), ("locked", BestAvailableEncryption(b"sesame"))):
        (tmp_path / f"{name}.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
        (tmp_path / f"{name}.pem").chmod(0o600)
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "me.pub").write_bytes(public)

    @asynccontextmanager
    async def opened(config: str = "", size: tuple[int, int] = LARGE) -> AsyncIterator[tuple[Desk, Pilot[Any]]]:
        stage = await set_up(tmp_path / "demo")
        path = tmp_path / "config.yaml"
        path.write_text(trust + config)
        environ = {**stage.environment({"HOME": str(tmp_path)}), "KITTUI_CONFIG": str(path)}
        async with Composition(Flags(store=str(stage.store)), environ=environ) as composition:
            assert composition.problems == ()
            app = KittuiApp(await build_ports(composition), f"{stage.place}/{FRAUD}")
            _listen(composition, app)
            async with app.run_test(size=size, notifications=True) as pilot:
                await ready(pilot, "challenger")
                yield Desk(composition, stage, app), pilot

    return opened


WAYS = ("sign", "approve", "reject", "attest")


async def choose(pilot: Pilot[Any], way: str) -> None:
    """Press a, and choose what to say."""
    await pilot.press("a")
    await until(pilot, on(pilot, ChoiceDialog))
    await pilot.press(*["down"] * WAYS.index(way), "enter")
    await until(pilot, on(pilot, InputDialog))


async def answer(pilot: Pilot[Any], words: str, text: str) -> None:
    """Type into the dialog that says something."""
    await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog) and words in text_of(pilot))
    await pilot.press("ctrl+u")
    await fill_in(pilot, text)
    await pilot.press("enter")


async def test_sign_approve_reject_and_attest(desk: Open, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    result.write_text(json.dumps({"result": "PASSED"}))
    async with desk(size=SMALL) as (made, pilot):
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Signed" in said(pilot))
        await choose(pilot, "approve")
        await answer(pilot, "kept in the statement", "recall is up")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Approved" in said(pilot))
        await choose(pilot, "reject")
        await answer(pilot, "kept in the statement", "no card")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Rejected" in said(pilot))
        await choose(pilot, "attest")
        await answer(pilot, "The predicate type", "no type")
        await until(pilot, lambda: "✗" in text_of(pilot))
        await answer(pilot, "The predicate type", "test-result")
        await answer(pilot, "a JSON object", str(tmp_path))
        await until(pilot, lambda: "That is a folder" in text_of(pilot))
        await answer(pilot, "a JSON object", str(result))
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Attested" in said(pilot))
        found = await made.stated()
        assert all(one.verdict.holds for one in found)
        statements = [one.verdict.statement for one in found if one.verdict.statement]
        kinds = sorted((one.predicate_type, one.rejects) for one in statements)
        assert kinds == sorted([(SIGNED, False), (REVIEW, False), (REVIEW, True), (TEST_RESULT, False)])
        reasons = {one.rejects: one.predicate[DETAILS]["reason"] for one in statements if one.predicate_type == REVIEW}
        assert reasons == {False: "recall is up", True: "no card"}


async def test_nothing_is_signed_before_its_last_dialog_is_seen(
    desk: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_first(monkeypatch)
    async with desk(f"signing_key: {tmp_path / 'me.pem'}\n") as (made, pilot):
        burst(pilot, ["a", "enter", "enter"])
        await until(pilot, lambda: EARLY in said(pilot))
        assert "Your private key" in text_of(pilot)
        assert not await made.stated()
        await seen(pilot)
        burst(pilot, ["enter"])
        await until(pilot, lambda: "Signed" in said(pilot))


@pytest.mark.parametrize("way", WAYS)
async def test_esc_in_any_dialog_writes_nothing(desk: Open, tmp_path: Path, way: str) -> None:
    async with desk() as (made, pilot):
        steps = {"sign": 0, "approve": 1, "reject": 1, "attest": 2}[way]
        for taken in range(steps + 1):
            await choose(pilot, way)
            answers = (["test-result", str(tmp_path / "config.yaml")] if way == "attest" else ["why"])[:taken]
            for text in answers:
                await answer(pilot, "", text)
                await until(pilot, on(pilot, InputDialog))
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert await made.stated() == ()
        assert said(pilot) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "There is no such file."),
        ("nothing.pem", "There is no such file."),
        (".", "That is a folder; enter a file."),
    ],
    ids=["empty", "missing", "folder"],
)
async def test_a_key_file_that_is_not_one_is_asked_for_again(desk: Open, tmp_path: Path, name: str, words: str) -> None:
    async with desk() as (made, pilot):
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / name) if name else "")
        await until(pilot, lambda: words in text_of(pilot))
        assert isinstance(pilot.app.screen, InputDialog)
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Signed" in said(pilot))
        assert len(await made.stated()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"nothing", "is not a PEM private key"),
        (b"", "is not a PEM private key"),
        (None, "holds a public key, which can't sign"),
    ],
    ids=["noise", "empty", "public"],
)
async def test_a_file_that_holds_no_private_key(desk: Open, tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    async with desk() as (made, pilot):
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / ("key" if content is not None else "me.pub")))
        await until(pilot, lambda: words in said(pilot))
        assert await made.stated() == ()


async def test_a_key_that_others_may_read_signs_and_is_warned_of(desk: Open, tmp_path: Path) -> None:
    async with desk() as (made, pilot):
        (tmp_path / "me.pem").chmod(0o644)
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Signed" in said(pilot))
        assert "others on this machine can read the private key" in said(pilot)
        assert len(await made.stated()) == 1


@pytest.mark.parametrize("typed", ["wrong", "", None], ids=["wrong", "empty", "cancelled"])
async def test_a_passphrase_is_asked_for_until_it_opens_the_key_and_then_never_again(
    desk: Open, tmp_path: Path, typed: str | None
) -> None:
    async with desk() as (made, pilot):
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "locked.pem"))
        if typed is None:
            await until(pilot, lambda: "Passphrase of" in text_of(pilot))
            await pilot.press("escape")
            await until(pilot, lambda: "no passphrase was given" in said(pilot))
        else:
            await answer(pilot, "Passphrase of", typed)
            await until(pilot, lambda: "wrong passphrase for" in said(pilot))
        assert await made.stated() == ()
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "locked.pem"))
        await until(pilot, lambda: "Passphrase of" in text_of(pilot))
        await pilot.press(*"sesame")
        assert "sesame" not in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Signed" in said(pilot))
        await choose(pilot, "reject")
        await answer(pilot, "kept in the statement", "no")
        await answer(pilot, "Your private key", str(tmp_path / "locked.pem"))
        await until(pilot, lambda: "Rejected" in said(pilot))
        assert len(await made.stated()) == 2
        assert "sesame" not in said(pilot)


def by_command(tmp_path: Path, *command: str) -> str:
    return f"signing_key: {tmp_path / 'me.pub'}\nsigning_command: {json.dumps(shlex.join(command))}\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nonexistent/signer",), "could not be started: No such file or directory"),
        ((sys.executable, "-c", "raise SystemExit(chr(27) + '[31mno token')"), "ended with status 1: "),
        ((sys.executable, "-c", "print('garbage' * 1000)"), "printed no valid signature by key SHA256:"),
        ((sys.executable, "-c", ""), "printed no valid signature by key SHA256:"),
    ],
    ids=["missing", "failing", "garbage", "silent"],
)
async def test_a_signing_command_that_does_not_sign(
    desk: Open, tmp_path: Path, command: tuple[str, ...], words: str
) -> None:
    async with desk(by_command(tmp_path, *command)) as (made, pilot):
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "me.pub"))
        await until(pilot, lambda: words in said(pilot))
        assert "\x1b" not in said(pilot)
        assert await made.stated() == ()


async def test_esc_ends_a_signing_command_that_hangs(desk: Open, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    code = f"import os, pathlib, time; pathlib.Path({str(begun)!r}).write_text(str(os.getpid())); time.sleep(600)"
    async with desk(by_command(tmp_path, sys.executable, "-c", code)) as (made, pilot):
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "me.pub"))
        await until(pilot, lambda: begun.exists() and begun.read_text())
        await pilot.press("escape")
        process = Path("/proc") / begun.read_text()
        await until(pilot, lambda: not process.exists())
        assert await made.stated() == ()


@pytest.mark.parametrize("left", [0, 3, None])
async def test_an_approval_says_whether_every_change_was_ticked(desk: Open, tmp_path: Path, left: int | None) -> None:
    async with desk() as (made, pilot):
        champion, challenger = [(await made.repository.resolve(Tag(tag))).digest for tag in ("champion", "challenger")]
        if left is not None:
            review = Review(frozenset("abc"), changes=left + 3, left=left)
            Reviews(made.composition.state_dir).write(champion, challenger, review.to_json())
        await choose(pilot, "approve")
        words = {
            0: "Every change against the present champion is ticked: your approval",
            3: "3 of 6 changes against the present champion are not ticked here:",
            None: "You have not reviewed it against champion (d compares them):",
        }[left]
        await until(pilot, lambda: words in text_of(pilot))
        if left is not None:
            reviewed = f"You reviewed it against champion: no verdict, 3 of {left + 3} changes seen."
            assert reviewed in text_of(pilot)
        await answer(pilot, "kept in the statement", "fine")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Approved" in said(pilot))
        (one,) = await made.stated()
        assert one.verdict.statement is not None
        against = one.verdict.statement.predicate[DETAILS].get("reviewedAgainst")
        assert against == (Digest(champion) if left == 0 else None)


async def test_a_rejection_shows_the_review_it_may_rest_on(desk: Open) -> None:
    async with desk() as (made, pilot):
        champion, challenger = [(await made.repository.resolve(Tag(tag))).digest for tag in ("champion", "challenger")]
        review = Review(frozenset("abc"), {"a": "why?"}, "rejected", changes=4, left=1)
        Reviews(made.composition.state_dir).write(champion, challenger, review.to_json())
        await choose(pilot, "reject")
        words = "You reviewed it against champion: rejected, 3 of 4 changes seen, 1"
        await until(pilot, lambda: words in text_of(pilot))
        assert "your approval" not in text_of(pilot)


async def test_an_approval_of_several_says_how_many_of_them_it_calls_reviewed(desk: Open, tmp_path: Path) -> None:
    async with desk() as (made, pilot):
        champion, challenger = [(await made.repository.resolve(Tag(tag))).digest for tag in ("champion", "challenger")]
        review = Review(frozenset("abc"), changes=3, left=0)
        Reviews(made.composition.state_dir).write(champion, challenger, review.to_json())
        await pilot.press("space")
        await ready(pilot, "rollback")
        await pilot.press("space")
        await choose(pilot, "approve")
        await until(pilot, lambda: "You have not reviewed" in text_of(pilot))
        said_so = " ".join(text_of(pilot).replace("│", " ").split())
        assert "your approval states a review for 1 of the 2." in said_so
        assert "You reviewed acme/fraud-detector:challenger against champion:" in said_so
        await answer(pilot, "kept in the statement", "fine")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Approved 2 ModelKits" in said(pilot))
        for tag, expected in (("challenger", Digest(champion)), ("rollback", None)):
            (one,) = [each for each in await made.stated(tag) if each.verdict.statement]
            assert one.verdict.statement is not None
            assert one.verdict.statement.predicate[DETAILS].get("reviewedAgainst") == expected


async def test_marked_modelkits_are_signed_in_one_go_and_those_that_fail_are_named(
    desk: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(size=LARGE) as (_, pilot):
        for tag in ("challenger", "champion", "rollback"):
            await ready(pilot, tag)
            await pilot.press("space")
        sign = signing.sign

        async def refused(repository: Any, target: Any, signer: Any) -> Any:
            if target == browse(pilot).known_digests(repository)[Tag("champion")]:
                raise Denied("you may not write there")
            return await sign(repository, target, signer)

        monkeypatch.setattr(signing, "sign", refused)
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "you may not" in said(pilot))
        assert said(pilot).count("Signed") == 1
        assert "Signed 2 ModelKits with key" in said(pilot)
        assert "champion\nyou may not write there" in said(pilot)
        assert [mark.target for mark in browse(pilot).marks] == ["champion"]


async def test_a_signing_that_is_stopped_says_what_had_failed_by_then(
    desk: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(size=LARGE) as (_, pilot):
        for tag in ("challenger", "champion"):
            await ready(pilot, tag)
            await pilot.press("space")
        asked: list[object] = []

        async def refused(*_: Any) -> Any:
            asked.append(_)
            if len(asked) == 1:
                raise Denied("you may not write there")
            await asyncio.Event().wait()

        monkeypatch.setattr(signing, "sign", refused)
        await choose(pilot, "sign")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: len(asked) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped." in said(pilot))
        assert "you may not write there" in said(pilot)


async def test_an_approval_says_who_rejected_it_before(desk: Open, tmp_path: Path) -> None:
    async with desk() as (made, pilot):
        await choose(pilot, "reject")
        await answer(pilot, "kept in the statement", "no card")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Rejected" in said(pilot))
        made.composition.evidence.forget()
        await choose(pilot, "approve")
        await until(pilot, lambda: "me rejected it on " in text_of(pilot))
        assert ": no card" in text_of(pilot)


async def test_a_reason_is_there_again_where_no_key_signed_it(desk: Open, tmp_path: Path) -> None:
    async with desk() as (_, pilot):
        await choose(pilot, "reject")
        await answer(pilot, "kept in the statement", "no card")
        await until(pilot, lambda: "Your private key" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        await choose(pilot, "reject")
        assert pilot.app.screen.query_one(Input).value == "no card"
        await pilot.press("enter")
        await answer(pilot, "Your private key", str(tmp_path / "me.pem"))
        await until(pilot, lambda: "Rejected" in said(pilot))
        await choose(pilot, "reject")
        assert pilot.app.screen.query_one(Input).value == ""

"""The demo's signatures, approvals and gates: the challenger waits for one approval."""

from __future__ import annotations

from pathlib import Path

from kittui.cli.compose import Composition
from kittui.config import Config, Flags
from kittui.demo.stage import set_up
from kittui.demo.trusted import REPOSITORY, vouch
from kittui.oci.tag import Tag
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.trust.history import merged_history
from kittui.usecases.trust.sign import review


async def test_the_challenger_waits_for_dana_alone(tmp_path: Path) -> None:
    stage = await set_up(tmp_path)
    people = await vouch(stage)
    environ = {**stage.environment({}), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    async with Composition(Flags(store=str(stage.store)), environ=environ) as composition:
        composition.config = people.configured(composition.config)
        repository = composition.places.source(stage.place).repository(REPOSITORY)
        board = composition.board()
        (row,) = [row async for row in board.rows([repository]) if row.complete]
        challenger, champion = row.cells[Tag("challenger")], row.cells[Tag("champion")]
        assert [gate.state for gate in challenger.gates] == ["pass", "pass", "pass", "pass", "fail"]
        assert challenger.waits.endswith("approved by ada; dana must approve")
        assert (champion.word, champion.signers, champion.moved_by) == ("valid", ("ci",), "dana@ops")
        assert (champion.proof, champion.moved_at) == ("verified", "2026-09-28T08:15:01Z")
        history = await merged_history(
            repository, composition.ledger, composition.keyring, (Tag("champion"), Tag("rollback"))
        )
        assert {(event.source, event.proof) for event in history.events} == {("both", "verified")}
        assert history.notes == ()
    async with Composition(Flags(store=str(stage.store)), environ=environ) as composition:
        composition.config = people.configured(Config())
        repository = composition.places.source(stage.place).repository(REPOSITORY)
        signer = await composition.signer()
        assert signer is not None
        await review(repository, Tag("challenger"), signer, "approved", Tag("champion"), "dana")
        plan = await plan_promote(repository)
        assert {one.state for one in await composition.policy.assess(plan)} == {"pass"}


async def test_what_is_attached_is_no_version_of_its_own(tmp_path: Path) -> None:
    stage = await set_up(tmp_path)
    await vouch(stage)
    async with Composition(Flags(store=str(stage.store)), environ=stage.environment({"HOME": str(tmp_path)})) as found:
        repository = found.places.source(stage.place).repository(REPOSITORY)
        names = [entry.name async for page in repository.tags() for entry in page]
        assert None not in names

"""The board: stages first, details after them, and a row of its own for what can't be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kittui.errors import Unreachable
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Incomplete, TagEntry
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.state.history import History
from kittui.trust.gates import GateSet, LicenseIn, Metric, SignedBy
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.signing import public_key
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.trust.board import Board, BoardRow
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.rule import GateRule
from kittui.usecases.trust.sign import sign
from kittui.usecases.trust.signer import KeySigner
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.memory import MemoryRepository, MemorySource
from tests.fakes.rules import Never

KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = Path(__file__).parent.parent / "fixtures" / "signed" / "keys"
STAGES = tuple(Tag(name) for name in ("tuning", "challenger", "champion", "rollback"))


def board(folder: Path, *sets: GateSet, stages: Sequence[Tag] = STAGES, mistaken: str = "", **more: Any) -> Board:
    kits = ModelKits()
    evidence = Evidence(lambda: Keyring((TrustedKey("CI", public_key(KEY)),)), Inspector, cached=kits.cached)
    rules = (GateRule(sets, evidence, History(folder), set(STAGES), mistaken), *more.pop("rules", ()))
    return Board(kits, evidence, stages, policy=Policy(rules=rules), **more)


def kit(repository: MemoryRepository, tag: str, version: str, **parameters: object) -> None:
    package = {"name": "fraud", "version": version}
    repository.add_kit("fraud", tag, package=package, model={"path": "m", "parameters": parameters})


async def rows(found: Board, *repositories: MemoryRepository) -> list[BoardRow]:
    return [row async for row in found.rows(repositories)]


async def test_nothing_is_left_of_a_board_that_is_not_read_to_its_end(tmp_path: Path) -> None:
    reached = asyncio.Event()

    class Slow(MemoryRepository):
        async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
            reached.set()
            await asyncio.sleep(1000)
            yield ()

    before = asyncio.all_tasks()
    reading = asyncio.ensure_future(rows(board(tmp_path), Slow(MemorySource(), "slow")))
    await reached.wait()
    reading.cancel()
    await asyncio.wait([reading])
    assert asyncio.all_tasks() == before


async def test_stages_first_and_details_after_them(tmp_path: Path) -> None:
    source = MemorySource()
    fraud, churn, plain = (source.repository(name) for name in ("fraud", "churn", "plain"))
    kit(fraud, "champion", "1.0", auc=0.9)
    kit(fraud, "challenger", "1.1", auc=0.93)
    kit(churn, "tuning", "0.1")
    kit(plain, "v1", "1")
    await sign(fraud, Tag("challenger"), KeySigner(KEY))
    found = await rows(board(tmp_path, GateSet("", "champion", (SignedBy(("Anna",)),))), fraud, churn, plain)
    assert [(row.name.rpartition("/")[2], row.complete) for row in found[:3]] == [
        ("fraud", False),
        ("churn", False),
        ("plain", True),
    ]
    assert found[0].cells[Tag("champion")].digest is None
    done = {row.name.rpartition("/")[2]: row for row in found if row.complete}
    assert {name: list(row.cells) for name, row in done.items()} == {
        "fraud": ["challenger", "champion"],
        "churn": ["tuning"],
        "plain": [],
    }
    challenger, champion = done["fraud"].cells[Tag("challenger")], done["fraud"].cells[Tag("champion")]
    assert (challenger.version, challenger.word, challenger.signers) == ("1.1", "valid", ("CI",))
    assert challenger.differs == "version 1.0 → 1.1, auc 0.9 → 0.93"
    assert challenger.waits == "gate signed by Anna: it is not signed by Anna"
    assert (champion.word, champion.differs, champion.waits) == ("unsigned", "", "")


async def gates(found: Board, repository: MemoryRepository, stage: str = "challenger") -> list[tuple[str, str, str]]:
    row = (await rows(found, repository))[-1]
    return [(one.moved, one.state, one.reason) for one in row.cells[Tag(stage)].gates]


@pytest.fixture
def fraud() -> MemoryRepository:
    repository = MemorySource().repository("fraud")
    kit(repository, "tuned", "1.2", auc=0.8)
    kit(repository, "challenger", "1.1", auc=0.8)
    kit(repository, "champion", "1.0", auc=0.9)
    kit(repository, "rollback", "0.9", auc=0.7)
    return repository


async def test_every_rule_of_the_policy_shows_as_in_every_other_place(fraud: MemoryRepository, tmp_path: Path) -> None:
    sets = (GateSet("", "champion", (SignedBy(("Anna",)),)), GateSet("", "rollback", (LicenseIn(("MIT",)),)))
    found = board(tmp_path, *sets, rules=(Never(),))
    assert await gates(found, fraud) == [
        ("rollback", "fail", "the Kitfile has no license"),
        ("champion", "fail", "it is not signed by Anna"),
        ("", "fail", "nothing may move"),
    ]
    plan = await plan_promote(fraud)
    everywhere = [(one.moved, one.state, one.reason) for one in await found.policy.assess(plan)]
    assert await gates(found, fraud) == everywhere
    assert await gates(board(tmp_path, mistaken="a: b"), fraud) == [
        ("rollback", "unknown", "they can't be read: a: b"),
        ("champion", "unknown", "they can't be read: a: b"),
    ]


async def test_what_waits_for_a_gate_before_challenger_shows_it_too(fraud: MemoryRepository, tmp_path: Path) -> None:
    sets = (GateSet("", "challenger", (SignedBy(("Anna",)),), "tuned"),)

    def found() -> Board:
        return board(tmp_path, *sets, stages=(Tag("tuned"),), moves=[(Tag("tuned"), Tag("challenger"))])

    assert await gates(found(), fraud, "tuned") == [("challenger", "fail", "it is not signed by Anna")]
    fraud.tagged["tuned"] = fraud.tagged["challenger"]
    assert await gates(found(), fraud, "tuned") == []


async def test_a_column_that_is_left_out_is_still_compared_with(fraud: MemoryRepository, tmp_path: Path) -> None:
    sets = (GateSet("", "champion", (Metric("model.parameters.auc", not_worse="higher"),)),)
    found = board(tmp_path, *sets, stages=(Tag("challenger"),))
    row = (await rows(found, fraud))[-1]
    assert list(row.cells) == ["challenger"]
    assert row.cells[Tag("challenger")].differs == "version 1.0 → 1.1, auc 0.9 → 0.8"
    assert await gates(found, fraud) == [("champion", "fail", "0.8 is worse than 0.9 of what the tag holds now")]

    def fail(repository: MemoryRepository, verb: str, what: str) -> None:
        if what in ("champion", fraud.tagged["champion"]):
            raise Unreachable("down")

    found = board(tmp_path, *sets, stages=(Tag("challenger"),))
    fraud.source.hooks.append(fail)
    assert await gates(found, fraud) == [("champion", "unknown", "champion could not be read: down")]


async def test_a_move_of_ones_own_shows_the_gates_of_what_it_moves(fraud: MemoryRepository, tmp_path: Path) -> None:
    """Of rollback only where that moves, and where it can be read."""
    production = Tag("production")
    sets = (GateSet("", "rollback", (SignedBy(("Anna",)),)), GateSet("", "production", (LicenseIn(("MIT",)),)))
    fraud.tagged["production"] = fraud.tagged["champion"]

    def found() -> Board:
        return board(tmp_path, *sets, stages=(Tag("tuned"),), moves=[(Tag("tuned"), production)])

    async def shown() -> set[tuple[str, str, str]]:
        """What the card says, which is what the plan of the move says."""
        plan = await plan_promote(fraud, Tag("tuned"), production)
        said = set(await gates(found(), fraud, "tuned"))
        assert said == {(one.moved, one.state, one.reason) for one in await found().policy.assess(plan)}
        return said

    unlicensed = ("production", "fail", "the Kitfile has no license")
    assert await shown() == {("rollback", "fail", "it is not signed by Anna"), unlicensed}
    fraud.tagged["rollback"] = fraud.tagged["production"]
    assert await shown() == {unlicensed}
    fraud.tagged["rollback"] = fraud.tagged["challenger"]

    def fail(repository: MemoryRepository, verb: str, what: str) -> None:
        if what in ("rollback", fraud.tagged["rollback"]):
            raise Unreachable("down")

    fraud.source.hooks.append(fail)
    assert await gates(found(), fraud, "tuned") == [("production", "unknown", "rollback could not be read: down")]
    del fraud.tagged["production"]
    assert await gates(found(), fraud, "tuned") == [unlicensed]


async def test_what_can_not_be_read_is_one_marked_row_or_cell(tmp_path: Path) -> None:
    source = MemorySource()
    good, bad, broken = (source.repository(name) for name in ("good", "bad", "broken"))
    for repository in (good, bad, broken):
        kit(repository, "champion", "1")
    kit(broken, "challenger", "2")
    wrong = broken.tagged["challenger"]

    def fail(repository: MemoryRepository, verb: str, what: str) -> None:
        if repository is bad or (repository is broken and what in ("challenger", wrong)):
            raise Unreachable("down")

    source.hooks.append(fail)
    done = {row.name.rpartition("/")[2]: row for row in await rows(board(tmp_path), good, bad, broken) if row.complete}
    assert (done["bad"].problem, dict(done["bad"].cells)) == ("down", {})
    assert done["broken"].cells[Tag("challenger")].problem == "down"
    assert done["broken"].cells[Tag("champion")].version == "1"
    assert done["good"].cells[Tag("champion")].version == "1"


async def test_gates_read_no_kitfile_that_the_board_has_read(fraud: MemoryRepository, tmp_path: Path) -> None:
    worse = Metric("model.parameters.auc", not_worse="higher")
    plain = board(tmp_path)
    await rows(plain, fraud)
    asked = len(fraud.source.requests)
    fraud.source.requests.clear()
    assert len(await gates(board(tmp_path, GateSet("", "champion", (worse,))), fraud)) == 1
    assert len(fraud.source.requests) == asked


async def test_again_little_is_asked(tmp_path: Path) -> None:
    source = MemorySource()
    repository = source.repository("fraud")
    kit(repository, "champion", "1")
    kit(repository, "rollback", "0")
    found = board(tmp_path)
    await rows(found, repository)
    source.requests.clear()
    await rows(found, repository)
    assert source.requests == [("GET", "fraud/tags")]


@pytest.mark.real
def test_the_command(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "CONFIG" / "kittui"
    folder.mkdir(parents=True)
    trust = f"trust: [{{name: ops, key: {KEYS / 'p256.pub'}}}]\nsigning_key: {KEYS / 'p256.pem'}\n"
    (folder / "config.yaml").write_text(f"{trust}boards: {{team: ['{kit_registry.host}/fraud']}}\n")
    assert run("promote", f"{kit_registry.host}/fraud", "--yes").status == 0
    document = run("board", "team", "--json").json
    (row,) = document["rows"]
    cells = {cell["tag"]: cell for cell in row["cells"]}
    assert cells["champion"]["proof"] == cells["rollback"]["proof"] == "verified"
    assert cells["champion"]["moved_by"]
    assert cells["challenger"]["differs"] == "the same"
    assert (cells["champion"]["signed"], document["complete"]) == ("unsigned", True)
    everything = json.loads(run("board", kit_registry.host, "--json").out)
    assert len(everything["rows"]) >= 1
    shown = run("board", f"{kit_registry.host}/", "--stage", "champion")
    assert shown.status == 0
    assert "champion" in shown.out
    assert "rollback" not in shown.out


async def test_a_stage_that_a_cut_listing_does_not_reach_is_not_absent(tmp_path: Path) -> None:
    source = MemorySource()
    cut, lost = source.repository("cut"), source.repository("lost")
    for repository in (cut, lost):
        for tag in ("challenger", "champion", "rollback"):
            kit(repository, tag, "1")

    class Cut:
        """A listing that ends after its first tag."""

        def __init__(self, found: MemoryRepository) -> None:
            self.found = found

        def __getattr__(self, name: str) -> Any:
            return getattr(self.found, name)

        async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
            yield [TagEntry(Tag("challenger"))]
            raise Incomplete("list the tags", "the listing ended early")

    def fail(repository: MemoryRepository, verb: str, what: str) -> None:
        if repository is lost and what == "rollback":
            raise Unreachable("down")

    source.hooks.append(fail)
    found: Any = [row async for row in board(tmp_path).rows([Cut(cut), Cut(lost)])]
    done = {row.name.rpartition("/")[2]: row for row in found if row.complete}
    assert list(done["cut"].cells) == ["challenger", "champion", "rollback"]
    assert all(cell.version == "1" and not cell.problem for cell in done["cut"].cells.values())
    assert "the listing ended early" in done["cut"].problem
    assert not done["cut"].listed
    assert done["lost"].cells["rollback"].problem == "down"
    assert done["lost"].cells["champion"].version == "1"


async def test_stages_that_were_not_listed_are_asked_for_once_and_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource()
    source.at_once = 5
    cut = [source.repository(f"cut{number}") for number in range(12)]
    for repository in cut:
        kit(repository, "champion", repository.name)

    async def tags(_: MemoryRepository) -> AsyncIterator[Sequence[TagEntry]]:
        yield []
        raise Incomplete("list the tags", "the listing ended early")

    now = most = 0
    read = MemoryRepository.manifest

    async def manifest(repository: MemoryRepository, target: Target) -> Manifest:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == source.at_once:
            full.set()
        async with asyncio.timeout(20):
            await full.wait()
        await asyncio.sleep(0)
        now -= 1
        return await read(repository, target)

    full = asyncio.Event()
    monkeypatch.setattr(MemoryRepository, "tags", tags)
    monkeypatch.setattr(MemoryRepository, "manifest", manifest)
    done = [row for row in await rows(board(tmp_path), *cut) if row.complete]
    assert [list(row.cells) for row in done] == [["champion"]] * 12
    assert 1 < most <= 5
    asked = [what for verb, what in source.requests if what.startswith("cut0/") and "sha256" not in what]
    assert sorted(asked) == sorted({f"cut0/{stage}" for stage in STAGES})

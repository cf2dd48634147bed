"""Gates: what passes each, what fails it, and that no command moves the tag around them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kittui.compare.review import Review, changes_of, keys_of
from kittui.config.loading import load_config, parse_config
from kittui.errors import Refused, Unreachable
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.state.history import History
from kittui.state.reviews import Reviews
from kittui.trust.gates import (
    ApprovedBy,
    Attested,
    Gate,
    GateSet,
    KitfileHas,
    LicenseIn,
    Metric,
    NotOlderThan,
    Reviewed,
    Scanned,
    SignedBy,
    cost,
    text_of,
)
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.signing import public_key
from kittui.trust.statements import TEST_RESULT
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.policy import Policy, Verdict
from kittui.usecases.change.promote import plan_promote, plan_rollback
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.transfer import MovePlan, apply_move, plan_move, with_attached
from kittui.usecases.diff.compare import DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.rule import GateRule
from kittui.usecases.trust.sign import attest, review, sign
from kittui.usecases.trust.signer import KeySigner
from kittui.usecases.trust.verify import Verification
from tests.compare.kits import opened
from tests.fakes.memory import MemoryRepository, MemorySource

PEOPLE = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("Anna", "Ben", "CI", "Mallory")}
KEYRING = Keyring(tuple(TrustedKey(name, public_key(PEOPLE[name])) for name in ("Anna", "Ben", "CI")))
PRESENT = "of what the tag holds now"
NOW = datetime(2026, 11, 29, tzinfo=UTC)
KITFILE: dict[str, Any] = {
    "package": {"name": "fraud", "license": "MIT"},
    "model": {"path": "m", "license": "Apache-2.0", "parameters": {"auc": 0.93, "loss": "0.2"}},
}


class World:
    """A champion and a challenger, and gates on the way."""

    def __init__(self, folder: Path, *gates: Gate, enforce: bool = True, origin: str = "challenger") -> None:
        self.repository: MemoryRepository = MemorySource().repository("acme/fraud")
        self.old = self.kit("champion", auc=0.91)
        self.new = self.kit("challenger", auc=0.93)
        self.ledger = Ledger.open(folder, "ann@host")
        sets = (GateSet("", "champion", gates, origin, (), enforce),) if gates else ()
        self.rule = GateRule(
            sets,
            Evidence(lambda: KEYRING, Inspector, clock=lambda: self.clock),
            History(folder),
            {"champion", "challenger"},
            now=lambda: NOW,
        )
        self.clock = 0.0

    def kit(self, tag: str, **metrics: float) -> Digest:
        model = {**KITFILE["model"], "parameters": {**KITFILE["model"]["parameters"], **metrics}}
        return self.repository.add_kit("fraud", tag, model=model, package=KITFILE["package"]).digest

    @property
    def policy(self) -> Policy:
        return Policy(rules=(self.rule,))

    async def verdicts(self) -> Sequence[Verdict]:
        self.clock += 60
        return await self.rule.assess(await plan_promote(self.repository))

    async def only(self) -> tuple[str, str]:
        (one,) = await self.verdicts()
        return one.state, one.reason

    async def state(self, who: str, predicate: Mapping[str, Any]) -> None:
        await attest(self.repository, Tag("challenger"), KeySigner(PEOPLE[who]), TEST_RESULT, predicate)

    async def decide(self, who: str, decision: Any = "approved", **more: Any) -> None:
        await review(
            self.repository, Tag("challenger"), KeySigner(PEOPLE[who]), decision, Tag("champion"), who, "why", **more
        )


async def test_signed_by(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)))
    assert await world.only() == ("fail", "it is not signed by CI")
    for other in ("Anna", "Mallory"):
        await sign(world.repository, Tag("challenger"), KeySigner(PEOPLE[other]))
    assert (await world.only())[0] == "fail"
    await sign(world.repository, Tag("champion"), KeySigner(PEOPLE["CI"]))
    assert (await world.only())[0] == "fail"
    await world.state("CI", {"result": "PASSED"})
    assert (await world.only())[0] == "fail"
    signed = await sign(world.repository, Tag("challenger"), KeySigner(PEOPLE["CI"]))
    (one,) = await world.verdicts()
    assert (one.state, one.reason, one.evidence) == ("pass", "signed by CI", (signed.manifest,))


async def test_attested(tmp_path: Path) -> None:
    world = World(tmp_path, Attested(TEST_RESULT, ("CI",), "PASSED", "test-result"))
    assert await world.only() == ("fail", "no test-result statement by CI holds")
    await world.state("Anna", {"result": "PASSED"})
    assert (await world.only())[0] == "fail"
    await world.state("CI", {"result": "FAILED"})
    assert await world.only() == ("fail", "the test-result statement says FAILED instead of PASSED")
    await world.state("CI", {"result": "PASSED"})
    assert await world.only() == ("unknown", "test-result statements contradict each other and have no time")


async def test_the_last_of_dated_statements_counts(tmp_path: Path) -> None:
    world = World(tmp_path, Attested(TEST_RESULT, ("CI",), "PASSED"))
    await world.state("CI", {"result": "FAILED", "timeVerified": "2026-11-01T00:00:00Z"})
    await world.state("CI", {"result": "PASSED", "timeVerified": "2026-11-02T00:00:00Z"})
    assert (await world.only())[0] == "pass"
    await world.state("CI", {"result": "FAILED", "timeVerified": "2026-11-03T00:00:00Z"})
    assert (await world.only())[0] == "fail"
    await world.state("CI", {"result": "PASSED", "timeVerified": "2030-01-01T00:00:00Z"})
    assert (await world.only())[0] == "unknown"


async def test_approved_by(tmp_path: Path) -> None:
    world = World(tmp_path, ApprovedBy(2, ("Anna", "Ben")))
    world.rule = GateRule(world.rule.sets, world.rule.evidence, world.rule.history, world.rule.stages)
    assert await world.only() == ("fail", "Anna, Ben must approve")
    await world.decide("Anna")
    await world.decide("Anna")
    await world.decide("CI")
    await world.decide("Mallory")
    assert await world.only() == ("fail", "approved by Anna; Ben must approve")
    await world.decide("Ben")
    assert await world.only() == ("pass", "approved by Anna, Ben")
    await world.decide("Ben", "rejected")
    assert await world.only() == ("fail", "Ben rejected it: why")


async def test_a_rejection_can_not_be_hidden_in_what_is_unreadable(tmp_path: Path) -> None:
    world = World(tmp_path, ApprovedBy(1, ("Anna",)))
    world.rule = GateRule(world.rule.sets, world.rule.evidence, world.rule.history, world.rule.stages)
    await world.decide("Anna")
    assert (await world.only())[0] == "pass"
    await world.decide("Anna", "rejected")
    (rejection,) = (await world.repository.manifest(world.repository.subjects[world.new][-1].digest)).layers
    content = world.repository.blobs.pop(rejection.digest)
    assert (await world.only())[0] == "unknown"
    world.repository.blobs[rejection.digest] = content
    assert (await world.only())[0] == "fail"

    async def incomplete(digest: Digest) -> Sequence[Descriptor]:
        raise Incomplete("list", "there are too many", world.repository.subjects[digest][:1])

    world.repository.referrers = incomplete  # type: ignore[method-assign]
    assert (await world.only())[0] == "unknown"


@pytest.mark.parametrize("host", ["Registry.Test", "registry.test:443"])
async def test_gates_hold_however_the_host_is_written(tmp_path: Path, host: str) -> None:
    world = World(tmp_path, SignedBy(("CI",)))
    only = GateSet("", "champion", world.rule.sets[0].gates, "", ("registry.test/*",), True)
    world.rule = GateRule((only,), world.rule.evidence, world.rule.history, world.rule.stages)
    world.repository.source.place = Place("remote", host=host)
    with pytest.raises(Refused, match="gate signed by CI"):
        await apply_changes(await plan_promote(world.repository), world.ledger, world.policy)


async def test_reviewed(tmp_path: Path) -> None:
    world = World(tmp_path, Reviewed())
    world.rule = GateRule(world.rule.sets, world.rule.evidence, world.rule.history, world.rule.stages)
    await world.decide("Anna")
    await world.decide("Ben", against=world.new)
    await world.decide("Mallory", against=world.old)
    assert (await world.only())[0] == "fail"
    assert await world.only() == ("fail", "Ben reviewed it against another champion than the present one")
    await world.decide("Ben", against=world.old)
    assert await world.only() == ("pass", "Ben reviewed every change")
    world.kit("champion", auc=0.92)
    assert await world.only() == ("fail", "Ben reviewed it against another champion than the present one")
    del world.repository.tagged["champion"]
    assert await world.only() == ("pass", "there is no champion to compare it with yet")


async def test_reviewed_by_the_ticks_on_this_machine(tmp_path: Path) -> None:
    world = World(tmp_path, Reviewed())
    world.rule.evidence.reviews = Reviews(tmp_path)
    case = DiffUseCase(opened, Inspector(), (), world.rule.evidence.reviews)
    champion, challenger = (Side(world.repository, Tag(tag)) for tag in ("champion", "challenger"))
    comparison = await case.compare(champion, challenger)
    (change,) = changes_of(comparison)

    async def keep(review: Review, *, swapped: bool = False) -> None:
        sides = (world.old, world.new)
        Reviews(tmp_path).write(*(sides[::-1] if swapped else sides), review.to_json())

    assert await world.only() == (
        "fail",
        "nobody stated that every change against the present champion was reviewed",
    )
    await keep(Review(verdict="approved").counted(keys_of(comparison)))
    left = "1 of 1 changes against the present champion are not ticked here"
    assert await world.only() == ("fail", left)
    await keep(Review().ticked(change.key).counted(None))
    assert await world.only() == ("fail", "the comparison with the present champion was not read to its end here")
    seen = Review().ticked(change.key).counted(keys_of(comparison))
    await keep(replace(seen, verdict="rejected"))
    assert await world.only() == ("fail", "the review here rejects it")
    await keep(seen)
    asked = len(world.repository.source.requests)
    plan = await plan_promote(world.repository)
    planned = len(world.repository.source.requests)
    assert [(one.state, one.reason) for one in await world.rule.assess(plan)] == [
        ("pass", "all 1 changes are ticked on this machine")
    ]
    assert len(world.repository.source.requests) == planned > asked
    world.kit("champion", auc=0.92)
    assert await world.only() == ("fail", "it was reviewed here against another champion than the present one")
    world.repository.tagged["champion"] = world.old
    await keep(Review(verdict="approved").counted(keys_of(comparison)))
    await keep(seen, swapped=True)
    assert (await world.only())[0] == "pass"


@pytest.mark.parametrize(
    ("gate", "state", "reason"),
    [
        (LicenseIn(("MIT", "Apache-2.0")), "pass", "Apache-2.0, MIT"),
        (LicenseIn(("MIT",)), "fail", "its license Apache-2.0 is not one of MIT"),
        (KitfileHas(("model.parameters.auc", "package.name")), "pass", "it has model.parameters.auc, package.name"),
        (
            KitfileHas(("model.parameters.f1",), ("datasets",)),
            "fail",
            "the Kitfile has no model.parameters.f1, datasets",
        ),
        (KitfileHas(without=("model",)), "fail", "the Kitfile has model, which champion must not have"),
        (KitfileHas(stage=True), "pass", "it has model"),
        (Metric("model.parameters.auc", at_least=0.9), "pass", "0.93"),
        (Metric("model.parameters.auc", at_least=0.95), "fail", "0.93 is less than 0.95"),
        (Metric("model.parameters.loss", at_most=0.1), "fail", "0.2 is more than 0.1"),
        (Metric("model.parameters.auc", not_worse="higher"), "pass", f"0.93, and 0.91 {PRESENT}"),
        (
            Metric("model.parameters.auc", not_worse="lower"),
            "fail",
            "0.93 is worse than 0.91 of what the tag holds now",
        ),
        (Metric("model.parameters.f1", at_least=1), "unknown", "the Kitfile has no number at model.parameters.f1"),
        (Metric("package.name", at_least=1), "unknown", "the Kitfile has no number at package.name"),
        (NotOlderThan(30), "unknown", "it has no creation date"),
    ],
)
async def test_what_the_kitfile_says(tmp_path: Path, gate: Gate, state: str, reason: str) -> None:
    assert await World(tmp_path, gate).only() == (state, reason)


async def test_what_can_not_be_read_is_unknown_and_stops_where_it_is_enforced(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)), LicenseIn(("MIT", "Apache-2.0")))
    plan = await plan_promote(world.repository)

    def fail(_: MemoryRepository, verb: str, what: str) -> None:
        raise Unreachable("down")

    world.repository.source.hooks.append(fail)
    verdicts = await world.rule.assess(plan)
    assert [(one.state, one.reason, one.blocks) for one in verdicts] == [("unknown", "down", True)] * 2
    world.repository.source.hooks.clear()
    assert [one.state for one in await world.rule.assess(plan)] == ["pass", "fail"]


async def test_nothing_is_read_twice_for_the_same_digests(tmp_path: Path) -> None:
    world = World(tmp_path, LicenseIn(("MIT",)), SignedBy(("CI",)), ApprovedBy(1, ("Anna",)), Metric("a", at_least=1))
    plan = await plan_promote(world.repository)
    await world.rule.assess(plan)
    asked = len(world.repository.source.requests)
    await world.rule.assess(plan)
    assert len(world.repository.source.requests) == asked


async def test_what_was_found_is_known_while_it_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    evidence = Evidence(lambda: KEYRING, Inspector)
    first = await evidence.statements(world.repository, world.new)
    assert evidence.known(world.repository, world.new) is first
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any, **__: Any) -> Verification:
        asked.set()
        await answered.wait()
        raise Unreachable("the registry does not answer")

    monkeypatch.setattr("kittui.usecases.trust.evidence.check_attached", slow)
    evidence.forget(world.repository)
    again = asyncio.create_task(evidence.statements(world.repository, world.new))
    await asked.wait()
    assert evidence.known(world.repository, world.new) is first
    answered.set()
    with pytest.raises(Unreachable):
        await again
    assert evidence.known(world.repository, world.new) is None


async def test_what_nobody_waits_for_is_not_read_to_its_end(tmp_path: Path) -> None:
    world = World(tmp_path, LicenseIn(("MIT", "Apache-2.0")))
    plan = await plan_promote(world.repository)
    read, begun, ended = world.repository.read_blob, asyncio.Event(), asyncio.Event()

    async def never(*_: Any) -> bytes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    world.repository.read_blob = never  # type: ignore[assignment]
    first, second = (asyncio.create_task(world.rule.assess(plan)) for _ in range(2))
    await begun.wait()
    first.cancel()
    await asyncio.wait([first])
    assert not ended.is_set()
    second.cancel()
    await asyncio.wait([second])
    await ended.wait()
    world.repository.read_blob = read  # type: ignore[method-assign]
    assert [one.state for one in await world.rule.assess(plan)] == ["pass"]


async def test_the_cheapest_of_all_gates_of_a_plan_is_asked_first(tmp_path: Path) -> None:
    world = World(tmp_path, Scanned("kittui"), SignedBy(("CI",)), LicenseIn(("MIT",)))
    more = (GateSet("b", "champion", (KitfileHas(("model.path",)),)), GateSet("", "rollback", (LicenseIn(("MIT",)),)))
    world.rule = replace(world.rule, sets=(*world.rule.sets, *more))
    plan = await plan_promote(world.repository)
    order = [
        ("gate license", "rollback"),
        ("gate license", "champion"),
        ("gate Kitfile (b)", "champion"),
        ("gate signed by CI", "champion"),
        ("gate scanned by kittui", "champion"),
    ]
    assert [(one.rule, one.moved) for one in await world.policy.announced(plan)] == order
    assert [(one.rule, one.moved) for one in await world.policy.assess(plan)] == order


async def test_no_command_moves_the_tag_around_an_enforced_gate(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)))
    world.repository.tagged["v9"] = world.new
    with pytest.raises(Refused, match=r"gate signed by CI: it is not signed by CI"):
        await apply_changes(await plan_promote(world.repository), world.ledger, world.policy)
    retag = await plan_retag(world.repository, Tag("v9"), [(world.repository, Tag("champion"))])
    with pytest.raises(Refused, match="gate signed by CI"):
        await apply_retag(retag, world.ledger, world.policy)
    world.repository.tagged["rollback"] = world.new
    with pytest.raises(Refused, match="gate signed by CI"):
        await apply_changes(await plan_rollback(world.repository), world.ledger, world.policy)
    assert world.repository.tagged["champion"] == world.old
    assert world.ledger.history.events() == []


async def test_the_gates_of_a_copy_look_at_what_it_takes_along_before_anything_moves(tmp_path: Path) -> None:
    world = World(tmp_path, LicenseIn(("Apache-2.0", "MIT")), SignedBy(("CI",)))
    there = MemorySource().repository("prod/fraud")

    async def planned(referrers: bool) -> MovePlan:
        plan = await plan_move("copy", world.repository, Tag("challenger"), there, Tag("champion"))
        return await with_attached(plan, referrers)

    unsigned = await planned(referrers=True)
    with pytest.raises(Refused, match=r"gate signed by CI: it is not signed by CI"):
        await apply_move(unsigned, world.ledger, world.policy)
    await sign(world.repository, Tag("challenger"), KeySigner(PEOPLE["CI"]))
    world.clock += 60
    with pytest.raises(Refused) as refused:
        await apply_move(await planned(referrers=False), world.ledger, world.policy)
    assert (refused.value.hint or "").startswith("Copy the signatures and statements too with --referrers")
    assert (there.tagged, there.blobs) == ({}, {})
    moved = await apply_move(await planned(referrers=True), world.ledger, world.policy)
    assert (there.tagged["champion"], moved.carried) == (world.new, 1)


async def test_going_back_to_what_the_tag_has_held_needs_no_gates(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)))
    await sign(world.repository, Tag("challenger"), KeySigner(PEOPLE["CI"]))
    await apply_changes(await plan_promote(world.repository), world.ledger, world.policy)
    await apply_changes(await plan_rollback(world.repository), world.ledger, world.policy)
    assert world.repository.tagged["champion"] == world.old


async def test_an_override_takes_a_reason_and_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)), LicenseIn(("MIT", "Apache-2.0")))
    plan = await plan_promote(world.repository)
    await apply_changes(plan, world.ledger, world.policy, Answers("now", override="the key is broken"))
    assert world.repository.tagged["champion"] == world.new
    event = world.ledger.history.events(tag="champion")[0]
    assert event.overridden == ("gate signed by CI: it is not signed by CI",)
    assert event.reason == "now; override: the key is broken"


async def test_advisory_gates_do_not_stop(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)), enforce=False)
    await apply_changes(await plan_promote(world.repository), world.ledger, world.policy)
    event = world.ledger.history.events(tag="champion")[0]
    assert (event.overridden, event.reason) == ((), "")


async def test_gates_concern_the_repositories_they_name(tmp_path: Path) -> None:
    world = World(tmp_path, SignedBy(("CI",)))
    (gates,) = world.rule.sets
    assert gates.concerns("registry.test/acme/fraud", "champion")
    assert not gates.concerns("registry.test/acme/fraud", "rollback")
    other = GateSet("", "champion", gates.gates, repositories=("other/*",))
    assert not other.concerns("registry.test/acme/fraud", "champion")


CONFIG = """
gates:
  - name: production
    move: challenger -> champion
    repositories: [registry.acme.dev/*]
    enforce: true
    signed_by: CI
    attested: [{type: test-result, by: CI, result: PASSED}]
    approved_by: {count: 2, people: [Anna, Ben, Carla]}
    license_in: [MIT]
    kitfile_has: {paths: [model.path], parts: stage}
    metric: [{path: model.parameters.auc, at_least: 0.9, not_worse: higher}]
    not_older_than: 90d
    reviewed: true
    scanned: kittui
"""


def test_the_configuration_names_them() -> None:
    config, problems = parse_config(CONFIG.encode(), "c")
    assert problems == []
    (found,) = config.gates
    assert (found.name, found.origin, found.target, found.enforce) == ("production", "challenger", "champion", True)
    assert [gate.name for gate in sorted(found.gates, key=cost)] == [
        "license",
        "Kitfile",
        "not older than 90 days",
        "metric model.parameters.auc",
        "signed by CI",
        "attested test-result PASSED by CI",
        "approved by 2 of Anna, Ben, Carla",
        "reviewed",
        "scanned by kittui",
    ]
    assert text_of(config.gates) == text_of(parse_config(CONFIG.encode(), "elsewhere")[0].gates)
    assert text_of(config.gates) != text_of(parse_config(CONFIG.replace("90d", "91d").encode(), "c")[0].gates)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("gates: [{move: champion, signed_buy: CI}]", "gates.1.signed_buy: there is no such key"),
        ("gates: [{move: champion, approved_by: {count: 3, people: [a, b]}}]", "3 of 2 people can't approve"),
        ("gates: [{move: champion, metric: [{path: a}]}]", "at_least, at_most or not_worse"),
        ("gates: [{move: 'a -> b c'}]", "a move such as challenger -> champion is allowed"),
        ("gates: [{move: champion, not_older_than: soon}]", "a number of days such as 30d is allowed"),
        ("gates: [", "it is not valid YAML"),
    ],
)
async def test_gates_that_can_not_be_read_let_nothing_pass(tmp_path: Path, raw: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(raw)
    loaded = load_config(environ={"KITTUI_CONFIG": str(path)})
    assert any(said in str(problem) for problem in loaded.problems), loaded.problems
    assert loaded.config.gates_mistaken
    world = World(tmp_path / "state")
    world.rule = GateRule((), world.rule.evidence, world.rule.history, {"champion"}, loaded.config.gates_mistaken)
    plan = await plan_promote(world.repository)
    assert [(one.rule, one.moved, one.price) for one in await world.policy.announced(plan)] == [
        ("gates", "champion", "nothing")
    ]
    with pytest.raises(Refused, match="gates: they can't be read: "):
        await apply_changes(plan, world.ledger, world.policy)

"""A registry that shows a tag's former state for a while after it accepted a move: nothing is lost, none is blamed."""

from __future__ import annotations

import pytest

from kittui.crashpoints import crashing
from kittui.errors import ConnectionLost, Denied, RegistryError, TagMoved
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.usecases.change import readings
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Changed
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote, plan_rollback
from kittui.usecases.change.removal import plan_remove
from kittui.usecases.change.remove import apply_remove
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.lifecycle import last_change, stages_of, with_stages
from tests.fakes.memory import MemoryRepository, MemorySource

FOR_EVER = 10**9


class Late(MemoryRepository):
    """So many reads of a tag after its move still see where it was before."""

    lag = FOR_EVER

    def __init__(self, source: MemorySource, name: str) -> None:
        super().__init__(source, name)
        self.former: dict[str, tuple[int, Digest | None]] = {}

    def settle(self) -> None:
        """Everything is visible now."""
        self.former.clear()

    def _remember(self, tag: str) -> None:
        self.former[tag] = (self.lag, self.former.get(tag, (0, self.tagged.get(tag)))[1])

    def _digest(self, target: str) -> Digest:
        left, former = self.former.get(target, (0, None))
        if not left:
            return super()._digest(parse_target(target))
        self.former[target] = (left - 1, former)
        if left == 1:
            del self.former[target]
        if former is None:
            return super()._digest(Tag("there-is-no-such-tag"))
        return former

    async def put_manifest(self, raw: bytes, media_type: str, tag: str | None = None) -> Descriptor:
        if tag is not None:
            self._remember(tag)
        return await super().put_manifest(raw, media_type, tag)

    async def untag(self, tag: str) -> None:
        self._remember(tag)
        await super().untag(tag)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "LAG", (0.0,) * 5)


@pytest.fixture
def fraud() -> Late:
    source = MemorySource()
    repository = Late(source, "fraud")
    source.found["fraud"] = repository
    return with_stages(repository)


def told(ledger: Ledger) -> list[tuple[str, str]]:
    """What history says, oldest first."""
    return [(event.action, event.tag) for event in reversed(ledger.history.events())]


async def promote(fraud: Late, ledger: Ledger) -> Changed:
    return await apply_changes(await plan_promote(fraud), ledger, Policy())


@pytest.mark.parametrize(("lag", "unseen"), [(1, ()), (4, ()), (FOR_EVER, ("rollback", "champion"))])
async def test_a_promotion_is_finished_and_written_down(
    fraud: Late, ledger: Ledger, lag: int, unseen: tuple[str, ...]
) -> None:
    fraud.lag = lag
    done = await promote(fraud, ledger)
    assert done.unseen == unseen
    assert done.to_json()["not_visible_yet"] == list(unseen)
    assert stages_of(fraud) == {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}
    assert told(ledger) == [("promote", "rollback"), ("promote", "champion")]
    (entry,) = ledger.journal.entries()
    assert (entry.state, [step.state for step in entry.steps]) == ("done", ["done", "done"])


async def test_a_plan_made_of_what_was_overtaken_is_not_applied(fraud: Late, ledger: Ledger) -> None:
    await promote(fraud, ledger)
    before = dict(fraud.tagged)
    with pytest.raises(TagMoved, match="kittui moved"):
        await apply_changes(await plan_rollback(fraud), ledger, Policy())
    assert fraud.tagged == before
    await promote(fraud, ledger)  # the same once more, which changes nothing
    assert fraud.tagged == before
    fraud.settle()
    assert (await promote(fraud, ledger)).changes == ()


async def test_a_tag_that_was_moved_just_now_is_not_promoted_from_its_former_digest(
    fraud: Late, ledger: Ledger
) -> None:
    fraud.add_kit("three", "v1.2.0")
    plan = await plan_retag(fraud, Tag("v1.2.0"), [(fraud, Tag("challenger"))])
    await apply_retag(plan, ledger, Policy())
    with pytest.raises(TagMoved, match="challenger"):
        await promote(fraud, ledger)
    assert stages_of(fraud)["champion"] == "v1.0.0"
    fraud.settle()
    await promote(fraud, ledger)
    assert stages_of(fraud)["champion"] == "v1.2.0"


async def test_undo_takes_back_what_does_not_show_yet(fraud: Late, ledger: Ledger) -> None:
    await promote(fraud, ledger)
    undo = await plan_undo(fraud, ledger)
    assert [change.tag for change in undo.plan.changes] == ["champion", "rollback"]
    await apply_undo(undo, ledger, Policy())
    assert stages_of(fraud) == {"rollback": "v0.9.0", "champion": "v1.0.0", "challenger": "v1.1.0"}
    assert told(ledger)[2:] == [("undo", "champion"), ("undo", "rollback")]
    assert last_change(ledger) is None
    fraud.settle()
    assert stages_of(fraud) == {"rollback": "v0.9.0", "champion": "v1.0.0", "challenger": "v1.1.0"}


async def test_a_new_tag_and_a_removed_one_show_late(fraud: Late, ledger: Ledger) -> None:
    done = await apply_retag(await plan_retag(fraud, Tag("v1.1.0"), [(fraud, Tag("new"))]), ledger, Policy())
    assert done.done[0].unseen == ("new",)
    assert stages_of(fraud)["new"] == "v1.1.0"
    fraud.settle()
    removed = await apply_remove(await plan_remove(fraud, Tag("new")), ledger, Policy())
    assert removed.unseen == ("new",)
    assert "new" not in fraud.tagged
    assert told(ledger) == [("tag", "new"), ("remove", "new")]


async def test_undo_of_a_new_tag_that_does_not_show_yet_removes_it(fraud: Late, ledger: Ledger) -> None:
    await apply_retag(await plan_retag(fraud, Tag("v1.1.0"), [(fraud, Tag("new"))]), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert "new" not in fraud.tagged


@pytest.mark.parametrize("lag", [0, 2])
async def test_a_third_digest_is_somebody_else(fraud: Late, ledger: Ledger, lag: int) -> None:
    fraud.lag = lag
    other = fraud.add_kit("theirs", "v6.6.6").digest

    def meddle(repository: MemoryRepository, verb: str, what: str) -> None:
        if what == "champion":
            repository.tagged["champion"] = other

    fraud.source.after_put.append(meddle)
    with pytest.raises(TagMoved, match="champion"):
        await promote(fraud, ledger)
    assert told(ledger) == [("promote", "rollback"), ("promote", "champion")]
    (entry,) = ledger.journal.entries()
    assert (entry.state, [step.state for step in entry.steps]) == ("done", ["done", "done"])


async def test_a_read_that_fails_after_a_move_was_accepted_does_not_lose_it(fraud: Late, ledger: Ledger) -> None:
    fraud.lag = 0
    moved: list[str] = []
    fraud.source.after_put.append(lambda repository, verb, what: moved.append(what))

    def break_off(repository: MemoryRepository, verb: str, what: str) -> None:
        if moved and verb == "HEAD" and what.removeprefix("fraud/") == moved[-1]:
            raise ConnectionLost("the connection broke")

    fraud.source.hooks.append(break_off)
    assert (await promote(fraud, ledger)).unseen == ("rollback", "champion")
    assert told(ledger) == [("promote", "rollback"), ("promote", "champion")]


async def test_what_was_refused_is_not_written_down_as_done(fraud: Late, ledger: Ledger) -> None:
    def refuse(repository: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "champion"):
            raise Denied("no", hint="ask")

    def put(repository: MemoryRepository, verb: str, what: str) -> None:
        refuse(repository, verb, what.removeprefix("fraud/"))

    fraud.lag = 0
    fraud.source.hooks.append(put)
    with pytest.raises(Denied):
        await promote(fraud, ledger)
    (entry,) = ledger.journal.entries()
    assert (entry.state, [step.state for step in entry.steps]) == ("done", ["done", "planned"])
    assert told(ledger) == [("promote", "rollback")]


async def test_what_somebody_else_has_done_already_is_not_ours(fraud: Late, ledger: Ledger) -> None:
    fraud.lag = 0
    plan = await plan_promote(fraud)
    await promote(fraud, ledger)
    await apply_changes(plan, ledger, Policy())
    assert told(ledger) == [("promote", "rollback"), ("promote", "champion")]
    entry = last_change(ledger)
    assert entry is not None
    assert [step.state for step in entry.steps] == ["done", "done"]


async def test_bytes_are_compared_where_addresses_are_of_another_algorithm(
    fraud: Late, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that keeps manifests by sha512 and answers so for tags."""
    fraud.lag = 0
    plain_resolve, plain_manifest = fraud.resolve, fraud.manifest

    async def manifest(target: str) -> Manifest:
        found = await plain_manifest(parse_target(target))
        digest = found.digest if ":" in target else Digest.of(found.raw, "sha512")
        return Manifest.parse(found.raw, found.media_type, digest)

    async def resolve(target: str) -> Descriptor:
        # By HEAD it answers with the other of the two.
        return await plain_resolve(parse_target(target))

    monkeypatch.setattr(fraud, "manifest", manifest)
    monkeypatch.setattr(fraud, "resolve", resolve)
    done = await promote(fraud, ledger)
    assert done.unseen == ()
    assert stages_of(fraud)["champion"] == "v1.1.0"
    assert (await promote(fraud, ledger)).changes == ()


async def test_a_move_that_a_killed_run_made_is_not_a_late_reading_of_an_earlier_one(ledger: Ledger) -> None:
    """Promoted, rolled back, promoted again and killed after the PUT: the tag is where it was before the roll back."""
    fraud = MemorySource().repository("fraud")
    one, two = fraud.add_kit("one", "champion", "rollback").digest, fraud.add_kit("two", "challenger").digest
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    await apply_changes(await plan_rollback(fraud), ledger, Policy())

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    with crashing("tags.after-put", kill), pytest.raises(Killed):
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    await apply_changes(await plan_promote(fraud), ledger, Policy())

    assert fraud.tagged["champion"] == two
    moves = [(event.before, event.after) for event in ledger.history.events(tag="champion")]
    assert moves == [(one, two), (two, one), (one, two)]


async def test_what_was_accepted_and_can_not_be_read_is_no_success(fraud: Late, ledger: Ledger) -> None:
    """A registry that remembers a manifest which it has collected takes it without storing it."""
    fraud.lag = 0
    plan = await plan_retag(fraud, Tag("v1.1.0"), [(fraud, Tag("new"))])

    def lose(repository: MemoryRepository, verb: str, what: str) -> None:
        del repository.manifests[repository.tagged["v1.1.0"]]

    fraud.source.after_put.append(lose)
    with pytest.raises(RegistryError, match="can't return its manifest"):
        await apply_retag(plan, ledger, Policy())

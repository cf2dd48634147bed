"""A tag that goes by a placeholder is gone, or where it was, or known to be on it: however the removal ends."""

from __future__ import annotations

import asyncio

import pytest

from kittui.errors import Denied, KittuiError, NotFound, RegistryError
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.usecases.change import placeholder, tags
from kittui.usecases.change import remove as remove_module
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import is_on_placeholder
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.removal import plan_remove
from kittui.usecases.change.remove import apply_remove
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.lifecycle import repository_of_three
from tests.change.test_half_way import Held, newest, states
from tests.change.test_half_way import stopped as stopped_at
from tests.fakes.memory import MemoryRepository

ROLLBACK = Tag("rollback")


@pytest.fixture
def fraud(monkeypatch: pytest.MonkeyPatch) -> MemoryRepository:
    monkeypatch.setattr(tags, "STOPPING", 0.05)
    monkeypatch.setattr(placeholder, "PUTTING_BACK", 0.05)
    repository = repository_of_three()
    repository.source.powers["untag"] = Power("no", "tags stay")
    return repository


async def remove(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_remove(await plan_remove(fraud, ROLLBACK, "placeholder"), ledger, Policy())


def refuse(fraud: MemoryRepository, *verbs: str) -> None:
    """Refuse to delete manifests, and to move the tag once it is on its placeholder."""
    before = fraud.tagged["rollback"]

    def refused(_: MemoryRepository, verb: str, what: str) -> None:
        placed = fraud.tagged["rollback"] != before
        if verb in verbs and (verb == "DELETE" or (what == "rollback" and placed)):
            raise Denied("no deletes for you")

    fraud.source.hooks.append(refused)


async def stopped(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at: str, *, dead: bool = False
) -> list[str]:
    """Stop a removal in a request that nobody answers: to put the placeholder or to delete it."""
    asked, never = asyncio.Event(), asyncio.Event()
    put, delete = fraud.put_manifest, fraud.delete

    async def held_put(raw: bytes, media_type: str, tag: str | None = None) -> object:
        if dead and asked.is_set():
            await never.wait()
        done = await put(raw, media_type, tag)
        if at == "put" and not asked.is_set():
            asked.set()
            await never.wait()
        return done

    async def held_delete(digest: object) -> None:
        asked.set()
        await never.wait()

    with monkeypatch.context() as patched:
        patched.setattr(fraud, "put_manifest", held_put)
        patched.setattr(fraud, "delete", held_delete)
        task = asyncio.create_task(remove(fraud, ledger))
        await asked.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert fraud.delete == delete
    return [*getattr(caught.value, "__notes__", ())]


@pytest.mark.parametrize("at", ["put", "delete"])
async def test_a_tag_whose_removal_is_stopped_is_put_back(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    before = dict(fraud.tagged)
    notes = await stopped(fraud, ledger, monkeypatch, at)
    assert notes == ["Nothing was changed.", "rollback was restored."]
    assert fraud.tagged == before
    assert states(newest(ledger)) == {"": "abandoned", "rollback": "planned"}
    await remove(fraud, ledger)
    assert "rollback" not in fraud.tagged


async def test_a_tag_that_can_not_be_put_back_is_found_by_undo_also_after_another_change(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(fraud.tagged)
    notes = await stopped(fraud, ledger, monkeypatch, "delete", dead=True)
    assert notes == ["May have been done: rollback."]
    assert await is_on_placeholder(fraud, ROLLBACK)
    other = TagChange(Tag("other"), None, await fraud.manifest(Tag("v1.1.0")))
    await apply_changes(ChangePlan(fraud, "tag", (other,)), ledger, Policy())
    assert states(ledger.journal.entries()[1]) == {"": "open", "rollback": "started"}
    fraud.source.powers["untag"] = Power("yes", "")
    for _ in range(2):
        await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_the_same_again_removes_what_is_left_on_a_placeholder_after_another_change(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(fraud.tagged)
    await stopped(fraud, ledger, monkeypatch, "delete", dead=True)
    other = TagChange(Tag("other"), None, await fraud.manifest(Tag("v1.1.0")))
    await apply_changes(ChangePlan(fraud, "tag", (other,)), ledger, Policy())
    await remove(fraud, ledger)
    assert "rollback" not in fraud.tagged
    event = ledger.history.events(tag="rollback")[0]
    assert (event.before, event.after) == (before["rollback"], None)
    assert not any(b"placeholder" in raw for _, raw in fraud.manifests.values())


async def test_a_tag_whose_placeholder_must_not_be_deleted_is_put_back(fraud: MemoryRepository, ledger: Ledger) -> None:
    before = dict(fraud.tagged)
    refuse(fraud, "DELETE")
    with pytest.raises(Denied, match="no deletes for you"):
        await remove(fraud, ledger)
    assert fraud.tagged == before
    assert states(newest(ledger)) == {"": "abandoned", "rollback": "planned"}


async def test_a_placeholder_that_finds_no_place_is_no_removal(fraud: MemoryRepository, ledger: Ledger) -> None:
    before = dict(fraud.tagged)

    def missing(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "rollback"):
            raise NotFound("there is no repository fraud")

    fraud.source.hooks.append(missing)
    with pytest.raises(NotFound, match="no repository"):
        await remove(fraud, ledger)
    assert fraud.tagged == before
    assert states(newest(ledger)) == {"": "abandoned", "rollback": "planned"}


async def test_a_tag_that_must_not_be_put_back_either_is_said_to_be_on_a_placeholder(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    before = dict(fraud.tagged)
    refuse(fraud, "DELETE", "PUT")
    with pytest.raises(RegistryError) as caught:
        await remove(fraud, ledger)
    assert caught.value.message.startswith(
        "rollback points to a placeholder that can't be deleted (no deletes for you)"
    )
    assert "kittui undo remote://registry.test/fraud" in (caught.value.hint or "")
    assert states(newest(ledger)) == {"": "open", "rollback": "started"}
    fraud.source.hooks.clear()
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_a_delete_that_fails_after_its_digest_went_says_so(fraud: MemoryRepository, ledger: Ledger) -> None:
    manifest = await fraud.manifest(ROLLBACK)
    subject = manifest.descriptor
    raw = (
        f'{{"schemaVersion": 2, "mediaType": "{OCI_MANIFEST}", "layers": [], "subject": '
        f'{{"mediaType": "{OCI_MANIFEST}", "digest": "{subject.digest}", "size": {subject.size}}}}}'
    )
    attached = await fraud.put_manifest(raw.encode(), OCI_MANIFEST)

    def refused(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("DELETE", attached.digest):
            raise Denied("no", hint="Ask for it.")

    fraud.source.hooks.append(refused)
    plan = await plan_remove(fraud, ROLLBACK, "delete", referrers=True)
    with pytest.raises(KittuiError) as caught:
        await apply_remove(plan, ledger, Policy())
    assert manifest.digest not in fraud.manifests
    assert caught.value.hint == f"Done: {manifest.digest.short} deleted. Ask for it."


async def test_a_delete_that_is_refused_while_it_stops_is_said_not_to_be_done(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove_module, "STOPPING", 60.0)
    before = dict(fraud.tagged)
    plan = await plan_remove(fraud, ROLLBACK, "delete")
    held = Held(fraud, "delete", plan.manifest.digest, Denied("deletes are for admins"))
    assert await stopped_at(apply_remove(plan, ledger, Policy()), held) == [
        f"{plan.manifest.digest.short} was not deleted.",
        "deletes are for admins.",
    ]
    assert fraud.tagged == before

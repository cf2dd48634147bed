"""A clean-up: what goes and what stays by age, stage and tags, one plan, its record, and what can't be undone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete, TagEntry
from kittui.oci.tag import Tag
from kittui.trust.documents import read_age
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.change.clean import Cleaner, CleanRules, Selected
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.memory import MemoryRepository, MemorySource

FRAUD = "local://127.0.0.1:5055/fraud"
NOW = datetime(2026, 6, 30, tzinfo=UTC)


def dated(repository: MemoryRepository, name: str, *tags: str, days: int | None) -> str:
    """A ModelKit that was made so many days ago; without a date for None."""
    created = {"org.opencontainers.image.created": (NOW - timedelta(days=days)).isoformat()} if days is not None else {}
    return str(repository.add_kit(name, *tags, annotations=created).digest)


@pytest.fixture
def fraud() -> MemoryRepository:
    source = MemorySource()
    source.describes_tags = True
    repository = source.repository("fraud")
    dated(repository, "one", "champion", "v1", days=90)
    dated(repository, "two", "v2", days=60)
    dated(repository, "three", "retired", "v3", days=45)
    dated(repository, "four", "v4", days=5)
    dated(repository, "five", "keep", days=70)
    dated(repository, "six", "v6", days=None)
    dated(repository, "seven", days=80)
    return repository


async def selected(repository: MemoryRepository, rules: CleanRules) -> tuple[set[str], Selected]:
    stages = frozenset(map(Tag, ("champion", "challenger", "rollback", "retired")))
    found = await Cleaner(ModelKits(), stages, {"keep"}, NOW).select([repository], rules)
    names: dict[Digest | None, str] = {}
    for page in [page async for page in repository.tags()]:
        for entry in page:
            names.setdefault(entry.descriptor.digest if entry.descriptor else None, entry.name or "untagged")
    return {str(names[Digest.parse(target)]) for _, target in found.rows}, found


@pytest.mark.parametrize(
    ("rules", "goes", "stays"),
    [
        (CleanRules(untagged=True), {"untagged"}, {}),
        (CleanRules(older=timedelta(days=30)), {"v2", "untagged"}, {
            "it is champion": ["fraud:champion"],
            "it is retired": ["fraud:retired"],
            "keep is protected": ["fraud:keep"],
            "it has no date": ["fraud:v6"],
        }),
        (CleanRules(stages=frozenset({Tag("retired")})), {"retired"}, {}),
        (CleanRules(stages=frozenset({Tag("retired")}), older=timedelta(days=50)), set(), {}),
        (CleanRules(untagged=True, older=timedelta(days=79)), {"untagged"}, {}),
        (CleanRules(untagged=True, older=timedelta(days=81)), set(), {}),
    ],
)  # fmt: skip
async def test_the_rules_say_what_goes(
    fraud: MemoryRepository, rules: CleanRules, goes: set[str], stays: dict[str, list[str]]
) -> None:
    names, found = await selected(fraud, rules)
    assert names == goes
    assert {why: [name.rpartition("/")[2] for name in names] for why, names in found.stays.items()} == stays
    assert found.failed == []


async def test_a_list_that_a_registry_does_not_give_to_its_end_takes_nothing(
    fraud: MemoryRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [page async for page in fraud.tags()]

    async def cut(_: MemoryRepository) -> AsyncIterator[Sequence[TagEntry]]:
        for page in pages:
            yield page
        raise Incomplete("list the tags", "the registry cut it")

    monkeypatch.setattr(MemoryRepository, "tags", cut)
    found = await Cleaner(ModelKits(), frozenset(), (), NOW).select([fraud], CleanRules(untagged=True))
    assert (found.rows, [error.code for error in found.failed]) == ([], ["incomplete"])


@pytest.mark.parametrize(
    ("text", "age"),
    [("12h", timedelta(hours=12)), ("30d", timedelta(30)), ("6w", timedelta(42)), ("1y", timedelta(365)), ("d", None),
     ("-3d", None), ("3 d", None), ("999999d", None), ("", None)],
)  # fmt: skip
def test_ages(text: str, age: timedelta | None) -> None:
    assert read_age(text) == age


def test_a_clean_up_of_the_store_says_what_it_frees_and_frees_it(kittui: Run, kithome: Path) -> None:
    blobs = kithome / "storage" / "blobs" / "sha256"
    before = sum(path.stat().st_size for path in blobs.iterdir())
    planned = kittui("clean", "local://", "--untagged", "--dry-run", "--json").json
    assert planned["dry_run"] is True
    assert {one["action"] for one in planned["plans"]} == {"delete"}
    frees = sum(one["freed"] for one in planned["plans"])
    assert any("can't be undone" in line for line in planned["text"]), planned["text"]
    assert sum(path.stat().st_size for path in blobs.iterdir()) == before

    done = kittui("clean", "local://", "--untagged", "--yes", "--json").json
    assert done["freed"] == frees == before - sum(path.stat().st_size for path in blobs.iterdir()) > 5_000
    assert [digest for one in done["removed"] for digest in one["deleted"]]
    assert done["failed"] == []
    again = kittui("clean", "local://", "--untagged", "--yes")
    assert (again.status, again.out) == (0, "no ModelKits without a tag; nothing was deleted\n")


def test_a_clean_up_is_in_the_history_and_what_is_gone_cannot_be_undone(kittui: Run) -> None:
    assert kittui("tag", f"{FRAUD}:rollback", "retired", "--yes").status == 0
    stays = kittui("clean", FRAUD, "--stage", "retired", "--yes")
    assert stays.status == 0
    assert f"stays, as it is rollback: {FRAUD}:retired" in stays.out.replace("v0.9.0", "retired")
    assert kittui("remove", f"{FRAUD}:rollback", "--yes").status == 0
    ran = kittui("clean", FRAUD, "--stage", "retired", "--yes", "--reason", "room")
    assert ran.status == 0, ran.err
    assert "1 ModelKit removed" in ran.out
    assert "freed" in ran.out
    events = kittui("history", FRAUD, "--json").json["events"]
    assert (events[0]["action"], events[0]["after"], events[0]["reason"]) == ("delete", None, "room")
    assert kittui("undo", FRAUD, "--yes").status == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("local://",), 2, "no rule was given"),
        (("local://", "--untagged", "--stage", "retired"), 2, "--untagged and --stage exclude each other"),
        (("local://", "--older-than", "soon"), 2, "'soon' is not an age"),
        (("local://", "--untagged"), 2, "--yes"),
        (("local://", "--untagged", "--yes", "--read-only"), 1, "read-only"),
        (("oci:nowhere", "--untagged", "--yes"), 1, "is not an OCI image layout"),
        (("gc", "local://"), 2, ""),
    ],
)
def test_what_is_refused_changes_nothing(
    kittui: Run, kithome: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    before = sorted((kithome / "storage").rglob("*"))
    ran = kittui("clean", *words)
    assert (ran.status, said in ran.err) == (status, True), ran
    assert sorted((kithome / "storage").rglob("*")) == before


@pytest.mark.real
def test_a_registry_is_cleaned_of_a_stage(kittui: Run, kit_registry: DockerRegistry) -> None:
    reference = f"{kit_registry.host}/fraud"
    digest = kittui("show", f"{reference}:tuning", "--json").json["digest"]
    champion = kittui("show", f"{reference}:champion", "--json").json["digest"]
    planned = kittui("clean", f"{kit_registry.host}", "--stage", "tuning", "--dry-run", "--json").json
    assert [one["deleted"] for one in planned["plans"]] == [[digest]]
    assert planned["plans"][0]["freed"] is None
    ran = kittui("clean", f"{kit_registry.host}", "--stage", "tuning", "--yes")
    assert ran.status == 0, ran.err
    assert kit_registry.request("HEAD", f"/v2/fraud/manifests/{digest}")[0] == 404
    assert kittui("show", f"{reference}:champion", "--json").json["digest"] == champion
    assert json.loads(kittui("clean", reference, "--stage", "tuning", "--yes", "--json").out)["removed"] == []

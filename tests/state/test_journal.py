"""Journal and history: what is read back is what was written, and nothing hostile or torn is believed."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kittui.disk import locks
from kittui.errors import Conflict
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.tag import Tag
from kittui.state import journal as journal_module
from kittui.state.history import Event, History
from kittui.state.journal import Entry, Journal, Step, new_id

A, B = Digest.of(b"a"), Digest.of(b"b")


def entry(number: int = 0, **changes: object) -> Entry:
    values: dict[str, object] = {"id": f"{new_id()}-{number:04}", "steps": (Step(Tag("champion"), A, B),), **changes}
    return Entry(time="t", actor="me", action="promote", repository="remote://r/x", **values)  # type: ignore[arg-type]


def event(number: int, tag: str = "champion") -> Event:
    return Event(f"e/{number}", "2026-01-01T00:00:00Z", "me", "tag", "remote://r/x", tag, None, A, "why")


def test_entries_come_back_newest_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first, second = entry(1), entry(2)
    journal.write(first)
    journal.write(second)
    journal.write(first.mark(0, "done"))
    assert journal.entries("remote://r/x") == [second, first.mark(0, "done")]
    assert journal.entries("remote://r/other") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=300))
def test_a_broken_entry_is_passed_over(tmp_path: Path, raw: bytes) -> None:
    journal = Journal(tmp_path)
    journal.directory.mkdir(exist_ok=True)
    (journal.directory / "x.json").write_bytes(raw)
    assert journal.entries() == []


def test_an_entry_with_a_hostile_digest_is_passed_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(entry())
    (path,) = journal.directory.glob("*.json")
    document = json.loads(path.read_text())
    document["steps"][0]["after"] = "sha256:../../x"
    path.write_text(json.dumps(document))
    assert journal.entries() == []


def test_manifests_are_kept_exactly_and_verified(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    raw = b'{"schemaVersion": 2,  "layers": [], "config": {"mediaType":"x","digest":"%s","size":1}}' % A.encode()
    manifest = Manifest.parse(raw)
    journal.keep(manifest)
    kept = journal.manifest(manifest.digest)
    assert kept is not None
    assert kept.raw == raw
    (path,) = (journal.directory / "manifests").iterdir()
    path.write_bytes(path.read_bytes().replace(b"schemaVersion", b"schemaversion"))
    assert journal.manifest(manifest.digest) is None
    assert journal.manifest(A) is None


def test_old_entries_go_with_their_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT", 2)
    journal = Journal(tmp_path)
    raw = b'{"schemaVersion":2,"layers":[],"config":{"mediaType":"x","digest":"%s","size":1}}' % A.encode()
    manifest = Manifest.parse(raw)
    journal.keep(manifest)
    journal.write(entry(0, steps=(Step(Tag("x"), None, manifest.digest),), state="done"))
    opened = entry(1)
    journal.write(opened)
    for number in range(2, 5):
        journal.write(entry(number, state="done"))
    journal.prune()
    assert len(journal.entries()) == 3
    assert opened in journal.entries()
    assert journal.manifest(manifest.digest) is None


async def test_one_at_a_time_changes_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, other = Journal(tmp_path), Journal(tmp_path)
    refused, attempt = asyncio.Event(), locks._attempt

    def attempted(*arguments: Any) -> Any:
        held = attempt(*arguments)
        if held is None:
            refused.set()
        return held

    monkeypatch.setattr(locks, "_attempt", attempted)
    async with journal.lock("remote://r/x"):
        async with other.lock("remote://r/y"):
            pass
        waiting = asyncio.create_task(other.lock("remote://r/x").__aenter__())
        await refused.wait()
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises((asyncio.CancelledError, Conflict)):
            await waiting


def test_events_are_appended_once_and_survive_a_torn_line(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.append(event(1))
    history.append(event(1))
    with history.path.open("ab") as file:
        file.write(b'{"id": "torn')
    history.append(event(2, "rollback"))
    assert [found.id for found in history.events()] == ["e/2", "e/1"]
    assert [found.tag for found in history.events("remote://r/x", "rollback")] == ["rollback"]
    assert history.path.stat().st_mode & 0o777 == 0o600


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    def write(start: int) -> None:
        for number in range(start, start + 10):
            History(tmp_path).append(event(number))

    threads = [threading.Thread(target=write, args=(start,)) for start in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({found.id for found in History(tmp_path).events()}) == 40


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.binary(max_size=100), max_size=5))
def test_noise_in_the_history_is_no_event(tmp_path: Path, lines: list[bytes]) -> None:
    history = History(tmp_path)
    history.path.write_bytes(b"\n".join(lines))
    assert history.events() == []

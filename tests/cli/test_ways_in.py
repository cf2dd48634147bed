"""Ways into the commands: words of other programs, dry runs that change nothing, completion without a network."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from kittui.cli.app import CALLED, COMMANDS, program
from kittui.demo.stage import set_up
from kittui.demo.trusted import vouch
from tests.fakes.command_line import Run

FRAUD = "acme/fraud-detector"


@pytest.fixture
def models(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The demo's layout, with a store of its own, and its keys."""
    folder = tmp_path / "demo"
    folder.mkdir()

    async def prepare() -> Path:
        stage = await set_up(folder)
        await vouch(stage)
        return stage.models

    layout = asyncio.run(prepare())
    monkeypatch.setenv("KITOPS_HOME", str(folder / "store"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "work").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "work")
    return layout


def _content(folder: Path) -> dict[str, bytes]:
    """Every file that a command may change, with its bytes: all but what is kept to be faster."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "cache" not in path.relative_to(folder).parts and path.suffix != ".lock"
    }


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["rm", "acme/x:v1"], "kittui remove acme/x:v1"),
        (["untag", "acme/x:v1", "--json"], "kittui remove acme/x:v1 --json"),
        (["delete", "acme/x:v1"], "kittui remove --delete acme/x:v1"),
        (["rm"], "kittui remove"),
        (["inspect", "a b"], "kittui show 'a b'"),
    ],
)
def test_words_of_other_programs_say_what_they_are_called_here(kittui: Run, typed: list[str], hint: str) -> None:
    ran = kittui(*typed)
    assert ran.status == 2
    assert f"{typed[0]} is called " in ran.err
    assert hint in ran.err


def test_every_such_word_names_a_command() -> None:
    assert {form.split()[0] for form in CALLED.values()} <= set(COMMANDS)
    assert not set(CALLED) & set(COMMANDS)


def test_hidden_commands_do_not_show(kittui: Run) -> None:
    assert "kittui open" not in kittui("registry.acme.dev", "--help").out
    ran = kittui("registry.acme.dev", "--nope")
    assert ran.status == 2
    assert "kittui --help" in ran.err
    assert "open" not in ran.err
    assert "open" not in _complete([], "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tag", "{ref}:v1.1.0", "stable", "champion"], "stable: none -> "),
        (["remove", "{ref}:v0.9.0"], "Untag v0.9.0"),
        (["remove", "--delete", "{ref}:v1.1.0", "{ref}:retired"], "Delete "),
        (["promote", "{ref}"], "champion: "),
        (["rollback", "{ref}"], "champion: "),
        (["pull", "{ref}:challenger"], "blobs to move"),
        (["push", "local://acme/fraud-detector:champion", "oci:other/x:v1"], "blobs to move"),
        (["copy", "{ref}:champion", "oci:new:v1"], "blobs to move"),
        (["unpack", "{ref}:champion", "-d", "out"], "Kitfile"),
        (["sign", "{ref}:champion", "--key", "key.pem"], "signed with key.pem"),
        (["approve", "{ref}:challenger", "--key", "key.pem"], "Approve "),
        (["reject", "{ref}:challenger", "--key", "key.pem"], "Reject "),
        (["bom", "--attach", "{ref}:challenger", "--key", "key.pem"], "Attach a BOM"),
        (["attest", "{ref}:champion", "--type", "test-result", "--predicate", "p.json", "--key", "key.pem"], "Attest "),
        (["evidence", "{ref}:champion", "-d", "audit"], "SHA256SUMS"),
        (["login", "registry.acme.dev"], "Log in to registry.acme.dev"),
        (["logout", "registry.acme.dev"], "Delete the login"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_dry_run_shows_the_plan_and_changes_nothing(
    kittui: Run, models: Path, arguments: list[str], says: str
) -> None:
    Path("p.json").write_text("{}")
    before = _content(models.parent)
    typed = [word.format(ref=f"oci:{models}/{FRAUD}") for word in arguments]
    for options in (["--dry-run"], ["--dry-run", "--read-only"], ["--dry-run", "--yes"]):
        ran = kittui(*typed, *options)
        assert ran.status == 0, ran.err
        assert says in ran.out
    document = json.loads(kittui(*typed, "--dry-run", "--json").out)
    assert document["dry_run"] is True
    assert document["plans"][0]["action"]
    assert _content(models.parent) == before


def test_a_dry_run_of_undo_names_what_goes_back(kittui: Run, models: Path) -> None:
    reference = f"oci:{models}/{FRAUD}"
    untouched = _content(models.parent)
    assert kittui("tag", f"{reference}:v1.1.0", "stable").status == 2, "there is nobody to ask"
    assert _content(models.parent) == untouched
    assert kittui("tag", f"{reference}:v1.1.0", "stable", "--yes").status == 0
    before = _content(models.parent)
    ran = kittui("undo", reference, "--dry-run")
    assert (ran.status, _content(models.parent)) == (0, before)
    assert "stable: " in ran.out
    ran = kittui("tag", f"{reference}:v1.1.0", "stable", "--dry-run")
    assert "Nothing to do" in ran.out
    assert _content(models.parent) == before


def test_every_command_that_changes_something_takes_a_dry_run() -> None:
    context = program.make_context("kittui", [], resilient_parsing=True)
    taking = {
        name
        for name in COMMANDS
        if any("--dry-run" in param.opts for param in (program.get_command(context, name) or program).params)
    }
    reading = {"demo", "ls", "show", "tree", "cat", "diff", "find", "timeline", "history", "verify", "board", "du"}
    assert set(COMMANDS) - taking == reading | {"report", "gate", "index"}
    index = program.get_command(context, "index")
    assert isinstance(index, click.Group)
    dry = {name for name, one in index.commands.items() if any("--dry-run" in param.opts for param in one.params)}
    assert set(index.commands) - dry == {"list"}


def _complete(words: list[str], incomplete: str) -> set[str]:
    completer = ShellComplete(program, {}, "kittui", "_KITTUI_COMPLETE")
    return {item.value for item in completer.get_completions(words, incomplete)}


def test_references_are_completed_from_what_is_known_here(
    kittui: Run, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"registries: [{{host: registry.nowhere.invalid, repositories: [team/model]}}]\nlayouts: [{models}]\n"
    )
    monkeypatch.setenv("KITTUI_CONFIG", str(config))
    monkeypatch.setattr("kittui.cli.compose.Composition.registry", None)  # asking one would fail
    assert _complete(["show"], "registry.no") == {"registry.nowhere.invalid", "registry.nowhere.invalid/team/model"}
    assert f"{FRAUD}:champion" in _complete(["remove"], f"{FRAUD}:")
    assert f"oci:{models}/{FRAUD}" in _complete(["diff"], f"oci:{models}/")
    assert f"oci:{models}/{FRAUD}:challenger" in _complete(["diff", "x"], f"oci:{models}/{FRAUD}:ch")
    assert f"local://{FRAUD}:v1.0.0" in _complete([], f"local://{FRAUD}:")
    assert "promote" in _complete([], "pro")


def test_tags_of_registries_that_were_looked_at_are_completed(home: Path) -> None:
    from kittui.oci.digest import Digest
    from kittui.state.cache import DiskCache

    cache = DiskCache(home / ".cache" / "kittui")
    cache.note_tag("remote://registry.acme.dev acme/fraud:v1", Digest.of(b"x"))
    assert cache.tag("remote://registry.acme.dev acme/fraud:v1") == Digest.of(b"x")
    assert _complete(["show"], "registry.acme.dev/acme/fraud:") == {"registry.acme.dev/acme/fraud:v1"}

"""What a script may rely on: exit statuses, errors as JSON, where text goes, configuration."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from kittui.cli.options import Options
from kittui.cli.run import guarded
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry, StartRegistry, free_port

HTPASSWD = "ada:$2b$04$PAfsb7.jjVjpBPrpnWeUG.I.lb4kV8m/MAAQr7PT0UGJcCBcLw5Ki\n"
"""The password is `secret`."""


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["show", "UPPER:x"], 2, "bad-reference"),
        (["show", "a:b:c/d"], 2, "bad-reference"),
        (["show", "x@sha256:zz"], 2, "bad-reference"),
        (["show", "nowhere:v1"], 1, "not-found"),
        (["show", "local://127.0.0.1:5055/fraud:nope"], 1, "not-found"),
        (["show", "oci:/nonexistent:v1"], 1, None),
        (["ls", "local://nowhere"], 1, "not-found"),
        (["ls", "local://127.0.0.1:5055/fraud:v1.0.0"], 2, "usage"),
        (["show"], 2, "usage"),
        (["show", "--nope", "x"], 2, "usage"),
        (["shwo", "x"], 2, "usage"),
        (["ftp://x/y"], 2, None),
        ([], 2, "terminal-needed"),
        (["login", "127.0.0.1:5055"], 2, "terminal-needed"),
        (["verify", "127.0.0.1:5055/fraud:v1.0.0", "--public-key", "/nonexistent"], 2, "usage"),
    ],
)
def test_exit_status_and_error_object(arguments: list[str], status: int, code: str | None, kittui: Run) -> None:
    ran = kittui(*arguments, "--json")
    assert ran.status == status, ran.err
    assert set(ran.error) == {"code", "message", "hint", "reference"}
    assert code in (None, ran.error["code"])
    assert "Traceback" not in ran.err
    plain = kittui(*arguments)
    assert (plain.status, plain.out) == (status, "")
    assert plain.err.startswith("kittui: ")


def test_nobody_there_is_status_4(kittui: Run) -> None:
    ran = kittui("--json", "ls", f"127.0.0.1:{free_port()}/fraud")
    assert (ran.status, ran.error["code"]) == (4, "unreachable")


@pytest.mark.real
def test_a_registry_without_our_repository_is_status_1(kittui: Run, shared_kit_registry: DockerRegistry) -> None:
    assert kittui("ls", f"remote://{shared_kit_registry.host}/nothing").status == 1
    assert kittui("show", f"{shared_kit_registry.host}/fraud:nothing").status == 1


@pytest.mark.real
def test_login_is_needed_tried_kept_and_forgotten(
    kittui: Run, docker_registry: StartRegistry, kithome: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = docker_registry(htpasswd=HTPASSWD).host
    denied = kittui("--json", "ls", host)
    assert denied.status == 3
    for password, status in (("wrong\n", 3), ("secret\n", 0)):
        secret = tmp_path / "password"
        secret.write_text(password)
        with secret.open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            ran = kittui("login", host, "-u", "ada", "--password-stdin")
        assert ran.status == status, ran.err
        assert "secret" not in ran.out + ran.err
        kept = kithome / "credentials.json"
        assert kept.exists() == (status == 0)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert host in json.loads(kept.read_text())["auths"]
    log = tmp_path / "log"
    assert kittui("ls", "--json", host, "--log-file", str(log)).json["repositories"] == []
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "YWRh" not in log.read_text()
    assert kittui("logout", host).status == 0
    assert kittui("ls", host).status == 3
    assert kittui("logout", host).status == 1


def test_options_before_and_behind_the_command(kittui: Run, kithome: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KITOPS_HOME")
    store = ["--store", str(kithome)]
    for arguments in ([*store, "--json", "ls"], ["ls", *store, "--json"], ["--json", "ls", *store]):
        assert len(kittui(*arguments).json["repositories"]) == 7
    assert kittui("ls", "--json").json["repositories"] == []


def test_a_pipe_gets_plain_text_and_stderr_the_rest(kittui: Run) -> None:
    ran = kittui("ls", "local://127.0.0.1:5055/fraud")
    assert "\x1b" not in ran.out
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert lines[0].split() == ["TAG", "DIGEST", "SIZE", "AGE", "STAGE", "SIGNED"]
    assert [line.split()[0] for line in lines[-3:]] == ["v0.9.0", "v1.0.0", "v1.1.0"]


def test_tags_are_in_natural_order(kittui: Run) -> None:
    rows = kittui("ls", "--json", "local://127.0.0.1:5055/fraud").json["tags"]
    tags = [row["tag"] for row in rows]
    assert tags == ["challenger", "champion", "rollback", "tuning", "v0.9.0", "v1.0.0", "v1.1.0"]


def test_a_broken_tag_is_a_marked_row(kittui: Run, kithome: Path) -> None:
    digest = kittui("show", "--json", "local://myorg/fraud:prod").json["digest"]
    (kithome / "storage/blobs/sha256" / digest.removeprefix("sha256:")).unlink()
    (row,) = kittui("ls", "--json", "local://myorg/fraud").json["tags"]
    assert (row["tag"], row["size"]) == ("prod", None)
    assert row["problem"]
    assert kittui("ls", "local://myorg/fraud").status == 0


def test_a_name_with_a_host_means_that_registry(kittui: Run, kithome: Path) -> None:
    """Though the store holds it: the error names the copy, and --offline reads it."""
    host = f"127.0.0.1:{free_port()}"
    for kind in ("index", "tags"):
        for path in (kithome / "storage").glob(f"*-{kind}.json"):
            name = base64.urlsafe_b64decode(path.name.removesuffix(f"-{kind}.json")).decode()
            if name == "127.0.0.1:5055/fraud":
                renamed = base64.urlsafe_b64encode(f"{host}/fraud".encode()).decode()
                shutil.copy(path, path.with_name(f"{renamed}-{kind}.json"))
    asked = kittui("show", f"{host}/fraud:champion", "--json")
    assert asked.status == 4
    assert "local://" in asked.error["hint"]
    assert "--offline" in asked.error["hint"]
    assert kittui("show", f"{host}/fraud:champion", "--offline").status == 0
    assert kittui("ls", host, "--offline").status == 4


def test_ls_without_a_source_lists_every_configured_one(kittui: Run, home: Path) -> None:
    config = home / ".config" / "kittui" / "config.yaml"
    config.parent.mkdir(parents=True)
    host = f"127.0.0.1:{free_port()}"
    config.write_text(f"registries:\n  - host: {host}\n    repositories: [acme/fraud]\n")
    ran = kittui("ls", "--json")
    assert [one["source"] for one in ran.json["sources"]] == ["local://", f"remote://{host}"]
    assert "can't be reached" in ran.json["sources"][1]["problem"]
    assert kittui("ls").status == 0


def test_a_mistake_in_the_configuration_is_told_and_does_no_harm(kittui: Run, home: Path) -> None:
    config = home / "mine.yaml"
    config.write_text("concurrency: many\nthem: x\n")
    ran = kittui("ls", "--json", "--config", str(config))
    assert len(ran.json["repositories"]) == 7
    assert f"{config}:1: concurrency" in ran.err
    assert f"{config}:2: them: there is no such key" in ran.err
    assert kittui("ls", "--config", str(home / "none.yaml")).status == 0


def test_help_names_every_command_without_importing_them(kittui: Run) -> None:
    ran = kittui("--help")
    assert ran.status == 0
    for name in ("ls", "show", "tree", "promote", "verify", "doctor"):
        assert f"  {name} " in ran.out


def test_typos_are_told_apart_from_references(kittui: Run) -> None:
    assert "Did you mean kittui promote?" in kittui("promot").err
    assert "needs a terminal" in kittui("fraud-local").err


def test_all_tags_of_a_digest(kittui: Run) -> None:
    shown = kittui("show", "--json", "--all-tags", "local://127.0.0.1:5055/fraud:champion").json
    assert shown["tags"] == ["champion", "v1.0.0"]


def test_doctor(kittui: Run, kithome: Path) -> None:
    report = kittui("doctor", "--json").json
    assert report["store"]["repositories"] == 7
    assert report["store"]["problems"] == []
    index = kithome / "storage" / "index.json"
    index.write_text('{"schemaVersion":2,"manifests":[]}')
    broken = kittui("doctor", "--json")
    assert broken.status == 1
    assert json.loads(broken.out)["store"]["problems"]
    repaired = kittui("doctor", "--repair", "--json")
    assert repaired.json["repairs"]
    assert len(json.loads(index.read_text())["manifests"]) == 11
    assert kittui("doctor", "--repair", "--read-only").status == 1
    assert "nothing to repair" in kittui("doctor", "--repair", "--dry-run").out


def test_the_plan_of_a_repair_says_that_more_may_go(kittui: Run, kithome: Path) -> None:
    """A broken index hides what no ModelKit uses: no problem names it, and the repair deletes it."""
    unused = kithome / "storage" / "blobs" / "sha256" / sha256(b"unused").hexdigest()
    unused.write_bytes(b"unused")
    index = kithome / "storage" / "index.json"
    index.write_text("{")
    for path in (unused, index):
        os.utime(path, (0, 0))
    planned = kittui("doctor", "--repair", "--dry-run")
    assert "index.json" in planned.out
    assert "old unused blobs are deleted" in planned.out
    assert unused.exists()
    kittui("doctor", "--repair")
    assert not unused.exists()


@pytest.mark.real
def test_doctor_of_a_registry(kittui: Run, shared_kit_registry: DockerRegistry) -> None:
    checks = {one["name"]: one for one in kittui("doctor", "--json", shared_kit_registry.host).json["registry"]}
    assert {name: one["state"] for name, one in checks.items()} == {
        "registry": "good",
        "catalog": "good",
        "manifests": "good",
        "ranges": "good",
        "referrers": "warn",
        "repository": "good",
        "untagging": "warn",
        "deletes": "warn",
    }
    assert checks["deletes"]["remedy"]
    assert kittui("doctor", f"127.0.0.1:{free_port()}").status == 4


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kittui", *arguments]


def test_version_loads_no_command_line() -> None:
    code = (
        "import sys; sys.argv = ['kittui', '--version']\n"
        "from kittui.__main__ import main; main()\n"
        "heavy = {'click', 'textual', 'rich', 'httpx', 'pydantic', 'yaml', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("kittui ")


def test_ls_of_the_store_loads_no_network_and_no_interface(home: Path) -> None:
    code = (
        "import sys; from kittui.cli.app import main; assert main(['ls']) == 0\n"
        "heavy = {'textual', 'httpx', 'pydantic', 'cryptography', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_the_first_screen_loads_nothing_that_compares_or_decodes() -> None:
    code = (
        "import sys, kittui.cli.interface, kittui.tui.app\n"
        "heavy = ('kittui.compare.', 'kittui.formats.', 'kittui.usecases.diff.', 'zstandard', 'numpy')\n"
        "found = [name for name in sys.modules if name.startswith(heavy)]\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_a_reader_that_leaves_is_no_error(home: Path) -> None:
    with subprocess.Popen(
        program("show", "local://myorg/fraud:prod"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(20) == 0


def test_nothing_of_python_is_imported_before_an_interrupt_is_answered() -> None:
    seen = "import sys; before = set(sys.modules); import kittui.__main__; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "_signal", "kittui", "kittui.__main__"}


def test_an_interrupt_is_status_130(home: Path) -> None:
    """A registry that takes the connection and never answers."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            subprocess.Popen(
                program("ls", "--json", "--plain-http", host), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as running,
            silent.accept()[0] as connection,
        ):
            assert connection.recv(1) == b"G"  # the request is on its way: now an answer is waited for
            os.kill(running.pid, signal.SIGINT)
            out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, b"")
    assert json.loads(err)["error"]["code"] == "interrupted"


@pytest.mark.parametrize("noted", ["", "champion was set, rollback was not."])
def test_what_was_stopped_says_what_is_done_and_of_downloads_only_where_it_knows_no_more(
    capsys: pytest.CaptureFixture[str], noted: str
) -> None:
    def work() -> int:
        stopped = KeyboardInterrupt()
        if noted:
            stopped.add_note(noted)
        raise stopped

    assert guarded(Options(json=True), work) == 130
    hint = json.loads(capsys.readouterr().err)["error"]["hint"]
    assert hint == (noted or "Downloads so far are kept; run it again to continue.")

#!/usr/bin/env python3
"""Set kittui up from a fresh clone and run it, or all its checks, with nothing but Python and pip (or uv).

    python3 .ci/dev.py demo        open the demo
    python3 .ci/dev.py test        run every check and test, installing what they need
    python3 .ci/dev.py coverage    run the tests and list the lines that none of them reached
    python3 .ci/dev.py matrix      run the tests with each supported Python that is installed (both take pytest's words)
    python3 .ci/dev.py run ...     run any command in kittui's environment (`run kittui ls`)

Everything is put into this folder (`.tools`, `.venv`), so a Python that the system manages (PEP 668) is left alone.
The one exception: `test` installs skopeo from the system's packages when it may, because it needs their libraries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
TOOLS = HERE / ".tools"
VENV = HERE / ".venv"
UV = "uv>=0.13,<0.14"
REGISTRY = TOOLS / "debian" / "usr" / "bin"

PARALLEL = ("-n", "4", "--dist", "worksteal")
"""Twice as many at a time as there are cores in CI: the interface's tests and the registries' wait half of the time."""
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("format", ("ruff", "format", "--check", ".")),
    ("lint", ("ruff", "check", ".")),
    ("types", ("mypy",)),
    ("dependencies", ("deptry", "kittui")),
    ("the tests' dependencies", ("deptry", "tests", "docs", "--ignore", "DEP002,DEP004")),
    ("import contracts", ("lint-imports", "--no-logo")),
)
DEV = ("--group", "dev")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""What `matrix` looks for; those that are not installed are left out."""
MEMORY = "/dev/shm"
ROOM = 2 << 30
"""Bytes that have to be free in MEMORY for the tests' files to go there."""


def environment() -> dict[str, str]:
    """The caller's environment, with kittui's tools in front and what would mislead pip and uv left out.

    Compiled modules are kept: the tests start Python some hundred times.
    """
    unwanted = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    env = {key: value for key, value in os.environ.items() if key not in unwanted}
    env["PATH"] = os.pathsep.join(
        [str(VENV / "bin"), str(TOOLS / "bin"), env.get("PATH", os.defpath + ":/usr/bin"), str(REGISTRY)]
    )
    env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    env.update(UV_PROJECT_ENVIRONMENT=str(VENV), UV_PYTHON_DOWNLOADS="never")
    env.setdefault("UV_SYSTEM_CERTS", "1")
    env.setdefault("UV_LINK_MODE", "copy")
    if not _writable(env.get("HOME")):
        home = TOOLS / "home"
        home.mkdir(parents=True, exist_ok=True)
        env["HOME"] = str(home)
    return env


def _writable(folder: str | None) -> bool:
    return bool(folder) and Path(str(folder)).is_dir() and os.access(str(folder), os.W_OK | os.X_OK)


def run(command: Sequence[str], env: Mapping[str, str], *, quiet: bool = False, silent: bool = False) -> int:
    """Run a command in this folder and return its exit status.

    `quiet` shows its output only if it fails, `silent` not even then.
    """
    if not quiet and not silent:
        return subprocess.run(command, cwd=HERE, env=env, check=False).returncode
    done = subprocess.run(
        command,
        cwd=HERE,
        env=env,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode and not silent:
        sys.stderr.buffer.write(done.stdout)
    return done.returncode


def say(text: str) -> None:
    """Report progress on stderr."""
    print(text, file=sys.stderr, flush=True)


def prepare(env: Mapping[str, str], *parts: str) -> None:
    """Make the environment of uv.lock in `.venv`; ends the program with a sentence where that fails."""
    if sys.version_info < (3, 11):  # noqa: UP036 - older ones are told so
        sys.exit(f"kittui needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: python3.11 .ci/dev.py ...")
    uv = find_uv(env)
    say("Installing what kittui needs (into .venv) ...")
    if sync(uv, env, sys.executable, *parts):
        sys.exit("uv could not make the environment of uv.lock; the lines above say why.")


def find_uv(env: Mapping[str, str]) -> str:
    """The uv in `.tools`, put there by pip; the one on PATH where pip is missing or has no package index."""
    ours = TOOLS / "bin" / "uv"
    if ours.exists():
        return str(ours)
    pip = [sys.executable, "-m", "pip"]
    found = shutil.which("uv", path=env["PATH"])
    if run([*pip, "--version"], env, quiet=True, silent=True) == 0:
        say("Getting uv, which installs the rest (into .tools) ...")
        options = ["--quiet", "--upgrade", "--no-warn-script-location", "--root-user-action=ignore"]
        if run([*pip, "install", *options, "--target", str(TOOLS), UV], env, quiet=True, silent=bool(found)) == 0:
            return str(ours)
    if found:
        return found
    sys.exit("kittui is set up by uv: install it, or python3-pip to get it with, and see that the index is reachable.")


def sync(uv: str, env: Mapping[str, str], python: str, *parts: str) -> int:
    """Bring an environment to what uv.lock says, with groups and extras (`--group dev`)."""
    command = [uv, "sync", "--locked", "--inexact", "--quiet", "--python", python, "--no-default-groups"]
    return run([*command, *parts], env)


def install_registry(env: Mapping[str, str]) -> None:
    """Unpack Debian's docker-registry into `.tools`: without root, and without starting the service it comes with."""
    if shutil.which("docker-registry", path=env["PATH"]):
        return
    if not shutil.which("apt-get", path=env["PATH"]) or not shutil.which("dpkg-deb", path=env["PATH"]):
        say("docker-registry is missing and this is not Debian: install it to run the tests against a real registry.")
        return
    say("Getting docker-registry (into .tools) ...")
    apt = TOOLS / "apt"
    for folder in ("lists/partial", "archives/partial", "download"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    options = ["-qq", "-o", f"Dir::State::Lists={apt}/lists", "-o", f"Dir::Cache={apt}", "-o", "Debug::NoLocking=1"]
    if os.geteuid() == 0:
        options += ["-o", "APT::Sandbox::User=root"]
    failed = run(["apt-get", *options, "update"], env, quiet=True)
    unpack = (
        f'cd "{apt}/download" && apt-get "$@" download docker-registry && dpkg-deb -x *.deb "{REGISTRY.parents[1]}"'
    )
    if failed or run(["sh", "-c", unpack, "sh", *options], env, quiet=True):
        say("docker-registry could not be had from Debian's packages. As root: apt-get install docker-registry")


def install_skopeo(env: Mapping[str, str]) -> None:
    """Install skopeo with apt-get, as root or with a sudo that asks nothing."""
    if shutil.which("skopeo", path=env["PATH"]) or not shutil.which("apt-get", path=env["PATH"]):
        return
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not root or (shutil.which("sudo", path=env["PATH"]) and not run(["sudo", "-n", "true"], env, quiet=True)):
        say("Installing skopeo (with apt-get) ...")
        quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
        apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        if not run([*apt, "update"], quiet, quiet=True) and not run(
            [*apt, "install", "-y", "--no-install-recommends", "skopeo"], quiet, quiet=True
        ):
            return
    say("skopeo could not be installed: the tests that compare with it skip. As root: apt-get install skopeo")


def test(env: dict[str, str]) -> int:
    """Run every check, whatever the others said, and return 0 only where all are fine."""
    prepare(env, *DEV)
    install_registry(env)
    install_skopeo(env)
    folder = tempfile.mkdtemp(prefix="kittui-", dir=memory(env))
    status = 0
    try:
        status = run_checks({**env, "TMPDIR": folder})
    finally:
        if status:
            say(f"What the failed tests left is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return status


def memory(env: Mapping[str, str]) -> str | None:
    """Where the tests' files go: kittui waits for the disk at every step, which in memory takes no time.

    None for the system's own place: where the caller chose one, there is too little room, or no program may be run.
    """
    if "TMPDIR" in env or not _writable(MEMORY) or shutil.disk_usage(MEMORY).free < ROOM:
        return env.get("TMPDIR")
    return None if os.statvfs(MEMORY).f_flag & os.ST_NOEXEC else MEMORY


def run_checks(env: Mapping[str, str]) -> int:
    """Run the tests, and CHECKS beside them one after the other; returns 1 where any of them failed."""

    def passes(name: str, command: Sequence[str], *, quiet: bool) -> bool:
        start = time.monotonic()
        try:
            status = run([str(VENV / "bin" / command[0]), *command[1:]], env, quiet=quiet)
        except OSError as error:
            say(f"== {name}: FAILED, {error}")
            return False
        say(f"== {name}: {'FAILED' if status else 'ok'} in {time.monotonic() - start:.1f} s")
        return status == 0

    with ThreadPoolExecutor(max_workers=1) as beside:
        others = {name: beside.submit(passes, name, command, quiet=True) for name, command in CHECKS}
        try:
            failed = [] if passes("tests", ("pytest", *PARALLEL), quiet=False) else ["tests"]
        except KeyboardInterrupt:
            beside.shutdown(wait=False, cancel_futures=True)
            raise
    failed += [name for name, passed in others.items() if not passed.result()]
    say(f"\nFailed: {', '.join(failed)}" if failed else "\nAll checks and tests passed.")
    return 1 if failed else 0


def coverage(env: Mapping[str, str], tests: Sequence[str]) -> int:
    """Run the tests once under coverage; prints each module's share and the lines that nothing reached."""
    prepare(env, *DEV)
    install_registry(env)
    report = ("--cov=kittui", "--cov-report=term-missing:skip-covered")
    return run([str(VENV / "bin" / "pytest"), *PARALLEL, *report, *tests], env)


def matrix(env: Mapping[str, str], tests: Sequence[str]) -> int:
    """Run the tests with each of PYTHONS that uv finds, in an environment each, and sum up at the end."""
    prepare(env, *DEV)
    install_registry(env)
    uv = find_uv(env)
    # pyenv's commands on PATH find only the versions that it is set to; its folders have all of them.
    pyenv = Path(env.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    searched = {**env, "PATH": os.pathsep.join([*map(str, sorted(pyenv)), env["PATH"]])}
    outcomes = {}
    for version in PYTHONS:
        find = [uv, "python", "find", "--no-project", version]
        found = subprocess.run(find, cwd=HERE, env=searched, check=False, capture_output=True, text=True)
        if found.returncode:
            outcomes[version] = "not installed"
            continue
        say(f"\n== Python {version}: {found.stdout.strip()}")
        folder = TOOLS / "matrix" / version
        inside = {**env, "UV_PROJECT_ENVIRONMENT": str(folder)}
        inside["PATH"] = os.pathsep.join([str(folder / "bin"), env["PATH"]])
        status = sync(uv, inside, found.stdout.strip(), *DEV) or run(
            [str(folder / "bin" / "pytest"), *PARALLEL, *tests], inside
        )
        outcomes[version] = "FAILED" if status else "ok"
    for version, outcome in outcomes.items():
        say(f"Python {version}: {outcome}")
    return int("FAILED" in outcomes.values())


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says."""
    env = environment()
    if arguments == ["test"]:
        return test(env)
    if arguments[:1] == ["coverage"]:
        return coverage(env, arguments[1:])
    if arguments[:1] == ["matrix"]:
        return matrix(env, arguments[1:])
    if arguments[:1] == ["demo"]:
        prepare(env, "--extra", "images")
        os.execve(VENV / "bin" / "kittui", ["kittui", *arguments], env)
    if arguments[:1] == ["run"] and len(arguments) > 1:
        prepare(env, *DEV)
        program = shutil.which(arguments[1], path=env["PATH"]) or arguments[1]
        os.execve(program, list(arguments[1:]), env)
    say(__doc__.strip())
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The guide's commands, and worlds to run them in: what `registry.acme.dev` and the other names there stand for."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kittui.cli.app import COMMANDS, main
from kittui.cli.output import Printer
from kittui.demo.stage import Stage, set_up
from kittui.demo.trusted import People, vouch
from tests.fakes.command_line import Ran
from tests.tui.ptys import Program

ROOT = Path(__file__).parents[2]
ELSEWHERE = "on another machine"
SEEDED = {
    "acme/fraud-detector": ("v0.8.0", "v0.9.0", "v1.0.0", "v1.1.0", "champion", "challenger", "rollback", "retired"),
    "acme/support-bot": ("variants", "champion"),
}
"""Repositories and tags of the demo that the registry holds."""


@dataclass(frozen=True)
class Chapter:
    """A chapter of a page: its title, and the lines that are typed into a shell, each with its comment."""

    page: str
    title: str
    lines: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """What a test calls it."""
        return f"{self.page}: {self.title}"


def chapters(page: str) -> list[Chapter]:
    """The chapters of a page that have lines for a shell. Everything that is indented by four spaces is one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for part in re.split(r"^## ", re.sub(r"```\w+\n.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        lines = tuple(line.strip() for line in body.splitlines() if re.match(r" {4}\S", line))
        if lines:
            whole = text[text.index(f"## {title}\n") :]
            found.append(Chapter(page, title, lines, whole.partition("\n## ")[0]))
    return found


@dataclass
class World:
    """Folders of a user and of another machine, and what the guide's names stand for there."""

    folder: Path
    names: dict[str, str]
    config: dict[str, object] = field(default_factory=dict)

    def prepare(self) -> None:
        """Write both machines' configurations."""
        for home in ("home", "elsewhere"):
            place = self.folder / home / "config" / "kittui"
            place.mkdir(parents=True, exist_ok=True)
            (self.folder / home / "keys").mkdir(exist_ok=True)
            (place / "config.yaml").write_text(self.said(yaml.safe_dump(self.config, sort_keys=False)))
        (self.folder / "work").mkdir(exist_ok=True)

    def said(self, text: str) -> str:
        """A text of the guide with its names replaced by what they stand for."""
        for name, meant in self.names.items():
            text = text.replace(name, meant)
        return text

    def environment(self, home: str = "home") -> dict[str, str]:
        """A machine's folders."""
        folder = self.folder / home
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TEXTUAL_ANIMATIONS") if name in os.environ}
        xdg = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("STATE", "CACHE", "CONFIG", "DATA")}
        return {**kept, **xdg, "HOME": str(folder), "KITOPS_HOME": str(folder / "kit")}

    def run(self, line: str, says: str = "kittui", answer: str = "y\n") -> Ran:
        """What a line of the guide does; questions are answered, the interface is left once it says `says`."""
        command, _, comment = line.partition(" #")
        command = self.said(command.strip())
        environ = self.environment("elsewhere" if ELSEWHERE in comment else "home")
        words = shlex.split(command)
        if words[0] != "kittui" or {"|", ">"} & {*words}:
            return self._shell(command, environ)
        if len(words) == 1 or words[1] not in COMMANDS:
            return self._interface(words[1:], environ, self.said(says))
        words = [word.replace("~", environ["HOME"], 1) if word.startswith("~/") else word for word in words]
        with self._inside(environ), mock.patch.object(Printer, "asks", True):
            out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err), mock.patch.object(sys, "stdin", io.StringIO(answer * 9)):
                status = main(words[1:])
            out.flush()
            return Ran(status, out.buffer.getvalue().decode(), err.getvalue())

    @contextmanager
    def _inside(self, environ: dict[str, str]) -> Iterator[None]:
        before = Path.cwd()
        os.chdir(self.folder / "work")
        try:
            with mock.patch.dict(os.environ, environ, clear=True):
                yield
        finally:
            os.chdir(before)

    def _shell(self, command: str, environ: dict[str, str]) -> Ran:
        """A line that needs more of a shell than words; `kittui` is this one."""
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        program = tools / "kittui"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m kittui "$@"\n')
        program.chmod(0o755)
        environ = {**environ, "PATH": f"{tools}:{environ['PATH']}"}
        shell = "fish" if command.endswith("| source") else "zsh" if "zsh_source" in command else "bash"
        if shutil.which(shell) is None:
            # What that shell would evaluate is printed instead.
            shell, command = "bash", command.removeprefix('eval "$(').removesuffix(')"').removesuffix(" | source")
        ran = subprocess.run(
            [shell, "-c", command], cwd=self.folder / "work", env=environ, capture_output=True, text=True, timeout=60
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def _interface(self, words: list[str], environ: dict[str, str], says: str) -> Ran:
        with self._inside(environ), Program("-m", "kittui", *words, size=(120, 35), **environ) as program:
            program.until(says)
            program.press("q")
            program.read(20)
            _, status = os.waitpid(program.pid, 0)
            return Ran(os.waitstatus_to_exitcode(status), program.output.decode("utf-8", "replace"), "")


def keys(folder: Path, *names: str) -> None:
    """A key pair for each name, as PEM files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pem").write_bytes(private)
        (folder / f"{name}.pub").write_bytes(public)


def demo(folder: Path) -> tuple[Stage, People]:
    """The demo's folders with its keys, as `kittui demo --keep` leaves them."""
    folder.mkdir()

    async def make() -> tuple[Stage, People]:
        stage = await set_up(folder)
        return stage, await vouch(stage)

    return asyncio.run(make())

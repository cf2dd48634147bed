"""Runs credential helpers: programs `docker-credential-NAME` that store credentials (docker-credential-helpers)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from kittui.errors import CredentialError
from kittui.registry.credentials import Credential

_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_LIMIT: Final = 64 * 1024
_TOKEN_USER: Final = "<token>"  # noqa: S105 - the user name that stands for "the secret is an identity token"
_MOST_LINES: Final = 20
PATIENCE: Final = 120.0
"""Time limit for a helper in seconds: some send the user to a browser first."""
SILENCE: Final = 2.0
"""Seconds after which the user is told about the wait for a helper."""
_LAST_WORDS: Final = 0.5

OnMessage = Callable[[str], None]


class Helper:
    """One helper, named as in a config file; raises CredentialError for a name that is not a plain word.

    The registry is given on stdin, never as an argument; answers over 64 KiB or later than `seconds` are refused, and
    answers are never logged or shown. `on_message` is called with its stderr, where single sign-on helpers name the
    page to open, and with a note while waiting for it.
    """

    def __init__(self, name: str, seconds: float = PATIENCE, on_message: OnMessage = lambda _: None) -> None:
        if not _NAME.match(name):
            raise CredentialError(
                "a config file names a credential helper that is not a plain word",
                hint="credsStore and credHelpers take names like pass, secretservice or ecr-login.",
            )
        self.name = name
        self._program = f"docker-credential-{name}"
        self._seconds = seconds
        self._on_message = on_message

    async def get(self, *keys: str) -> Credential | None:
        """Get the credentials for a registry, by the first key that the helper knows; None if it knows none."""
        async with self._announced(f"for the login of {keys[0]}"):
            for key in keys:
                status, output = await self._run("get", key.encode("utf-8"))
                if status == 0:
                    return self._credential(output)
                if b"not found" not in output.lower() and b"no credentials" not in output.lower():
                    raise self._failed("could not look up credentials")
        return None

    def _credential(self, output: bytes) -> Credential | None:
        try:
            document = json.loads(output)
            username, secret = document.get("Username", ""), document.get("Secret", "")
        except (ValueError, RecursionError, AttributeError):
            raise self._failed("returned something that is not a credential") from None
        if not isinstance(username, str) or not isinstance(secret, str) or not secret:
            return None
        if username == _TOKEN_USER:
            return Credential(identity_token=secret, origin=self._program)
        return Credential(username, secret, origin=self._program)

    async def store(self, key: str, credential: Credential) -> None:
        """Store credentials in the helper."""
        document = {
            "ServerURL": key,
            "Username": _TOKEN_USER if credential.identity_token else credential.username,
            "Secret": credential.identity_token or credential.password,
        }
        async with self._announced("to keep the login"):
            status, _ = await self._run("store", json.dumps(document).encode("utf-8"))
        if status != 0:
            raise self._failed("could not keep the credentials")

    async def erase(self, key: str) -> None:
        """Erase a registry from the helper; it is not an error if it was unknown."""
        async with self._announced("to forget the login"):
            status, output = await self._run("erase", key.encode("utf-8"))
        if status != 0 and b"not found" not in output.lower():
            raise self._failed("could not forget the credentials")

    def _failed(self, what: str) -> CredentialError:
        return CredentialError(
            f"the credential helper {self._program} {what}",
            hint=f"Run it by hand to see why, or remove {self.name} from credsStore and credHelpers.",
        )

    @asynccontextmanager
    async def _announced(self, what: str) -> AsyncIterator[None]:
        """Give up after the helper's time limit; after a moment, report the wait and its end."""

        async def say() -> None:
            await asyncio.sleep(SILENCE)
            self._on_message(f"waiting for {self._program} {what}, {self._seconds:.0f} s at most")

        saying = asyncio.create_task(say())
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise self._failed(f"did not answer within {self._seconds:.0f} s") from None
        finally:
            saying.cancel()

    async def _run(self, action: str, given: bytes) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        try:
            # Run it in a session of its own, so that its children can be ended with it, and Ctrl-C reaches only kittui.
            transport, talk = await loop.subprocess_exec(
                lambda: _Talk(self._program, self._on_message), self._program, action, start_new_session=True
            )
        except OSError as error:
            raise CredentialError(
                f"the credential helper {self._program} can't be run: {error.strerror}",
                hint=f"Install it, or remove {self.name} from credsStore and credHelpers.",
            ) from error
        try:
            stdin = transport.get_pipe_transport(0)
            assert isinstance(stdin, asyncio.WriteTransport)  # noqa: S101 - it is a pipe
            stdin.write(given)
            stdin.close()
            await talk.finished.wait()
            # Its children may keep stdout open: its answer ends when it exits itself.
            with suppress(TimeoutError):
                await asyncio.wait_for(talk.ended.wait(), _LAST_WORDS)
            if talk.overflowing:
                raise self._failed("answered more than 64 KiB")
            return transport.get_returncode() or 0, bytes(talk.output)
        finally:
            if transport.get_returncode() is None:
                with suppress(OSError):
                    os.killpg(transport.get_pid(), signal.SIGKILL)
                with suppress(TimeoutError):
                    await asyncio.wait_for(talk.exited.wait(), _LAST_WORDS)
            transport.close()


class _Talk(asyncio.SubprocessProtocol):
    """A running helper's output: its answer on stdout, and lines for the user on stderr."""

    def __init__(self, program: str, on_message: OnMessage) -> None:
        self.output = bytearray()
        self.overflowing = False
        self.ended = asyncio.Event()
        self.exited = asyncio.Event()
        self.finished = asyncio.Event()
        self._program = program
        self._on_message = on_message
        self._said = bytearray()
        self._lines = 0

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self.output += data
            if len(self.output) > _LIMIT:
                self.overflowing = True
                self.finished.set()
                self.ended.set()
        elif fd == 2 and self._lines < _MOST_LINES:
            self._said += data[:_LIMIT]
            self._pass_on()

    def _pass_on(self, *, last: bool = False) -> None:
        *whole, rest = bytes(self._said).split(b"\n")
        self._said = bytearray(b"" if last else rest[-_LIMIT:])
        for line in [*whole, rest] if last else whole:
            text = line.decode("utf-8", "replace").strip()[:500]
            if text and self._lines < _MOST_LINES:
                self._lines += 1
                self._on_message(f"{self._program}: {text}")

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self.ended.set()
        elif fd == 2:
            self._pass_on(last=True)

    def process_exited(self) -> None:
        self.exited.set()
        self.finished.set()

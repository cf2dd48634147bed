"""Credential helpers: programs `docker-credential-NAME` that keep credentials elsewhere (docker-credential-helpers)."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress

from kittui.errors import CredentialError
from kittui.registry.credentials import Credential

_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_LIMIT = 64 * 1024
_TOKEN_USER = "<token>"  # noqa: S105 - the user name that stands for "the secret is an identity token"


class Helper:
    """One helper by the name that a config file gives it; raises CredentialError for a name that is no plain word.

    The registry is given on stdin, never as an argument; answers over 64 KiB or later than `seconds` are refused, and
    nothing of what a helper prints is logged or shown.
    """

    def __init__(self, name: str, seconds: float = 10.0) -> None:
        if not _NAME.match(name):
            raise CredentialError(
                "a config file names a credential helper that is no plain word",
                hint="credsStore and credHelpers take names like pass, secretservice or ecr-login.",
            )
        self.name = name
        self._program = f"docker-credential-{name}"
        self._seconds = seconds

    async def get(self, key: str) -> Credential | None:
        """The credentials for a registry; None where the helper has none."""
        status, output = await self._run("get", key.encode("utf-8"))
        if status != 0:
            if b"not found" in output.lower() or b"no credentials" in output.lower():
                return None
            raise self._failed("could not look up credentials")
        try:
            document = json.loads(output)
            username, secret = document.get("Username", ""), document.get("Secret", "")
        except (ValueError, RecursionError, AttributeError):
            raise self._failed("answered what is no credential") from None
        if not isinstance(username, str) or not isinstance(secret, str) or not secret:
            return None
        if username == _TOKEN_USER:
            return Credential(identity_token=secret, origin=self._program)
        return Credential(username, secret, origin=self._program)

    async def store(self, key: str, credential: Credential) -> None:
        """Have the helper keep credentials."""
        document = {
            "ServerURL": key,
            "Username": _TOKEN_USER if credential.identity_token else credential.username,
            "Secret": credential.identity_token or credential.password,
        }
        status, _ = await self._run("store", json.dumps(document).encode("utf-8"))
        if status != 0:
            raise self._failed("could not keep the credentials")

    async def erase(self, key: str) -> None:
        """Have the helper forget a registry; that it never knew it is no error."""
        status, output = await self._run("erase", key.encode("utf-8"))
        if status != 0 and b"not found" not in output.lower():
            raise self._failed("could not forget the credentials")

    def _failed(self, what: str) -> CredentialError:
        return CredentialError(
            f"the credential helper {self._program} {what}",
            hint=f"Try it by hand, or take {self.name} out of credsStore and credHelpers.",
        )

    async def _run(self, action: str, given: bytes) -> tuple[int, bytes]:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                action,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LIMIT,
            )
        except OSError as error:
            raise CredentialError(
                f"the credential helper {self._program} can't be run: {error.strerror}",
                hint=f"Install it, or take {self.name} out of credsStore and credHelpers.",
            ) from error
        try:
            async with asyncio.timeout(self._seconds):
                return await self._talk(process, given)
        except TimeoutError:
            raise self._failed(f"did not answer within {self._seconds:.0f} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _talk(self, process: asyncio.subprocess.Process, given: bytes) -> tuple[int, bytes]:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(given)
            await process.stdin.drain()
        process.stdin.close()
        output = bytearray()
        while piece := await process.stdout.read(_LIMIT):
            output += piece
            if len(output) > _LIMIT:
                raise self._failed("answered more than 64 KiB")
        return await process.wait(), bytes(output)

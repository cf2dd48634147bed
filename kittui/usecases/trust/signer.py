"""Signers: a private key in memory, or a user's command for an HSM or a KMS."""

from __future__ import annotations

import asyncio
import binascii
import os
import signal
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from kittui.errors import CredentialError
from kittui.trust.keys import PublicKey, check_signature, key_name
from kittui.trust.signing import PrivateKey, public_key, sign

COMMAND_SECONDS: Final = 120.0
"""Time limit for a signing command; a token may have to be touched."""


class Signer(Protocol):
    """Something that signs with one key."""

    @property
    def key(self) -> PublicKey:
        """The public half of the key."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """Return a valid signature over the message; raises CredentialError if that fails."""
        ...


class KeySigner:
    """Signs with a private key in memory."""

    def __init__(self, private: PrivateKey) -> None:
        self._private = private
        self._public = public_key(private)

    @property
    def key(self) -> PublicKey:
        """The public half of the key."""
        return self._public

    async def sign(self, message: bytes) -> bytes:
        """Sign in a thread."""
        return await asyncio.to_thread(sign, self._private, message)


class CommandSigner:
    """Signs with a command: the message on its stdin, the signature on its stdout, raw or in base64.

    `key` is the public half, which checks the signature before anything is written.
    """

    def __init__(self, command: Sequence[str], key: PublicKey, seconds: float = COMMAND_SECONDS) -> None:
        self._command = tuple(command)
        self._key = key
        self._seconds = seconds

    @property
    def key(self) -> PublicKey:
        """The public half of the key."""
        return self._key

    async def sign(self, message: bytes) -> bytes:
        """Run the command in a process group of its own, which is killed if it takes too long."""
        output = await self._run(message)
        for signature in (output, _decoded(output)):
            if signature and check_signature(self._key, signature, message).outcome == "holds":
                return signature
        raise self._failed(f"printed no valid signature by key {key_name(self._key)}")

    async def _run(self, message: bytes) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise self._failed(f"could not be started: {error.strerror or error}") from None
        try:
            async with asyncio.timeout(self._seconds):
                output, said = await process.communicate(message)
        except TimeoutError:
            raise self._failed(f"took longer than {self._seconds:.0f} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode != 0:
            lines = said.decode("utf-8", "replace").strip().splitlines()
            raise self._failed(f"ended with status {process.returncode}" + (f": {lines[-1][:300]}" if lines else ""))
        return output

    def _failed(self, what: str) -> CredentialError:
        return CredentialError(
            f"the signing command {self._command[0]} {what}",
            hint="signing_command in config.yaml gets the message on stdin and prints the signature.",
        )


def _decoded(output: bytes) -> bytes:
    try:
        return b64decode(b"".join(output.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""

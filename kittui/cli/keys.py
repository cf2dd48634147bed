"""Opens the signer and the trusted keys from the configuration and key files."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kittui.config import Config
from kittui.disk.notices import notice
from kittui.disk.paths import typed_path
from kittui.errors import TerminalNeeded, UsageError
from kittui.state.trusted import TrustedKeys
from kittui.trust.keyring import Keyring, TrustedIdentity
from kittui.trust.keys import KEY_LIMIT, load_public_key
from kittui.trust.signing import is_public, load_private_key, needs_password
from kittui.usecases.trust.keyless import CertificateRoot
from kittui.usecases.trust.keys import NamedKey, keyring_of
from kittui.usecases.trust.signer import CommandSigner, KeySigner, Signer

PASSWORD = "KITTUI_KEY_PASSWORD"  # noqa: S105 - the name of a variable
AskSecret = Callable[[str], Awaitable[str]]


async def open_signer(
    config: Config, environ: Mapping[str, str], ask: AskSecret | None, path: Path | None = None
) -> Signer | None:
    """The signer from a key file, or the configured one; None without either.

    `ask` asks the user for a passphrase; None if nobody can be asked. Raises UsageError for a file that is not a key,
    TerminalNeeded for a missing passphrase, CredentialError for a wrong one.
    """
    path = path or config.signing_key
    if path is None:
        return None
    pem = await read_key(path)
    if is_public(pem):
        if not config.signing_command:
            raise UsageError(
                f"{path} holds a public key, which can't sign",
                hint="Give the private key; or set signing_command in config.yaml to sign with an HSM or a KMS.",
            )
        return CommandSigner(config.signing_command, load_public_key(pem, str(path)))
    password = None
    if not needs_password(pem):
        await asyncio.to_thread(_check_private, path)
    else:
        password = (await _passphrase(path, environ, ask)).encode("utf-8", "surrogateescape")
    return KeySigner(await asyncio.to_thread(load_private_key, pem, password, str(path)))


async def _passphrase(path: Path, environ: Mapping[str, str], ask: AskSecret | None) -> str:
    said = environ.get(PASSWORD)
    if said is not None:
        return said
    try:
        if ask is not None:
            return await ask(f"Passphrase of {path}: ")
    except TerminalNeeded:
        pass
    raise TerminalNeeded(
        f"the key {path} has a passphrase and there is no terminal to ask on", hint=f"Give it in ${PASSWORD}."
    )


def _check_private(path: Path) -> None:
    status = typed_path(path).stat()
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o044:
        notice(f"others on this machine can read the private key {path}: chmod 600 prevents that")


async def read_key(path: Path) -> bytes:
    """The bytes of a key file; raises UsageError where it can't be read."""
    try:
        return await asyncio.to_thread(_read, path)
    except OSError as error:
        raise UsageError(f"the key {path} can't be read: {error.strerror}", hint="Name a key file in PEM.") from None


def read_keyring(config: Config, state_dir: Path, warn: Callable[[str], None]) -> Keyring:
    """The keys in `trust` of the configuration; warns about keys that can't be used. Blocks."""
    named, identities = [], []
    for entry in config.trust:
        if entry.identity:
            identities.append(
                TrustedIdentity(entry.name, entry.identity, entry.issuer, entry.repositories, entry.until)
            )
            continue
        pem, what = entry.key.encode(), "the key"
        if "-----BEGIN" not in entry.key:
            try:
                pem, what = _read(Path(entry.key)), entry.key
            except (OSError, UsageError) as error:
                reason = error.message if isinstance(error, UsageError) else error.strerror
                warn(f"trust: {entry.name}: {entry.key} can't be read: {reason}")
                continue
        named.append(NamedKey(entry.name, pem, what, entry.repositories, entry.until))
    keyring, problems = keyring_of(named, TrustedKeys(state_dir))
    for problem in problems:
        warn(problem)
    root = CertificateRoot(config.trusted_root) if config.trusted_root else None
    if root is not None and root.problem:
        warn(f"trusted_root: {root.problem}")
        root = None
    return replace(keyring, identities=tuple(identities), certificates=root)


def _read(path: Path) -> bytes:
    with typed_path(path).open("rb") as file:
        return file.read(KEY_LIMIT)

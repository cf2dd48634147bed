"""Reads the keys in the configuration, and those that were in it once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kittui.errors import KittuiError
from kittui.state.trusted import OnceTrusted, TrustedKeys
from kittui.trust.documents import parse_time, write_time
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.keys import load_public_key

_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key in the configuration, with the bytes of its file."""

    owner: str
    pem: bytes
    what: str
    repositories: tuple[str, ...] = ()
    until: datetime | None = None


def keyring_of(
    named: Iterable[NamedKey], once: TrustedKeys | None = None, now: datetime | None = None
) -> tuple[Keyring, tuple[str, ...]]:
    """The keyring of the configuration, and a sentence on each key that can't be used. Blocks.

    `once` remembers the keys: one that was removed from the configuration counts as trusted until it was last seen
    there.
    """
    now = now or datetime.now(UTC)
    keys: list[TrustedKey] = []
    problems: list[str] = []
    pems: dict[str, str] = {}
    for entry in named:
        try:
            key = TrustedKey(entry.owner, load_public_key(entry.pem, entry.what), entry.repositories, entry.until)
        except KittuiError as error:
            problems.append(f"trust: {entry.owner}: {error.message}")
            continue
        keys.append(key)
        pems[key.name] = entry.pem.decode("utf-8", "replace")
    if once is not None:
        keys += _remembered(keys, pems, once, now)
    return Keyring(tuple(keys)), tuple(problems)


def _remembered(keys: Iterable[TrustedKey], pems: dict[str, str], once: TrustedKeys, now: datetime) -> list[TrustedKey]:
    known = once.read()
    today = write_time(now)
    changed = dict(known)
    for key in keys:
        seen = parse_time(known[key.name].seen) if key.name in known else None
        if seen is None or abs((now - seen).total_seconds()) > _DAY:
            changed[key.name] = OnceTrusted(key.owner, pems[key.name], key.repositories, today)
    if changed != known:
        once.write(changed)
    gone: list[TrustedKey] = []
    for name, kept in known.items():
        until = parse_time(kept.seen)
        if name in pems or until is None or until > now:
            continue
        try:
            gone.append(TrustedKey(kept.owner, load_public_key(kept.pem.encode()), kept.repositories, until))
        except KittuiError:
            continue
    return gone

"""From `trust` in the configuration to the keys that count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kittui.config import Config
from kittui.state.trusted import TrustedKeys
from kittui.trust.keyring import Keyring
from kittui.trust.keys import KEY_LIMIT
from kittui.usecases.trust.keys import NamedKey, keyring_of


def read_keyring(config: Config, state_dir: Path, warn: Callable[[str], None]) -> Keyring:
    """The keys that `trust` in the configuration names; what is wrong with one of them is warned of. Blocks."""
    named = []
    for entry in config.trust:
        pem, what = entry.key.encode(), "the key"
        if "-----BEGIN" not in entry.key:
            try:
                with Path(entry.key).expanduser().open("rb") as file:
                    pem, what = file.read(KEY_LIMIT), entry.key
            except OSError as error:
                warn(f"trust: {entry.name}: {entry.key} can't be read: {error.strerror}")
                continue
        named.append(NamedKey(entry.name, pem, what, entry.repositories, entry.until))
    keyring, problems = keyring_of(named, TrustedKeys(state_dir))
    for problem in problems:
        warn(problem)
    return keyring

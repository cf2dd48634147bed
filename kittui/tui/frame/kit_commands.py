"""The commands for a ModelKit, to copy and run elsewhere: kit's where kit takes it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kittui.oci.target import Target
from kittui.terminal import clean

if TYPE_CHECKING:
    from kittui.modelkit.kinds import Kind
    from kittui.oci.protocols import Repository

_OTHERS: frozenset[Kind] = frozenset({"docker-model", "ollama-model", "index", "image", "artifact", "chart"})
"""What no kit takes."""


def shell_word(text: str) -> str:
    """A text as one word of a shell's, whatever is in it: what steers a terminal or ends a line is written out.

    A line break or an escape sequence in a text that is pasted ends what a shell takes for pasted, and runs the rest.
    """
    if is_harmless(text):
        return shlex.quote(text)
    written = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in "\\'" else f"\\x{byte:02x}"
        for byte in text.encode("utf-8", "surrogateescape")
    )
    return f"$'{written}'"


def is_harmless(text: str) -> bool:
    """Whether a text does nothing but show, wherever it is pasted."""
    return clean(text, limit=None) == text


def bare_reference(repository: Repository, target: Target | None) -> str:
    """The reference without kittui's prefix, as `kit`, docker and oras take it."""
    return repository.reference(target).removeprefix("remote://").removeprefix("local://")


def kit_commands(repository: Repository, target: Target, kind: Kind | None = None) -> list[tuple[str, str]]:
    """(what for, command) for a tag or digest; kit's own, but where it reads neither the place nor the kind."""
    place = repository.source.place
    reference, own = (shell_word(text) for text in (bare_reference(repository, target), repository.reference(target)))
    if kind == "modelkit-index":
        return [("unpack one", f"kittui unpack {own} -l LABEL=VALUE"), ("list", f"kittui index list {own}")]
    if kind in _OTHERS:
        copied = [] if place.kind == "oci" else [("keep a copy", f"kittui copy {own} oci:DIR")]
        unpacked = [("unpack", f"kittui unpack {own}")] if kind in ("docker-model", "ollama-model") else []
        return [*copied, *unpacked, ("show", f"kittui show {own}")]
    if place.kind == "local":
        return [
            ("unpack", f"kit unpack {reference} -d ."),
            ("show", f"kit inspect {reference}"),
            ("push", f"kit push {reference}"),
        ]
    if place.kind == "remote":
        options = "".join(f"{option} " for option in repository.source.traits.kit_options)
        return [
            ("pull", f"kit pull {options}{reference}"),
            ("unpack", f"kit unpack {options}{reference} -d ."),
            ("show", f"kit inspect -r {options}{reference}"),
        ]
    return [("copy it into the store", f"kittui pull {own}")]

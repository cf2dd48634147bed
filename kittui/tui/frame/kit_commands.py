"""The `kit` commands for a ModelKit, to copy and run elsewhere."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kittui.oci.target import Target

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository


def bare_reference(repository: Repository, target: Target | None) -> str:
    """The reference without kittui's prefix, as `kit`, docker and oras take it."""
    return repository.reference(target).removeprefix("remote://").removeprefix("local://")


def kit_commands(repository: Repository, target: Target) -> list[tuple[str, str]]:
    """(what for, command) for a tag or digest; a layout has none, as `kit` doesn't read layouts."""
    place = repository.source.place
    reference = shlex.quote(bare_reference(repository, target))
    if place.kind == "oci":
        return [("copy it into the store", f"kittui pull {shlex.quote(repository.reference(target))}")]
    if place.kind == "local":
        return [
            ("unpack", f"kit unpack {reference} -d ."),
            ("show", f"kit inspect {reference}"),
            ("push", f"kit push {reference}"),
        ]
    return [
        ("pull", f"kit pull {reference}"),
        ("unpack", f"kit unpack {reference} -d ."),
        ("show", f"kit inspect -r {reference}"),
    ]

"""Checking signatures that lie among a model's files: every file they name is hashed while it streams."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kittui.errors import KittuiError
from kittui.trust.documents import SIZE_LIMIT
from kittui.trust.keyring import Keyring
from kittui.trust.model_signing import HASHES, NAME, ModelSignature, Resource, read_model_signature
from kittui.trust.verdicts import Status
from kittui.usecases.inspect.files import list_layers
from kittui.usecases.inspect.inspector import Ask, Inspector

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository

NAMED: Final = 5
"""Files that a reason names at most."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What came of one `model.sig`: `files` is how many were hashed and are as they were signed."""

    path: str
    layer: str
    status: Status
    reason: str
    signer: str = ""
    files: int = 0

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "path": self.path,
            "layer": self.layer,
            "status": self.status,
            "reason": self.reason,
            "owner": self.signer or None,
            "files": self.files,
        }


async def check_models(
    inspector: Inspector, repository: Repository, kit: ModelKit, keyring: Keyring, ask: Ask | None = None
) -> tuple[ModelCheck, ...]:
    """Check every `model.sig` of a ModelKit against the files beside and below it, in the same layer.

    Files are read only where the signature itself holds. Raises the error of a layer that can't be listed, Refused
    where the price of reading is not agreed to, and the source's errors.
    """
    checks: list[ModelCheck] = []
    for listed in await list_layers(inspector, repository, kit.layers, ask=ask):
        if listed.error is not None:
            raise listed.error
        listing = listed.listing
        # Of several of one path the last one counts, as for tar.
        entries = {entry.path: entry for entry in (listing.files if listing else ()) if entry.type != "dir"}
        for path, entry in entries.items():
            if posixpath.basename(path) != NAME:
                continue
            if listing is not None and listing.problem:
                why = f"not every file is known: {listing.problem}"
                checks.append(ModelCheck(path, listed.layer.digest, "error", why))
                continue
            checks.append(await _check(inspector, repository, listed.layer, entry, entries, keyring, ask))
    return tuple(checks)


async def _check(
    inspector: Inspector,
    repository: Repository,
    layer: Layer,
    signature: FileEntry,
    entries: dict[str, FileEntry],
    keyring: Keyring,
    ask: Ask | None,
) -> ModelCheck:
    try:
        raw = await inspector.read_file(repository, layer, signature, SIZE_LIMIT, ask=ask)
    except KittuiError as error:
        return ModelCheck(signature.path, layer.digest, "error", error.message)
    said = read_model_signature(raw, keyring)
    verdict = said.verdict
    signer = (verdict.signer.owner or verdict.signer.name) if verdict.signer else ""
    if not verdict.holds:
        return ModelCheck(signature.path, layer.digest, verdict.status, verdict.reason, signer)
    folder = posixpath.dirname(signature.path)
    below = f"{folder}/" if folder else ""
    here = {path.removeprefix(below): entry for path, entry in entries.items() if path.startswith(below)}
    wrong = _differing(said, here)
    good = 0
    for resource in () if wrong else said.resources.values():
        if await _is_signed(inspector, repository, layer, here[resource.path], resource, ask):
            good += 1
        else:
            wrong.append(f"{resource.path} is not what was signed")
    if wrong:
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        reason = f"{verdict.reason}, but {'; '.join(wrong[:NAMED])}{more}"
        return ModelCheck(signature.path, layer.digest, "invalid", reason, signer, good)
    return ModelCheck(signature.path, layer.digest, "verified", verdict.reason, signer, good)


def _differing(said: ModelSignature, here: dict[str, FileEntry]) -> list[str]:
    """Files that are missing, that nobody signed, or that can't be checked."""
    wrong = [f"{path} is missing" for path in said.resources if path not in here]
    wrong += [
        f"{path} is not among the signed files"
        for path in here
        if path not in said.resources and not said.ignores(path)
    ]
    for path, resource in said.resources.items():
        if path in here and here[path].type != "file":
            wrong.append(f"{path} is a {here[path].type}")
        elif resource.algorithm not in HASHES:
            wrong.append(f"{path} was hashed with {resource.algorithm[:40]!r}, which is not checked here")
    return wrong


async def _is_signed(
    inspector: Inspector, repository: Repository, layer: Layer, entry: FileEntry, resource: Resource, ask: Ask | None
) -> bool:
    hasher = HASHES[resource.algorithm]()

    async def take(piece: bytes) -> None:
        hasher.update(piece)

    await inspector.stream_file(repository, layer, entry, take, ask=ask)
    return bool(hasher.hexdigest() == resource.digest)


def all_hold(checks: Sequence[ModelCheck]) -> bool:
    """Whether there is a signature among the files, and every one holds for all of them."""
    return bool(checks) and all(check.status == "verified" for check in checks)

"""Checks signatures among a model's files: hashes every file that they list while it streams."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kittui.errors import KittuiError
from kittui.trust.documents import SIZE_LIMIT
from kittui.trust.keyring import Keyring
from kittui.trust.model_signing import HASHES, NAME, ModelSignature, Resource, read_model_signature
from kittui.trust.verdicts import Status
from kittui.usecases.inspect.files import FoundFile, list_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.prices import Ask

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit
    from kittui.oci.protocols import Repository

NAMED: Final = 5
"""Maximum files listed in a reason."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The result for one `model.sig`: `files` is how many were hashed and match the signature."""

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
    """Check every `model.sig` of a ModelKit against the files beside and below it, as they would be unpacked.

    Files are read only if the signature itself holds. Raises the error of a layer that can't be listed, Refused if the
    price of reading is not agreed to, and the source's errors.
    """
    tree: dict[str, FoundFile] = {}
    odd: dict[str, str] = {}
    unknown = ""
    for listed in await list_layers(inspector, repository, kit.layers, ask=ask):
        if listed.error is not None:
            raise listed.error
        unknown = unknown or (listed.problem or "")
        for entry in listed.listing.files if listed.listing else ():
            if entry.path.startswith("/") or ".." in entry.path.split("/"):
                odd[entry.path] = f"{entry.path} is outside of the folder it is unpacked to"
            elif entry.type != "dir":
                # Of several files with one path, the last one counts, as in tar; layers may be unpacked in another
                # order.
                before = tree.get(entry.path)
                if before is not None and before.layer is not listed.layer:
                    odd[entry.path] = f"{entry.path} is in two layers"
                tree[entry.path] = FoundFile(listed.layer, entry)
    odd |= _through_files(tree)
    checks: list[ModelCheck] = []
    for path, found in tree.items():
        if posixpath.basename(path) != NAME:
            continue
        if unknown:
            why = f"not every file is known: {unknown}"
            checks.append(ModelCheck(path, found.layer.digest, "error", why))
            continue
        checks.append(await _check(inspector, repository, found, tree, odd, keyring, ask))
    return tuple(checks)


def _through_files(tree: Collection[str]) -> dict[str, str]:
    """Paths that lead through something other than a folder: it is unclear where they end up."""
    odd: dict[str, str] = {}
    for path in tree:
        folder = posixpath.dirname(path)
        while folder and folder != "/":
            if folder in tree:
                odd[path] = f"{path} leads through {folder}, which is not a folder"
            folder = posixpath.dirname(folder)
    return odd


async def _check(
    inspector: Inspector,
    repository: Repository,
    found: FoundFile,
    tree: Mapping[str, FoundFile],
    odd: Mapping[str, str],
    keyring: Keyring,
    ask: Ask | None,
) -> ModelCheck:
    layer, signature = found.layer, found.entry
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
    here = {path.removeprefix(below): found for path, found in tree.items() if path.startswith(below)}
    wrong = [*odd.values(), *_differing(said, here)]
    good = 0
    for resource in () if wrong else said.resources.values():
        if await _is_signed(inspector, repository, here[resource.path], resource, ask):
            good += 1
        else:
            wrong.append(f"{resource.path} is not what was signed")
    if wrong:
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        reason = f"{verdict.reason}, but {'; '.join(wrong[:NAMED])}{more}"
        return ModelCheck(signature.path, layer.digest, "invalid", reason, signer, good)
    return ModelCheck(signature.path, layer.digest, "verified", verdict.reason, signer, good)


def _differing(said: ModelSignature, here: Mapping[str, FoundFile]) -> list[str]:
    """Files that are missing, unsigned, or can't be checked."""
    wrong = [f"{path} is missing" for path in said.resources if path not in here]
    wrong += [
        f"{path} is not among the signed files"
        for path in here
        if path not in said.resources and not said.ignores(path)
    ]
    for path, resource in said.resources.items():
        if path in here and here[path].entry.type != "file":
            wrong.append(f"{path} is a {here[path].entry.type}")
        elif resource.algorithm not in HASHES:
            wrong.append(f"{path} was hashed with {resource.algorithm[:40]!r}, which is not checked here")
    return wrong


async def _is_signed(
    inspector: Inspector, repository: Repository, found: FoundFile, resource: Resource, ask: Ask | None
) -> bool:
    hasher = HASHES[resource.algorithm]()

    async def take(piece: bytes) -> None:
        hasher.update(piece)

    await inspector.stream_file(repository, found.layer, found.entry, take, ask=ask)
    return bool(hasher.hexdigest() == resource.digest)


def all_hold(checks: Sequence[ModelCheck]) -> bool:
    """Whether there are signatures among the files, and each one holds for all files."""
    return bool(checks) and all(check.status == "verified" for check in checks)

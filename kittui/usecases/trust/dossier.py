"""Writes a folder for an auditor: a ModelKit's contents, statements and history, and a list of hashes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kittui.crashpoints import crash_point
from kittui.disk.durable import make_folder, replace_file, storage_error
from kittui.disk.trees import remove_tree
from kittui.errors import Conflict
from kittui.modelkit import kitfile_yaml
from kittui.modelkit.modelkit import ModelKit
from kittui.oci.protocols import Repository
from kittui.trust.documents import encode_base64
from kittui.trust.keyring import Keyring
from kittui.usecases.trust.attachments import attachments_of
from kittui.usecases.trust.bom import bom_of
from kittui.usecases.trust.history import MergedHistory
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.signer import Signer
from kittui.usecases.trust.verify import Verification, check

SUMS = "SHA256SUMS"


async def gather(
    repository: Repository, kit: ModelKit, keyring: Keyring, history: MergedHistory, more: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Gather the files of the folder, by name, without the list of hashes. Raises what the source raises."""
    attached = await attachments_of(repository, kit.digest)
    checked = tuple(check(one, keyring, kit.digest) for one in attached.attachments)
    verification = Verification(repository.reference(kit.digest), kit.digest, checked, attached.complete)
    name = plain_name(repository)
    host = repository.source.place.host
    files = {
        "manifest.json": kit.manifest.raw,
        "config.json": kit.config_raw,
        **({"Kitfile": kitfile_yaml(kit.kitfile).encode("utf-8", "surrogateescape")} if kit.kitfile else {}),
        "bom.cdx.json": _json(bom_of(kit, name, f"oci://{name}@{kit.digest}" if host else "")),
        "verification.json": _json(verification.to_json()),
        "history.json": _json(history.to_json()),
        **more,
    }
    for one, signature in zip(attached.attachments, checked, strict=True):
        if one.content:
            files[f"statements/{one.layer.hex}.json"] = one.content
            statement = signature.verdict.statement
            if statement is not None:
                said = {
                    **signature.to_json(),
                    "predicateType": statement.predicate_type,
                    "predicate": statement.predicate,
                }
                files[f"statements/{one.layer.hex}.read.json"] = _json(said)
    return files


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=True).encode() + b"\n"


async def write(folder: Path, files: Mapping[str, bytes], signer: Signer | None) -> None:
    """Write the files with their hashes, and a signature over those if there is a signer.

    The folder appears whole or not at all. Raises Conflict if it exists already, StorageError, and what the signer
    raises.
    """
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    everything = {**files, SUMS: sums.encode()}
    if signer is not None:
        everything[f"{SUMS}.sig"] = encode_base64(await signer.sign(sums.encode())).encode() + b"\n"
    await asyncio.to_thread(_write, folder, everything)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    if folder.exists() or folder.is_symlink():
        raise Conflict(f"{folder} already exists", hint="Name a folder that does not exist with -d.")
    try:
        make_folder(folder.parent)
        draft = folder.with_name(f".{folder.name[:50]}.kittui")
        # Always the same name, so that the next run removes what a killed one left.
        remove_tree(draft)
        draft.mkdir(mode=0o700)
        try:
            for name, content in files.items():
                path = draft / name
                make_folder(path.parent)
                replace_file(path, content, temporary=draft, point="dossier", mode=0o644)
            draft.chmod(0o755)
            crash_point("dossier.before-rename")
            os.rename(draft, folder)  # noqa: PTH104 - a folder that came meanwhile is not replaced unless it is empty
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise storage_error(error, f"write {folder}") from error

"""Checks that kit can read a ModelKit: one that it can't read makes every `kit list` fail, so it must stay out.

The shapes are those that kit decodes into (KitOps, pkg/artifact/kitfile.go); Go ignores the case of keys, and unknown
keys.
"""

from __future__ import annotations

from typing import Any

from kittui.errors import KittuiError, Malformed, Unsupported
from kittui.oci.manifest import Manifest, load_object
from kittui.oci.media_types import KIT_CONFIG, MODELPACK_CONFIG, OCI_MANIFEST
from kittui.store.installed import MODELPACKS, InstalledKit, version_text

_STRING = "a string"
_ANY = "anything"
_STRINGS = [_STRING]
_INFO = {"digest": _STRING, "diffid": _STRING}
_DESCRIBED = {"path": _STRING, "description": _STRING, **_INFO}
_PART = {"name": _STRING, "path": _STRING, "license": _STRING, "type": _STRING, **_INFO}
_KITFILE: dict[str, Any] = {
    "manifestversion": _STRING,
    "package": {
        "name": _STRING,
        "version": _STRING,
        "description": _STRING,
        "license": _STRING,
        "authors": _STRINGS,
    },
    "model": {
        "name": _STRING,
        "path": _STRING,
        "license": _STRING,
        "framework": _STRING,
        "format": _STRING,
        "version": _STRING,
        "description": _STRING,
        "parts": [_PART],
        "parameters": _ANY,
        **_INFO,
    },
    "code": [{**_DESCRIBED, "license": _STRING}],
    "datasets": [{**_DESCRIBED, "name": _STRING, "license": _STRING, "parameters": _ANY}],
    "docs": [_DESCRIBED],
}
_LAYOUT_HINT = "Copy it into an OCI layout instead: kittui copy FROM oci:DIR:TAG."


def is_modelpack(manifest: Manifest) -> bool:
    """Whether this is a ModelPack (CNCF model-spec), which kit supports in its store from 1.10."""
    return manifest.config is not None and manifest.config.media_type == MODELPACK_CONFIG


def check_manifest(manifest: Manifest, kit: InstalledKit | None = None) -> None:
    """Raise Unsupported unless this is a ModelKit in kit's own format, or a format that the installed kit reads."""
    if manifest.is_index:
        raise Unsupported("kit's store can hold only ModelKits, and this is an index", hint=_LAYOUT_HINT)
    config = manifest.config
    if is_modelpack(manifest) and manifest.media_type == OCI_MANIFEST:
        if kit is None or not kit.reads(MODELPACKS):
            known = kit.words if kit is not None else "it is unknown which kit reads this store"
            raise Unsupported(
                f"this is a ModelPack, on which kit fails before {version_text(MODELPACKS)}, and {known}",
                hint=_LAYOUT_HINT,
            )
    elif config is None or config.media_type != KIT_CONFIG or manifest.media_type != OCI_MANIFEST:
        kind = config.media_type if config is not None else "nothing"
        raise Unsupported(
            f"kit's store holds ModelKits only, and the config of this is {kind}: every kit list would fail on it",
            hint=_LAYOUT_HINT,
        )
    version = load_object(manifest.raw, "the manifest").get("schemaVersion", 2)
    if isinstance(version, bool) or not isinstance(version, int):
        raise Malformed(
            "the manifest's schemaVersion is not a number: every kit list would fail on it", hint=_LAYOUT_HINT
        )


def check_config(raw: bytes, *, modelpack: bool = False) -> None:
    """Raise Malformed for a config that kit can't decode."""
    try:
        document = load_object(raw, "the config")
    except KittuiError as error:
        raise Malformed(f"{error.message}: every kit list would fail on it", hint=_LAYOUT_HINT) from None
    if not modelpack and (wrong := _mismatch(document, _KITFILE, "the Kitfile")):
        raise Malformed(f"{wrong}: every kit list would fail on it", hint=_LAYOUT_HINT)


def _mismatch(value: Any, shape: Any, where: str) -> str | None:
    """Find a value whose type differs from the shape; null fits everything, as in Go."""
    if value is None or shape == _ANY:
        return None
    if shape == _STRING:
        return None if isinstance(value, str) else f"{where} is not a string"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is not a list"
        found = (_mismatch(entry, shape[0], f"{where}[{number}]") for number, entry in enumerate(value))
    else:
        if not isinstance(value, dict):
            return f"{where} is not an object"
        found = (
            _mismatch(entry, shape[key.casefold()], f"{key[:40]} of {where}")
            for key, entry in value.items()
            if key.casefold() in shape
        )
    return next((wrong for wrong in found if wrong), None)

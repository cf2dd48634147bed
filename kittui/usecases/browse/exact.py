"""The Kitfile with its numbers as written, for showing and comparing: parsing them as floats would lose digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kittui.errors import Malformed
from kittui.formats.exact_json import parse_json
from kittui.oci.media_types import KIT_KITFILE

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit


def exact_kitfile(kit: ModelKit) -> Mapping[str, Any]:
    """A Kitfile with its fractions as written; if there is no JSON for it, the reconstructed one."""
    if kit.kind == "modelkit":
        text = kit.config_raw.decode("utf-8", "surrogateescape")
    else:
        text = kit.annotations.get(KIT_KITFILE, "") if kit.kind == "modelpack" else ""
    try:
        found = parse_json(text) if text and kit.kitfile else None
    except Malformed:
        found = None
    return found if isinstance(found, dict) else kit.kitfile

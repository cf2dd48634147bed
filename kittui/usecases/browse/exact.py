"""The Kitfile as it is written, for showing and comparing: what goes through a float loses digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kittui.errors import Malformed
from kittui.formats.exact_json import parse_json
from kittui.oci.media_types import KIT_KITFILE

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit


def exact_kitfile(kit: ModelKit) -> Mapping[str, Any]:
    """A Kitfile with its fractions as they are written; where there is none as JSON, what was made in its place."""
    if kit.kind == "modelkit":
        text = kit.config_raw.decode("utf-8", "surrogateescape")
    else:
        text = kit.annotations.get(KIT_KITFILE, "") if kit.kind == "modelpack" else ""
    try:
        found = parse_json(text) if text and kit.kitfile else None
    except Malformed:
        found = None
    return found if isinstance(found, dict) else kit.kitfile

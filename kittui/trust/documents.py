"""Parses hostile JSON and base64: bounded in depth and size, and with checked types."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.oci.documents import load_json

SIZE_LIMIT: Final = 1024 * 1024
"""Maximum bytes of one document."""
_AGE: Final = re.compile(r"(\d{1,5})([hdwy])\Z")
_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}
TEXT_LIMIT: Final = 4096
"""Maximum characters kept of a text; names, reasons and addresses are far shorter."""


def load_document(raw: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object; raises Malformed and TooLarge for anything else.

    That includes NaN, deep nesting, and one key twice in an object: readers differ in which one counts.
    """
    budget = Budget(what, input=SIZE_LIMIT, items=100_000, depth=64)
    document = load_json(raw, budget, parse_constant=_refuse, object_pairs_hook=_once)
    if not isinstance(document, dict):
        raise Malformed(f"{what} is not a JSON object")
    return document


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def dump_document(document: Mapping[str, Any]) -> bytes:
    """The bytes of a document as kittui signs it: compact, keys as they are, ASCII."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def map_of(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A field that is a map; empty if it is missing or something else."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def list_of(document: Mapping[str, Any], key: str) -> list[Any]:
    """A field that is a list; empty if it is missing or something else."""
    value = document.get(key)
    return value if isinstance(value, list) else []


def text_of(document: Mapping[str, Any], key: str) -> str:
    """A field that is text, bounded; empty if it is missing or something else."""
    value = document.get(key)
    return value[:TEXT_LIMIT] if isinstance(value, str) else ""


def decode_base64(text: Any) -> bytes:
    """The bytes of standard or URL-safe base64; empty, which no key ever signed, for anything else."""
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def encode_base64(content: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(content).decode("ascii")


def parse_time(text: Any) -> datetime | None:
    """A time of RFC 3339 with its zone, in UTC; None for anything else."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def read_moment(text: str) -> datetime | None:
    """A date (its beginning in UTC) or a time with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC) if len(text) == len("2027-01-31") else None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_age(text: str) -> timedelta | None:
    """How long ago: `12h`, `30d`, `6w`, `1y`; None for anything else."""
    found = _AGE.match(text.strip().casefold())
    return timedelta(hours=int(found[1]) * _HOURS[found[2]]) if found is not None else None


def write_time(moment: datetime) -> str:
    """A time as RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

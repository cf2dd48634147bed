"""Parses header fields of a registry's answers, without IO: hostile values give nothing, never an exception.

Sources: RFC 9110 (WWW-Authenticate 11.6.1, Content-Range 14.4, Retry-After 10.2.3, Warning of RFC 7234 5.5),
RFC 8288 (Link), distribution-spec ("Pushing a blob in chunks": Range of an upload).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kittui.errors import BadReference
from kittui.oci.digest import Digest

_LONGEST = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_TOKEN68 = re.compile(r"[ \t]+([A-Za-z0-9\-._~+/]+=*)[ \t]*(?=,|\Z)")
_LOOSE = re.compile(r"[^\s,;]+")
_CONTENT_RANGE = re.compile(r"[ \t]*bytes[ \t]+([0-9]{1,19})-([0-9]{1,19})/(?:([0-9]{1,19})|\*)[ \t]*\Z", re.IGNORECASE)
_UPLOAD_RANGE = re.compile(r"[ \t]*(?:bytes[ =])?0-([0-9]{1,19})[ \t]*\Z", re.IGNORECASE)
_WARNING = re.compile(r'299[ \t]+\S+[ \t]+"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of WWW-Authenticate: the scheme in lower case and its parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Parse all challenges of all WWW-Authenticate fields, in order; unknown ones are skipped."""
    found: list[Challenge] = []
    for value in values:
        found.extend(_challenges(value[:_LONGEST]))
    return tuple(found)


def _challenges(text: str) -> Iterator[Challenge]:
    scheme: str | None = None
    parameters: dict[str, str] = {}
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            position += 1
            continue
        position = token.end()
        equals = _EQUALS.match(text, position)
        if equals is not None and scheme is not None:
            quoted = _QUOTED.match(text, equals.end())
            plain = _LOOSE.match(text, equals.end()) if quoted is None else None
            if quoted is not None:
                position = quoted.end()
                parameters.setdefault(token[0].lower(), _unescape(quoted[1]))
            else:
                position = plain.end() if plain else equals.end()
                parameters.setdefault(token[0].lower(), plain[0].strip('"') if plain else "")
            continue
        if scheme is not None:
            yield Challenge(scheme, parameters)
        scheme, parameters = token[0].lower(), {}
        blob = _TOKEN68.match(text, position)
        if blob is not None:
            position = blob.end()
    if scheme is not None:
        yield Challenge(scheme, parameters)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def next_link(values: Iterable[str]) -> str | None:
    """Find the target of the first link with the relation `next`, as written; quoted or not, any case."""
    for value in values:
        for target, relations in _links(value[:_LONGEST]):
            if "next" in relations:
                return target
    return None


def _links(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    position = 0
    while (start := text.find("<", position)) >= 0:
        end = text.find(">", start)
        if end < 0:
            return
        target = text[start + 1 : end].strip()
        relations: set[str] = set()
        position = end + 1
        while semicolon := re.compile(r"[ \t]*;[ \t]*").match(text, position):
            position = semicolon.end()
            name = _TOKEN.match(text, position)
            if name is None:
                break
            position = name.end()
            equals = _EQUALS.match(text, position)
            if equals is None:
                continue
            quoted = _QUOTED.match(text, equals.end())
            plain = quoted or _LOOSE.match(text, equals.end())
            written = _unescape(quoted[1]) if quoted else plain[0] if plain else ""
            position = plain.end() if plain else equals.end()
            if name[0].lower() == "rel":
                relations.update(written.lower().split())
        yield target, frozenset(relations)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The stretch in a 206: first and last byte, and the whole size if the server knows it."""

    start: int
    end: int
    total: int | None

    @property
    def length(self) -> int:
        """Bytes in the stretch."""
        return self.end - self.start + 1


def parse_content_range(value: str | None) -> ContentRange | None:
    """Parse Content-Range; None if it is missing, not in bytes, or contradicts itself."""
    match = _CONTENT_RANGE.match(value or "")
    if match is None:
        return None
    start, end, total = int(match[1]), int(match[2]), int(match[3]) if match[3] else None
    if end < start or (total is not None and end >= total):
        return None
    return ContentRange(start, end, total)


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Parse Retry-After into seconds to wait, from seconds or an HTTP date (never negative); None if unusable."""
    text = (value or "").strip()[:100]
    if text.isascii() and text.isdigit():
        return float(min(int(text), 10**9))
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_upload_range(value: str | None) -> int | None:
    """Parse how many bytes of an upload the registry has, from `Range: 0-N`; None if it doesn't say.

    Some write an empty upload as `0-0`, others with a last byte of -1; the caller interprets `0-0`.
    """
    match = _UPLOAD_RANGE.match(value or "")
    return int(match[1]) + 1 if match else None


def stated_digest(values: Iterable[str]) -> Digest | None:
    """Parse Docker-Content-Digest: equal repeats are one value; malformed or contradicting ones are ignored."""
    found = {part.strip() for value in values for part in value[:_LONGEST].split(",")}
    try:
        return Digest.parse(found.pop()) if len(found) == 1 else None
    except BadReference:
        return None


def parse_warnings(values: Iterable[str]) -> tuple[str, ...]:
    """Parse the texts of Warning 299 (distribution-spec, "Warnings"), raw, without repeats, cut at 500 characters."""
    texts = (_unescape(match[1])[:500] for value in values for match in _WARNING.finditer(value[:_LONGEST]))
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def parse_length(value: str | None) -> int | None:
    """Parse Content-Length; None if it is missing or not a number."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
